"""Hashes Blobs again, and says of each damaged or missing one who uses it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import NamedTuple

from swell.datastore.blobs import Blobs
from swell.datastore.chunk_work import cores
from swell.errors import DataDamaged, DataMissing
from swell.gc.references import BlobId, Use, uses_of_run
from swell.model.ids import RunId
from swell.seams.metastore import Metastore
from swell.seams.storage import Storage

_MOST_THREADS = 16
USES_TOLD = 20
"""So many uses of a Blob are kept."""

OpenStorage = Callable[[str | None], Storage]
"""The Storage that references of this name mean."""


class Where(NamedTuple):
    """A run, and what in it uses a Blob."""

    run: RunId
    use: Use

    def __str__(self) -> str:
        return f"{self.run}/{self.use.step}/{self.use.task} {self.use.name}"


class Checked(NamedTuple):
    """One Blob: its bytes of content, and what is wrong with it ('' for nothing)."""

    blob: BlobId
    size: int
    wrong: str = ""
    is_missing: bool = False


class Fault(NamedTuple):
    """A Blob that is damaged or missing; ``uses`` are all that use it, ``where`` the first."""

    checked: Checked
    where: tuple[Where, ...]
    uses: int


def check_all(blobs: Collection[BlobId], open_storage: OpenStorage) -> Iterator[Checked]:
    """Hash ``blobs`` on all cores, in the order they are finished.

    Raises StoreError for a store that cannot be read at all.
    """
    threads = min(_MOST_THREADS, cores())
    waiting = iter(sorted(blobs, key=lambda blob: (blob.store or "", blob.key)))
    stores = {store: Blobs(open_storage(store)) for store in {blob.store for blob in blobs}}
    # Threads, since hashing and reading release the interpreter.
    with ThreadPoolExecutor(threads, "swell-verify") as pool:
        running: set[Future[Checked]] = set()
        try:
            while True:
                more = islice(waiting, 2 * threads - len(running))
                running |= {pool.submit(_check, stores[blob.store], blob) for blob in more}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
        finally:
            pool.shutdown(cancel_futures=True)


def faults_of(wrong: Iterable[Checked], metastore: Metastore, runs: Iterable[RunId]) -> list[Fault]:
    """Who among ``runs`` uses what is wrong."""
    found: Mapping[BlobId, list[Where]] = {one.blob: [] for one in wrong}
    counts = dict.fromkeys(found, 0)
    for run in runs if found else ():
        for use in uses_of_run(metastore, run):
            if use.blob in found:
                counts[use.blob] += 1
                if len(found[use.blob]) < USES_TOLD:
                    found[use.blob].append(Where(run, use))
    return [Fault(one, tuple(found[one.blob]), counts[one.blob]) for one in wrong]


def _check(blobs: Blobs, blob: BlobId) -> Checked:
    try:
        opened = blobs.open(blob.key)
        opened.verify()
    except DataMissing as error:
        return Checked(blob, 0, error.message, is_missing=True)
    except DataDamaged as error:
        return Checked(blob, 0, error.message)
    return Checked(blob, opened.table.size)
