"""Where the store of this machine is: the `.swell` folder and what lies in it."""

from __future__ import annotations

import os
from typing import NamedTuple

from swell.errors import StoreError, UsageError
from swell.metastore.postgres_address import is_postgres
from swell.settings import Settings

FOLDER = ".swell"
MARK = "store.toml"
FORMAT = 1
LOCAL = "local"
"""What stands for the store folder where a place for metadata is named."""
_MARK_TEXT = (
    f"# This folder is a swell store: metadata, artifacts and logs of runs.\nformat = {FORMAT}\n"
)


class Place(NamedTuple):
    """A store folder and the paths in it.

    ``metadata`` is the URL, password and all, of a database that keeps the facts in place
    of the folder; ``scope`` then keeps apart what belongs to that database's runs, whose
    numbers are not those of the folder's own.
    """

    root: str
    metadata: str | None = None
    scope: str = ""

    @property
    def database(self) -> str:
        """The metadata database."""
        return os.path.join(self.root, "metadata.db")

    @property
    def may_have_runs(self) -> bool:
        """False where no run was made for sure: there is no database."""
        return self.metadata is not None or os.path.exists(self.database)

    @property
    def blobs(self) -> str:
        """The folder of Blobs."""
        return os.path.join(self.root, "blobs")

    @property
    def logs(self) -> str:
        """The folder of logs, one folder a flow and run below it."""
        return os.path.join(self.root, "logs")

    @property
    def exists(self) -> bool:
        """Whether it is a store already."""
        return os.path.isfile(os.path.join(self.root, MARK))

    def scratch(self, flow: str, run: int) -> str:
        """A folder for what one run needs only while it runs."""
        return os.path.join(self.root, "scratch", self.scope, f"{flow}-{run}")

    def log_folder(self, flow: str, run: int) -> str:
        """The folder of the logs of one run."""
        return os.path.join(self.logs, self.scope, flow, str(run))

    @property
    def databases(self) -> str:
        """The folder that names the databases, other than its own, whose runs leave things
        here: one file each, called by the database's id, with its address in it."""
        return os.path.join(self.root, "databases")

    def of_database(self, store_id: str) -> Place:
        """The folder for runs of a database of that id."""
        # The hyphen: no flow has such a name.
        return self._replace(scope=f"db-{store_id}")


def find_place(settings: Settings, script: str | None, cwd: str) -> Place:
    """The store in force: the setting, else the nearest upwards of ``cwd``, else beside
    ``script`` (a path; None: in ``cwd``). It need not exist yet.

    Raises StoreError for a store of a newer swell, UsageError for a setting of metadata
    that names none.
    """
    place = _place_in_force(settings, script, cwd)._replace(metadata=metadata_url(settings))
    if place.exists:
        _check_format(place)
    return place


def metadata_url(settings: Settings) -> str | None:
    """The database that is set to keep facts; None: the store folder. Raises UsageError."""
    given = (settings.metadata or LOCAL).strip()
    if given == LOCAL:
        return None
    if is_postgres(given):
        return given
    kind = given.partition("://")[0] if "://" in given else "something else"
    raise UsageError(
        f"Metadata can be kept locally or in PostgreSQL, and SWELL_METADATA names {kind}.",
        remedy=f"Set it to '{LOCAL}', or to a URL like postgresql://user@host/database.",
    )


def _place_in_force(settings: Settings, script: str | None, cwd: str) -> Place:
    if settings.root:
        return Place(os.path.abspath(os.path.expanduser(settings.root)))
    folder = os.path.abspath(cwd)
    while True:
        place = Place(os.path.join(folder, FOLDER))
        if place.exists:
            return place
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    beside = os.path.dirname(os.path.abspath(script)) if script else os.path.abspath(cwd)
    return Place(os.path.join(beside, FOLDER))


def _check_format(place: Place) -> None:
    path = os.path.join(place.root, MARK)
    try:
        with open(path, encoding="utf-8") as mark:
            lines = mark.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path}, which says what the store {place.root} is, cannot be read: {error}.",
            remedy=f"Make it readable; for this swell it says 'format = {FORMAT}'.",
        ) from error
    given = [line.partition("=")[2].strip() for line in lines if line.startswith("format")]
    if given == [str(FORMAT)]:
        return
    found = f"format {given[0]}" if given and given[0] else "no format"
    raise StoreError(
        f"The store {place.root} has {found}, and this swell reads format {FORMAT}: "
        "it belongs to a newer version.",
        remedy="Upgrade swell, or set SWELL_ROOT to another folder.",
    )


def make_place(place: Place) -> None:
    """Make the folder a store if it is none. Raises StoreError where it cannot be written."""
    if place.exists:
        if not os.access(place.root, os.W_OK | os.X_OK):
            raise StoreError(
                f"The store folder {place.root} cannot be written.",
                remedy="Get permission to write there, or set SWELL_ROOT to another folder.",
            )
        return
    try:
        os.makedirs(place.root, exist_ok=True)
        temporary = os.path.join(place.root, f"{MARK}.{os.getpid()}")
        with open(temporary, "w", encoding="utf-8") as mark:
            mark.write(_MARK_TEXT)
        os.replace(temporary, os.path.join(place.root, MARK))
    except OSError as error:
        raise StoreError(
            f"The store folder {place.root} cannot be made: {error.strerror}.",
            remedy="Run where you may write, or set SWELL_ROOT to a folder where you may.",
        ) from error


def note_database(place: Place, store_id: str, address: str) -> None:
    """Note before a run of that database leaves something here that it will: a cleaner must
    ask that database too. ``address`` is without its password. Raises StoreError."""
    path = os.path.join(place.databases, store_id)
    try:
        with open(path, encoding="utf-8") as noted:
            if noted.read().strip() == address:
                return
    except (OSError, UnicodeDecodeError):
        pass  # not there, or to be written anew
    try:
        os.makedirs(place.databases, exist_ok=True)
        temporary = f"{path}.{os.getpid()}~"
        with open(temporary, "w", encoding="utf-8") as note:
            note.write(f"{address}\n")
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(
            f"The store folder {place.root} cannot be written: {error.strerror}.",
            remedy="Get permission to write there, or set SWELL_ROOT to another folder.",
        ) from error
