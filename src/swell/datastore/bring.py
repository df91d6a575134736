"""Brings Blobs from one store into another: what attempts elsewhere will read, once.

A Blob keeps its key, which is the hash of its content, whatever form it has in either store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from blake3 import blake3

from swell.datastore.blob_format import (
    CHUNK_BYTES,
    RAW,
    ZSTD,
    Table,
    damaged,
    is_whole,
    read_table,
    storage_key,
)
from swell.datastore.blob_writer import SAMPLE_FROM_BYTES, compresses
from swell.datastore.blobs import REMOTE_RATIO, Blobs
from swell.datastore.local import REFRESH_AFTER_S
from swell.datastore.object_store import PART_BYTES
from swell.datastore.packs import open_pack
from swell.datastore.remote_blobs import Piece, pieces_of
from swell.datastore.spread import spread
from swell.model.job import Launch
from swell.model.record import ArtifactRef, ItemRef, Items
from swell.model.wire import decode_record
from swell.seams.storage import Storage, SweepableStorage, SyncingStorage, UploadingStorage

REMEMBERED_S = 6 * 3600.0
"""What was seen in the target is looked for again after this: a cleaner may take what nothing
refers to there once it is a day old."""
REPACKED_BYTES = 4 * CHUNK_BYTES
"""A larger Blob goes as it is: packed anew it would have to be held in memory."""

_THREADS = 8
_FIRST_TOLD_S = 2.0
_TOLD_EVERY_S = 10.0

Say = Callable[[str], None]


# --- which ----------------------------------------------------------------------------


def keys_at_home(refs: Iterable[ArtifactRef | Items | ItemRef]) -> set[str]:
    """The Blobs of ``refs`` that name no store: those in the home folder. Files in them too."""
    found: set[str] = set()
    for ref in refs:
        if ref.store is None:
            found.update(ref.files)
            if ref.key is not None:
                found.add(ref.key)
    return found


def keys_of_records(records: Iterable[bytes]) -> set[str]:
    """The Blobs in the home folder that encoded Records name."""
    found: set[str] = set()
    # Children of one parent are given the same Record.
    for record in set(records):
        found |= keys_at_home(decode_record(record).artifacts.values())
    return found


def keys_of_launches(
    launches: Iterable[Launch],
    parameters: bytes,
    read_pack: Callable[[str], Sequence[bytes]] = open_pack,
) -> set[str]:
    """The Blobs in the home folder that ``launches`` may read; ``parameters`` is the Record
    that all tasks of the run share."""
    records = {parameters}
    packs: set[str] = set()
    refs: set[Items | ItemRef] = set()
    for launch in launches:
        records.update(launch.inputs.records)
        if launch.inputs.pack is not None:
            packs.add(launch.inputs.pack)
        if launch.inputs.opened is not None:
            refs.add(launch.inputs.opened.items)
        refs.update(frame.item for frame in launch.stack)
    for path in packs:
        records.update(read_pack(path))
    return keys_of_records(records) | keys_at_home(refs)


# --- how ------------------------------------------------------------------------------


class _Wanted(NamedTuple):
    key: str
    table: Table


class Bringer:
    """Brings Blobs from ``source`` into ``target``; remembers what it saw there.

    ``say`` is told how far it is when that takes more than two seconds. ``bring`` is for one
    thread at a time.
    """

    def __init__(
        self,
        source: Storage,
        target: Storage,
        say: Say,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._target = target
        self._say = say
        self._clock = clock
        self._seen: dict[str, float] = {}

    def bring(self, keys: Collection[str]) -> int:
        """Put those of ``keys`` into the target that it lacks; returns the bytes of content.

        What was brought before an error stays, whole, and is not sent again. Raises DataMissing
        for a Blob that the source does not have, DataDamaged for one that is not what its key
        says, StoreError when the target cannot be written.
        """
        now = self._clock()
        unknown = sorted(
            key for key in set(keys) if now - self._seen.get(key, -1e18) > REMEMBERED_S
        )
        wanted = [
            found
            for found in spread(self._look_for, unknown, _threads(unknown))
            if found is not None
        ]
        progress = _Progress(wanted, self._source.url, self._target.url, self._say, self._clock)
        small = [one for one in wanted if one.table.size <= PART_BYTES]
        for one in spread(self._send, small, _threads(small)):
            progress.add(one.table.size)
            progress.end_one()
        for one in sorted(set(wanted) - set(small), key=lambda one: one.table.size):
            # In parts, several at once, by itself.
            self._send(one, progress.add)
            progress.end_one()
        if isinstance(self._target, SyncingStorage):
            self._target.sync([storage_key(one.key) for one in wanted])
        progress.end()
        return progress.total

    def _look_for(self, key: str) -> _Wanted | None:
        if self._has(key):
            self._seen[key] = self._clock()
            return None
        return _Wanted(key, read_table(self._source, key))

    def _has(self, key: str) -> bool:
        if not isinstance(self._target, UploadingStorage):
            return is_whole(self._target, key)
        if isinstance(self._target, SweepableStorage):
            return self._target.refresh(storage_key(key))
        entry = self._target.entry(storage_key(key))
        # An old one is sent again, so that no cleaner takes it for forgotten.
        return entry is not None and time.time() - entry.modified_at <= REFRESH_AFTER_S

    def _send(self, wanted: _Wanted, progress: Callable[[int], None] | None = None) -> _Wanted:
        key = wanted.key
        if wanted.table.size <= REPACKED_BYTES and self._shrinks(wanted):
            Blobs(self._target).rewrite_from(Blobs(self._source), key)
        else:
            data = self._checked(wanted)
            scaled = _scaled(progress, wanted.table.size, len(data))
            if isinstance(self._target, UploadingStorage):
                self._target.upload(storage_key(key), [data], scaled)
            else:
                self._target.write(storage_key(key), [data])
        self._seen[key] = self._clock()
        return wanted

    def _shrinks(self, wanted: _Wanted) -> bool:
        """Whether a store behind a network keeps this compressed, and the source does not."""
        blob = Blobs(self._source).open(wanted.key)
        return any(
            section.codec == RAW
            and section.size >= SAMPLE_FROM_BYTES
            and compresses([blob.section(index)], section.size, REMOTE_RATIO)
            for index, section in enumerate(wanted.table.sections)
        )

    def _checked(self, wanted: _Wanted) -> memoryview:
        """The Blob as the source stores it; every chunk was hashed."""
        data = self._source.read(storage_key(wanted.key))
        what = f"Blob {wanted.key} in {self._source.url}"
        for piece in pieces_of(wanted.table):
            wrong = _wrong_with(piece, data[piece.span.start : piece.span.end])
            if wrong:
                raise damaged(what, f"{wrong} (chunk {piece.number} of section {piece.section})")
        return data


def _wrong_with(piece: Piece, stored: memoryview) -> str | None:
    content: bytes | memoryview = stored
    if piece.codec == ZSTD:
        import zstandard

        try:
            content = zstandard.ZstdDecompressor().decompress(stored, max_output_size=piece.size)
        except zstandard.ZstdError as error:
            return str(error)
    if len(content) != piece.size or blake3(content).digest() != piece.hash:
        return "it does not match its hash"
    return None


def _scaled(
    progress: Callable[[int], None] | None, size: int, stored: int
) -> Callable[[int], None] | None:
    """Tells bytes of content, where stored bytes are sent."""
    if progress is None or not stored:
        return None
    return lambda sent: progress(sent * size // stored)


def _threads(items: Sequence[object]) -> int:
    return min(_THREADS, len(items))


class _Progress:
    """Says how far it is: first after two seconds, then every ten, and at the end."""

    def __init__(
        self,
        wanted: Sequence[_Wanted],
        source: str,
        target: str,
        say: Say,
        clock: Callable[[], float],
    ) -> None:
        self.total = sum(one.table.size for one in wanted)
        self._count = len(wanted)
        self._between = f"from {source} to {target}"
        self._say = say
        self._clock = clock
        self._began = clock()
        self._told_at: float | None = None
        self._sent = 0
        self._ended = 0

    def add(self, size: int) -> None:
        """So many bytes more are on their way."""
        self._sent += size
        now = self._clock()
        is_due = (
            now - self._began >= _FIRST_TOLD_S
            if self._told_at is None
            else now - self._told_at >= _TOLD_EVERY_S
        )
        if is_due:
            self._told_at = now
            self._say(
                f"Artifacts {self._between}: {_mb(self._sent)} of {_mb(self.total)} MB, "
                f"{self._ended:,} of {self._count:,}."
            )

    def end_one(self) -> None:
        """One more is there."""
        self._ended += 1

    def end(self) -> None:
        """All are there."""
        if self._told_at is not None:
            self._say(
                f"Artifacts {self._between}: {_mb(self.total)} MB, all {self._count:,}, in "
                f"{self._clock() - self._began:.0f} s."
            )


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f}"
