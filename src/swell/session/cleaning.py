"""What there is to clean and to check: the stores of one database, and who else uses them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from swell.client.whereabouts import datastore_of
from swell.errors import MetadataError, SwellError, UsageError
from swell.gc.choice import ended_at
from swell.gc.leftovers import RunFolders, objects_of
from swell.gc.references import BlobId
from swell.gc.sweep import BLOBS, Cleaner, Ground, blob_at
from swell.model.facts import RunFact, RunStatus
from swell.model.ids import PARAMETERS_STEP, RunId
from swell.seams.clock import Clock
from swell.seams.metastore import Metastore
from swell.seams.storage import Storage
from swell.session.databases import open_for_reading, with_password
from swell.session.datastores import Datastores, datastore_url
from swell.session.liveness import SILENCE_S, is_lost
from swell.session.place import Place
from swell.settings import Settings

if TYPE_CHECKING:
    from swell.session.reading import LocalStores

SILENT_S = 3600.0
"""A driver on another machine counts as working for so long after its last sign of life: it
may wait for the database."""
DETACHED_S = 30 * 86400.0
"""What an engine has of a run whose driver is gone counts as working for so long after it told
something."""
_OWN = "metadata.db"


class Site(NamedTuple):
    """What one command cleans or checks.

    ``spared`` says why Blobs in the store folder cannot be cleaned; '' if they can. ``away``
    are the object stores of runs that cannot be asked, and why.
    """

    metastore: Metastore
    place: Place
    data: Datastores
    cleaner: Cleaner
    home: Ground
    spared: str
    away: Mapping[str, SwellError]

    def open_storage(self, store: str | None) -> Storage:
        """The Storage that references of this name mean; nothing comes from a cache."""
        return self.data.of(store)

    def grounds(self) -> list[Ground]:
        """All places of Blobs, to be looked at."""
        return [self.home, *(ground for ground in self.cleaner.grounds if ground.store)]

    def listed(self) -> dict[BlobId, int]:
        """Stored bytes of all Blobs that are here or in the database's own prefixes."""
        return {
            blob_at(ground.store, entry.key): entry.size
            for ground in self.grounds()
            for entry in ground.storage.list(BLOBS)
        }

    def has_driver(self, run: RunFact) -> bool:
        """Whether a driver works on ``run``, or may."""
        return has_driver(run, time.time())

    def left_on(self, run: RunFact) -> str | None:
        """The machine on which a run left its log, if that is not this one."""
        return run.host if run.host and run.host != os.uname().nodename else None

    def is_elsewhere(self, run: RunId) -> str | None:
        """Where the Blobs of a run are that are on another machine; None if they are here."""
        fact = self.metastore.run(run)
        place = datastore_of(self.metastore.attempts(run, PARAMETERS_STEP))
        if fact is None or place is None or "://" in place:
            return None
        if fact.host == os.uname().nodename and place == self.place.blobs:
            return None
        return f"{fact.host}:{place}"


@contextmanager
def open_site(stores: LocalStores, settings: Settings, clock: Clock = time.time) -> Iterator[Site]:
    """Everything that the runs of ``stores`` left. Raises SwellError.

    An object store that only runs tell of may be gone: it is left out.
    """
    place = stores.place
    metastore = stores.metastore
    # Read past the cache: what is checked and cleaned is the store itself.
    data = Datastores(place.blobs, None, structs.replace(settings, cache_gb="0"), None)
    with ExitStack() as opened:
        sharers, spared = _sharers(place, metastore, settings, opened)
        home = Ground(None, data.home, tuple(sharers))
        given = datastore_url(settings, metastore.store_id)
        far, away = _asked(data, sorted(_own_urls(metastore, given)), given)
        cleaner = Cleaner(
            metastore,
            [*([] if spared else [home]), *far],
            RunFolders(
                os.path.join(place.logs, place.scope),
                os.path.join(place.root, "scratch", place.scope),
            ),
            lambda run: goes_on(run, far, clock()) or _may_go_on(metastore, run, away, clock()),
            grace_s=grace_s(settings),
            clock=clock,
        )
        yield Site(metastore, place, data, cleaner, home, spared, away)


def goes_on(run: RunFact, far: list[Ground], now: float) -> bool:
    """Whether a run's driver works, or an engine may still have jobs of it."""
    if run.status not in (RunStatus.RUNNING, RunStatus.DETACHED):
        return False
    if has_driver(run, now):
        return True
    return any(
        now - entry.modified_at < DETACHED_S
        for ground in far
        for entry in objects_of(ground.storage, run.id)
        if entry.key.startswith("runs/")
    )


def _may_go_on(
    metastore: Metastore, run: RunFact, away: Mapping[str, SwellError], now: float
) -> bool:
    """Whether a run that nobody ended has its news where nobody can look."""
    if not away or run.status not in (RunStatus.RUNNING, RunStatus.DETACHED):
        return False
    is_away = datastore_of(metastore.attempts(run.id, PARAMETERS_STEP)) in away
    return is_away and now - ended_at(run) < DETACHED_S


def has_driver(run: RunFact, now: float) -> bool:
    """Whether a driver works on a run, or may: on another machine a silence says little."""
    silent = run.status is RunStatus.RUNNING and is_lost(run, now=now - SILENT_S + SILENCE_S)
    return run.status is RunStatus.RUNNING and not silent


def grace_s(settings: Settings) -> float:
    """Raises UsageError for a setting that is no number of hours."""
    try:
        hours = float(settings.gc_grace_hours)
    except ValueError:
        hours = -1.0
    if 0 <= hours < float("inf"):
        return hours * 3600
    raise UsageError(
        f"SWELL_GC_GRACE_HOURS is '{settings.gc_grace_hours}', which is no number of hours.",
        remedy="Set it to one such as 24.",
    )


def _asked(
    data: Datastores, urls: Sequence[str], given: str | None
) -> tuple[list[Ground], dict[str, SwellError]]:
    """The object stores that answer, and why others do not. Raises StoreError for ``given``."""
    far: list[Ground] = []
    away: dict[str, SwellError] = {}
    for url in urls:
        try:
            ground = Ground(url, data.open(url))
            next(iter(ground.storage.list(BLOBS)), None)
        except SwellError as error:
            if url == given:
                raise
            away[url] = error
        else:
            far.append(ground)
    return far, away


def _own_urls(metastore: Metastore, given: str | None) -> set[str]:
    """The object stores in which this database has a prefix, as far as runs or settings tell.

    Only what ends in the database's own id is its own.
    """
    found = {given}
    for run in metastore.runs():
        found.add(datastore_of(metastore.attempts(run.id, PARAMETERS_STEP)))
    return {
        url
        for url in found
        if url is not None and "://" in url and url.rpartition("/")[2] == metastore.store_id
    }


def _sharers(
    place: Place, metastore: Metastore, settings: Settings, opened: ExitStack
) -> tuple[list[Metastore], str]:
    """The other databases whose runs have Blobs in the store folder; or why one cannot be
    asked."""
    sharers: list[Metastore] = []
    for store_id, address in _noted(place):
        if store_id == metastore.store_id:
            continue
        try:
            other = _open_other(place, store_id, address, settings)
        except SwellError as error:
            note = os.path.join(place.databases, store_id)
            return [], (
                f"Runs of another database, {address or store_id}, have artifacts in "
                f"{place.blobs} too, and it cannot be asked which: {error.message} "
                f"If it is gone for good, delete {note}."
            )
        opened.callback(other.close)
        sharers.append(other)
    return sharers, ""


def _noted(place: Place) -> Iterator[tuple[str, str]]:
    """(id, address) of the databases whose runs have left something here."""
    if place.scope and os.path.exists(place.database):
        yield _OWN, place.database
    try:
        names = sorted(os.listdir(place.databases))
    except OSError:
        names = []
    for name in names:
        if name.endswith("~"):
            continue
        try:
            with open(os.path.join(place.databases, name), encoding="utf-8") as note:
                yield name, note.read().strip()
        except (OSError, UnicodeDecodeError):
            yield name, ""


def _open_other(place: Place, store_id: str, address: str, settings: Settings) -> Metastore:
    if store_id == _OWN:
        return open_for_reading(Place(place.root)).metastore
    url = with_password(address, settings)
    other = open_for_reading(Place(place.root, metadata=url)).metastore
    if other.store_id != store_id:
        other.close()
        raise MetadataError("Another database answers at that address now.")
    return other
