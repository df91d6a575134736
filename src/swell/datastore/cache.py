"""Blobs that were read from a network, kept uncompressed on this machine up to a size limit."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from swell.datastore.blob_format import (
    PAGE_BYTES,
    PREFIX_BYTES,
    RAW,
    Chunk,
    Section,
    Table,
    pack_head,
    storage_key,
    table_size,
    unpack_prefix,
    unpack_table,
)
from swell.datastore.blobs import Blobs, ReadableBlob
from swell.datastore.local import REFRESH_AFTER_S, LocalStorage
from swell.datastore.object_store import ObjectStorage
from swell.datastore.object_sweep import SWEPT, YOUNG_S, outlasts_sweeps, sweep, write_anew
from swell.datastore.remote_blobs import Piece, Place, open_remote, pieces_of
from swell.errors import DataMissing, StoreError
from swell.seams.clock import Clock
from swell.seams.storage import Entry

SWEEP_EVERY_S = 60.0
_LOCK_LIMIT_S = 600.0
_LOCK_POLL_S = 0.02
_LOCK_FROM_BYTES = 1 << 20
_VERIFIED_BYTES = 1 << 20  # hashed in half a millisecond
_SWEPT_TO = 0.9
_OLD_DRAFT_S = 3600.0

Fetch = Callable[[Place], None]


class BlobCache:
    """Files in ``folder``, ``limit`` bytes together; what was not used for longest goes first.

    Content stands under its hash, whatever store it came from. Safe for many processes: a
    file is there whole or not at all, one that is deleted while it is mapped stays readable,
    and of several that want the same large Blob one fetches it. The limit is kept within
    what is written in a minute.
    With ``verifies`` a file is hashed when this object first opens it, whatever its size.
    """

    def __init__(self, folder: str, limit: int, *, verifies: bool = False) -> None:
        self._folder = folder
        self._limit = limit
        self._verified: set[str] | None = set() if verifies else None
        self._files = LocalStorage(folder)
        self._blobs = Blobs(self._files)
        self._written = 0
        self._lock = threading.Lock()

    def takes(self, table: Table) -> bool:
        """Whether a Blob is small enough to be kept."""
        return table.size <= self._limit // 2

    def open(self, key: str) -> ReadableBlob | None:
        """A Blob that is kept; a damaged one is dropped."""
        try:
            blob = self._blobs.open(key)
            if blob.table.size <= _VERIFIED_BYTES:
                blob.verify()
            elif self._verified is not None and key not in self._verified:
                blob.verify()
                self._verified.add(key)
        except DataMissing:
            return None
        except StoreError:
            self._drop(storage_key(key))
            return None
        self._touch(storage_key(key))
        return blob

    def fill(self, key: str, table: Table, fetch: Fetch) -> ReadableBlob | None:
        """Keep a Blob whose content ``fetch`` gives; None where it cannot be kept."""
        with self._locked(key, table.size):
            kept = self.open(key)
            if kept is not None:
                return kept
            raw = uncompressed(table)
            prefix, body = pack_head(raw, PREFIX_BYTES)
            try:
                draft = self._files.draft()
            except StoreError:
                return None
            with draft:
                failed: list[StoreError] = []

                def put(offset: int, data: bytes | memoryview) -> None:
                    try:
                        draft.overwrite(offset, data)
                    except StoreError as error:
                        failed.append(error)
                        raise

                def place(piece: Piece, data: memoryview) -> None:
                    put(raw.sections[piece.section].offset + piece.offset, data)

                try:
                    put(raw.file_size - 1, b"\0")
                    put(0, prefix + body)
                    fetch(place)
                    draft.commit(storage_key(key))
                except StoreError:
                    # A full disk here is no reason to fail; what fetch raised is.
                    if failed:
                        return None
                    raise
        self._wrote(raw.file_size)
        return self.open(key)

    def table(self, key: str) -> Table | None:
        """The table of a Blob that was opened before, as it stands in its store."""
        try:
            data = self._files.read(_table_key(key))
            prefix = unpack_prefix(data, key)
            table = unpack_table(prefix, data, data[PREFIX_BYTES:], key)
        except StoreError:
            return None
        return table if table.key == key else None

    def keep_table(self, key: str, table: Table) -> None:
        """Keep a table, if it can be."""
        try:
            self._files.write(_table_key(key), pack_head(table, PREFIX_BYTES))
        except StoreError:
            return

    def forget_table(self, key: str) -> None:
        """A Blob may have been deleted and written anew with another layout."""
        self._drop(_table_key(key))

    def chunk(self, digest: bytes, size: int) -> memoryview | None:
        """The content of one chunk that is kept."""
        name = _chunk_key(digest)
        try:
            data = self._files.read(name)
        except StoreError:
            return None
        if len(data) != size:
            self._drop(name)
            return None
        self._touch(name)
        return data

    def keep_chunk(self, digest: bytes, data: memoryview) -> None:
        """Keep the content of one chunk, if it can be."""
        try:
            self._files.write(_chunk_key(digest), [data])
        except StoreError:
            return
        self._wrote(len(data))

    def sweep(self) -> int:
        """Delete what was not used for longest until the limit is kept; bytes deleted."""
        kept = sorted(self._files.list(""), key=lambda entry: entry.modified_at)
        total = sum(entry.size for entry in kept)
        self._files.delete_drafts(time.time() - _OLD_DRAFT_S)
        if total <= self._limit:
            return 0
        gone: list[Entry] = []
        for entry in kept:
            if total <= self._limit * _SWEPT_TO:
                break
            gone.append(entry)
            total -= entry.size
        self._files.delete([entry.key for entry in gone])
        return sum(entry.size for entry in gone)

    def _wrote(self, size: int) -> None:
        with self._lock:
            self._written += size
            is_much = self._written > self._limit // 20
            if is_much:
                self._written = 0
        if is_much or self._is_long_ago():
            try:
                with open(os.path.join(self._folder, ".swept"), "ab") as mark:
                    if not _try_lock(mark.fileno()):
                        return
                    os.utime(mark.name)
                    self.sweep()
            except (OSError, StoreError):
                # Another user's file, or a disk in trouble: the cache is a convenience.
                return

    def _is_long_ago(self) -> bool:
        try:
            swept = os.stat(os.path.join(self._folder, ".swept")).st_mtime
        except OSError:
            return True
        return time.time() - swept > SWEEP_EVERY_S

    def _drop(self, name: str) -> None:
        try:
            self._files.delete([name])
        except StoreError:
            # What cannot be deleted is refused again the next time.
            return

    def _touch(self, name: str) -> None:
        try:
            os.utime(os.path.join(self._folder, name))
        except OSError:
            pass

    @contextmanager
    def _locked(self, key: str, size: int) -> Iterator[None]:
        """Let one process fetch a large Blob, and the others wait for it."""
        if size < _LOCK_FROM_BYTES:
            yield
            return
        folder = os.path.join(self._folder, ".locks")
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            lock = os.open(os.path.join(folder, key[:3]), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        except OSError:
            yield
            return
        try:
            deadline = time.monotonic() + _LOCK_LIMIT_S
            while not _try_lock(lock) and time.monotonic() < deadline:
                time.sleep(_LOCK_POLL_S)
            yield
        finally:
            os.close(lock)


class CachedStorage:
    """An object store whose Blobs are checked as they come, and kept in ``cache`` if any.

    Keys that are no Blobs go straight through.
    """

    def __init__(
        self,
        storage: ObjectStorage,
        cache: BlobCache | None,
        clock: Clock = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._storage = storage
        self._cache = cache
        self._clock = clock
        self._sleep = sleep

    @property
    def url(self) -> str:
        """The object store's."""
        return self._storage.url

    def open_blob(self, key: str) -> ReadableBlob:
        """See ``blobs.BlobOpening``."""
        kept = self._cache.open(key) if self._cache is not None else None
        return kept or open_remote(self._storage, self._cache, key)

    def write(self, key: str, buffers: Sequence[bytes | memoryview]) -> bool:
        """See Storage."""
        if self._storage.write(key, buffers):
            return True
        if key.startswith(SWEPT) and not self.refresh(key):
            write_anew(self._storage, key, buffers, sleep=self._sleep)
        return False

    def entry(self, key: str) -> Entry | None:
        """See UploadingStorage."""
        return self._storage.entry(key)

    def upload(
        self,
        key: str,
        buffers: Sequence[bytes | memoryview],
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """See UploadingStorage."""
        if key.startswith(SWEPT) and self._storage.entry(key) is not None:
            write_anew(self._storage, key, buffers, progress, sleep=self._sleep)
        else:
            self._storage.upload(key, buffers, progress)

    def refresh(self, key: str) -> bool:
        """See SweepableStorage. What is half a day old is to be written anew."""
        entry = self._storage.entry(key)
        if entry is None or self._clock() - entry.modified_at > REFRESH_AFTER_S:
            return False
        if self._clock() - entry.modified_at > YOUNG_S:
            return True
        # It may be young since somebody writes anew what a sweep had found old.
        return outlasts_sweeps(self._storage, key, self._clock(), sleep=self._sleep)

    def delete_older(self, keys: Collection[str], before: float) -> Sequence[str]:
        """See SweepableStorage."""
        return sweep(self._storage, keys, before, sleep=self._sleep)

    def read(self, key: str, start: int = 0, length: int | None = None) -> memoryview:
        """See Storage."""
        return self._storage.read(key, start, length)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """See Storage."""
        return self._storage.list(prefix, after)

    def delete(self, keys: Collection[str]) -> None:
        """See Storage. What is kept here stays readable until the cache needs its place."""
        self._storage.delete(keys)


def uncompressed(table: Table) -> Table:
    """The table of the same content with every section raw and in its place."""
    chunks = sum(len(section.chunks) for section in table.sections)
    at = PREFIX_BYTES + table_size(len(table.sections), chunks)
    own_chunks: list[list[Chunk]] = [[] for _ in table.sections]
    for piece in pieces_of(table):
        own_chunks[piece.section].append(Chunk(piece.size, piece.hash))
    sections = []
    for section, own in zip(table.sections, own_chunks, strict=True):
        at += -at % (PAGE_BYTES if section.size >= PAGE_BYTES else 64)
        sections.append(Section(section.size, at, section.size, RAW, tuple(own)))
        at += section.size
    return msgspec.structs.replace(table, sections=tuple(sections), file_size=at)


def _table_key(key: str) -> str:
    return f"tables/{key[:2]}/{key}"


def _chunk_key(digest: bytes) -> str:
    text = digest.hex()
    return f"chunks/{text[:2]}/{text}"


def _try_lock(fd: int) -> bool:
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
