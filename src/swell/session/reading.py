"""Opens stores, of this machine or of a team, for those who only look: terminal and client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import structs

from swell.client.whereabouts import elsewhere
from swell.errors import DataDamaged, MetadataError
from swell.metastore.postgres_address import is_postgres
from swell.model.ids import RunId
from swell.model.record import ArtifactRef, CardRef
from swell.seams.metastore import Metastore
from swell.session.databases import open_for_reading, with_password
from swell.session.datastores import Datastores
from swell.session.place import FOLDER, Place, find_place
from swell.settings import Settings, load_settings

if TYPE_CHECKING:
    from swell.datastore.artifacts import Artifacts
    from swell.datastore.log_reader import LogReader

ADDRESS_TYPES = ("sqlite", "local")
"""What may stand before the ``@`` of an address."""


class LocalStores:
    """Fills ``client.stores.Stores`` from one store folder; nothing but tags is written.

    ``script`` names the flow's file in errors. Use ``open_place`` or ``open_address``.
    """

    def __init__(self, place: Place, metastore: Metastore, script: str = "") -> None:
        self._place = place
        self._metastore = metastore
        self._script = script
        self._artifacts: Artifacts | None = None
        self._data: Datastores | None = None
        self._logs: dict[RunId, LogReader] = {}

    @property
    def metastore(self) -> Metastore:
        return self._metastore

    @property
    def place(self) -> Place:
        """The store folder."""
        return self._place

    @property
    def address(self) -> str:
        """What the metastore says: ``sqlite@`` and a path, or a URL without its password."""
        return self._metastore.address

    @property
    def datastore(self) -> str:
        return self._place.blobs

    @property
    def data(self) -> Datastores:
        """The store folder's Blobs, and those of the object stores that references name."""
        if self._data is None:
            self._data = Datastores(self._place.blobs, None, load_settings(), None)
        return self._data

    def load(self, ref: ArtifactRef) -> object:
        """The value behind ``ref``. Raises StoreError."""
        try:
            return self._loader().load(ref)
        except DataDamaged as error:
            from swell.session.usage import tell_users

            tell_users(error, self._metastore)
            raise

    def load_card(self, card: CardRef) -> bytes:
        """The HTML of a card. Raises StoreError."""
        return bytes(self._loader().load_raw(card.key, card.store))

    def load_package(self, location: str) -> bytes:
        """The zip file at the URL ``location``, in an object store. Raises StoreError."""
        folder, _, name = location.rpartition("/")
        store, _, kind = folder.rpartition("/")
        return bytes(self.data.open(store).read(f"{kind}/{name}"))

    def logs(self, run: RunId) -> LogReader:
        """The log of ``run``; empty where there is none.

        Raises DataMissing for a run of another machine.
        """
        reader = self._logs.get(run)
        if reader is None:
            from swell.datastore.log_reader import LogReader

            folder = self._place.log_folder(run.flow, run.number)
            if self._place.metadata is not None and not os.path.isdir(folder):
                error = elsewhere(self._metastore, self.datastore, run, f"The log of run {run}")
                if error is not None:
                    raise error
            reader = LogReader(folder)
            self._logs = {run: reader}
        return reader

    def log_lines(
        self, run: RunId, task: str, attempt: int, stream: str
    ) -> Iterator[tuple[float, bytes]]:
        """(Unix seconds, line without its line end) of 'stdout' or 'stderr', as printed."""
        for line in self.logs(run).lines(task, attempt, stream):
            yield line.at, line.text

    def log_size(self, run: RunId, task: str, attempt: int, stream: str) -> int:
        """Stored bytes of 'stdout' or 'stderr'."""
        return self.logs(run).size(task, attempt, stream)

    def close(self) -> None:
        """Close the database; values that were loaded stay valid."""
        self._metastore.close()

    def _loader(self) -> Artifacts:
        if self._artifacts is None:
            self._artifacts = self.data.artifacts(self._script)
        return self._artifacts


def open_place(place: Place, script: str = "") -> LocalStores:
    """The store at ``place``. Raises MetadataError when there is none, or no run was made."""
    opened = open_for_reading(place)
    return LocalStores(opened.place, opened.metastore, script)


def open_address(address: str | None) -> LocalStores:
    """The store at ``address``: a folder, its ``.swell``, its database, with or without
    ``sqlite@`` before it; the URL of a PostgreSQL database; None: the one in force.
    Raises MetadataError."""
    return open_place(place_at(address, load_settings(), os.getcwd()))


def place_at(address: str | None, settings: Settings, cwd: str) -> Place:
    """The folder that ``address`` means; it need not exist. Raises MetadataError."""
    if address is None:
        return find_place(settings, None, cwd)
    if is_postgres(address):
        url = with_password(address, settings)
        return find_place(structs.replace(settings, metadata=url), None, cwd)
    kind, mark, path = address.partition("@")
    if not mark or kind not in ADDRESS_TYPES:
        if "://" in address:
            raise MetadataError(
                f"Stores of the type '{address.partition('://')[0]}' cannot be opened.",
                remedy="Give the path of a .swell folder, or postgresql://user@host/database.",
            )
        path = address
    path = os.path.join(cwd, os.path.expanduser(path))
    if os.path.basename(path) == os.path.basename(Place(path).database):
        path = os.path.dirname(path)
    place = Place(os.path.normpath(path))
    inside = Place(os.path.join(place.root, FOLDER))
    return inside if inside.exists and not place.exists else place
