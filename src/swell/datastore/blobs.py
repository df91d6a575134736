"""Blobs: content under its hash, written in one pass, read by mapping."""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from blake3 import blake3

from swell.datastore.blob_format import (
    CHUNK_BYTES,
    PAGE_BYTES,
    RAW,
    ZSTD,
    Section,
    Table,
    damaged,
    is_whole,
    read_head,
    storage_key,
)
from swell.datastore.blob_writer import (
    SAMPLE_FROM_BYTES,
    THREADS_FROM_BYTES,
    BlobWriter,
    MemoryDraft,
    compresses,
)
from swell.datastore.local import MAP_FROM_BYTES, write_all
from swell.datastore.serializers import Serialized
from swell.datastore.streamed import PIECE_BYTES, Buffer, Content
from swell.errors import StoreError
from swell.seams.storage import (
    CopyingStorage,
    Draft,
    DraftingStorage,
    Mapped,
    MappingStorage,
    Storage,
    SweepableStorage,
    SyncingStorage,
)

if TYPE_CHECKING:
    from swell.datastore.file_content import OpenFile

LOCAL_RATIO = 8.0
"""In the local store a section is compressed only if a sample shrinks this much: a raw one
is mapped, and shared by all readers."""
REMOTE_RATIO = 1.5

RAW_ENCODING = "raw"
"""The encoding of a Blob that is plain bytes."""


class ReadableBlob(Protocol):
    """An opened Blob, wherever it is."""

    @property
    def table(self) -> Table: ...

    def sections(self) -> list[memoryview]:
        """The content of all sections."""
        ...

    def section(self, index: int) -> memoryview:
        """The content of one section."""
        ...

    def read(self, index: int, start: int, length: int) -> memoryview:
        """Part of a section."""
        ...

    def pieces(self, index: int) -> Iterator[memoryview]:
        """The content of a section, piece by piece."""
        ...

    def verify(self) -> None:
        """Hash all content. Raises StoreError naming the first damaged chunk."""
        ...


@runtime_checkable
class BlobOpening(Protocol):
    """A Storage that opens Blobs in a way of its own: checked, because they cross a network."""

    def open_blob(self, key: str) -> ReadableBlob:
        """See ``Blobs.open``."""
        ...


class Blobs:
    """All Blobs of one Storage, under ``blobs/``."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        # Asked once: each answer takes Python tens of microseconds.
        self._opening = storage if isinstance(storage, BlobOpening) else None
        self._mapping = storage if isinstance(storage, MappingStorage) else None
        self._ratio = LOCAL_RATIO if isinstance(storage, DraftingStorage) else REMOTE_RATIO

    @property
    def url(self) -> str:
        """The address of the store."""
        return self._storage.url

    def save(self, value: Serialized) -> str:
        """Write a serialised value unless it is there; returns its key."""
        return self._save([value.stream, *((b,) for b in value.buffers)], value.encoding)

    def save_raw(self, data: Buffer) -> str:
        """Write plain bytes unless they are there; returns their key."""
        return self._save([(data,)], RAW_ENCODING)

    def save_file(self, file: OpenFile) -> str:
        """Write the content of a file unless it is there; returns its key, which is that of
        the same plain bytes. Shared with the file where the file system can do that."""
        size = len(file)
        with BlobWriter(self._storage, self._new_draft(size), RAW_ENCODING, [size]) as writer:
            if size >= PAGE_BYTES and writer.adopt(file.fd, size):
                file.check_unchanged()
            else:
                # What is hashed before it is sent is gone through twice: mapped, not read.
                is_mapped = size > 0 and not isinstance(self._storage, DraftingStorage)
                content: Content = file.mapped() if is_mapped else file
                writer.begin(self._codec([content], size))
                writer.append([content])
                file.check_unchanged()
            return writer.finish()

    def copy_from(self, other: Blobs, key: str) -> None:
        """Write the Blob ``key`` of another store here, unless it is here. See ``rewrite_from``."""
        if not (self.refresh(key) and self.has(key)):
            self.rewrite_from(other, key)

    def rewrite_from(self, other: Blobs, key: str) -> None:
        """Write the Blob ``key`` of another store here, in the form that suits this store.

        Raises DataDamaged when its content there is not that of ``key``.
        """
        table = (blob := other.open(key)).table
        sizes = [section.size for section in table.sections]
        draft = self._new_draft(table.size)
        can_write_at_once = isinstance(self._storage, DraftingStorage)
        with BlobWriter(self._storage, draft, table.encoding, sizes) as writer:
            for index, size in enumerate(sizes):
                if can_write_at_once:
                    pays = table.sections[index].stored * self._ratio <= size
                    writer.begin(ZSTD if pays and size else RAW)
                    for piece in blob.pieces(index):
                        writer.append([piece])
                else:
                    content = blob.section(index)
                    writer.begin(self._codec([content], size))
                    writer.append([content])
            writer.finish(key, f"Blob {key} in {other.url}")

    def copy_to(self, key: str, fd: int) -> None:
        """Write the content of a Blob of plain bytes into an open, empty file."""
        blob = self.open(key)
        section = blob.table.sections[0]
        if (
            section.codec == RAW
            and isinstance(self._storage, CopyingStorage)
            and self._storage.copy_out(storage_key(key), section.offset, section.size, fd)
        ):
            return
        for piece in blob.pieces(0):
            write_all(fd, [piece])

    def scratch_folder(self) -> str | None:
        """A folder of the store's own file system for files of this process, if it has one."""
        return self._storage.scratch_folder() if isinstance(self._storage, CopyingStorage) else None

    def untouched(self, key: str) -> Sequence[Mapped]:
        """Where this process maps a Blob and never wrote to it; nothing where that cannot be
        told."""
        return () if self._mapping is None else self._mapping.untouched(storage_key(key))

    def has(self, key: str) -> bool:
        """Whether the Blob is here in its full length."""
        return is_whole(self._storage, key)

    def refresh(self, key: str) -> bool:
        """Make a Blob that is here count as written now; False where it has to be written
        for that."""
        storage = self._storage
        return not isinstance(storage, SweepableStorage) or storage.refresh(storage_key(key))

    def writer(self, encoding: str) -> BlobWriter:
        """Begin a Blob whose sizes are not known yet."""
        return BlobWriter(self._storage, self._new_draft(CHUNK_BYTES + 1), encoding, None)

    def open(self, key: str) -> ReadableBlob:
        """Read the table of a Blob. Raises DataMissing, or StoreError when damaged."""
        if self._opening is not None:
            return self._opening.open_blob(key)
        head = read_head(self._storage, key)
        return Blob(self, key, head.table, head.whole)

    def delete(self, keys: Collection[str]) -> None:
        """Delete Blobs; those that are not there are no error."""
        self._storage.delete([storage_key(key) for key in keys])

    def sync(self, keys: Iterable[str]) -> None:
        """Make Blobs durable, where the store does not do so by itself."""
        if isinstance(self._storage, SyncingStorage):
            self._storage.sync([storage_key(key) for key in keys])

    def _save(self, sections: Sequence[Sequence[Content]], encoding: str) -> str:
        sizes = [sum(len(piece) for piece in section) for section in sections]
        with BlobWriter(self._storage, self._new_draft(sum(sizes)), encoding, sizes) as writer:
            for pieces, size in zip(sections, sizes, strict=True):
                writer.begin(self._codec(pieces, size))
                writer.append(pieces)
            return writer.finish()

    def _new_draft(self, size: int) -> Draft:
        # Small content is hashed before it is written: equal values of many siblings
        # then cost no file. Large content is read from memory once.
        if size > CHUNK_BYTES and isinstance(self._storage, DraftingStorage):
            return self._storage.draft()
        return MemoryDraft(self._storage)

    def _codec(self, pieces: Sequence[Content], size: int) -> int:
        return ZSTD if size >= SAMPLE_FROM_BYTES and compresses(pieces, size, self._ratio) else RAW

    def _read_exact(self, key: str, start: int, length: int) -> memoryview:
        data = self._storage.read(storage_key(key), start, length)
        if len(data) != length:
            raise damaged(self._what(key), "it is shorter than its table says")
        return data

    def _what(self, key: str) -> str:
        return f"Blob {key} in {self._storage.url}"


class Blob:
    """An opened Blob: its table, and its content on request."""

    def __init__(self, blobs: Blobs, key: str, table: Table, whole: memoryview | None) -> None:
        self._blobs = blobs
        self._key = key
        self.table = table
        self._whole = whole

    def sections(self) -> list[memoryview]:
        """The content of all sections; raw ones map the store's file copy-on-write."""
        data = self._stored(0, self.table.file_size)
        return [
            self._unpack(section, data[section.offset : section.offset + section.stored])
            for section in self.table.sections
        ]

    def section(self, index: int) -> memoryview:
        """The content of one section."""
        section = self.table.sections[index]
        return self._unpack(section, self._stored(section.offset, section.stored))

    def read(self, index: int, start: int, length: int) -> memoryview:
        """``length`` bytes of a section from its ``start``, and no others; of a compressed
        one the chunks around them."""
        section = self.table.sections[index]
        if start < 0 or start + length > section.size:
            raise damaged(self._blobs._what(self._key), "it ends before what was asked for")
        if section.codec == RAW:
            return self._stored(section.offset + start, length)
        first = start // CHUNK_BYTES
        last = max(first, (start + length - 1) // CHUNK_BYTES)
        skipped = sum(chunk.stored for chunk in section.chunks[:first])
        chunks = section.chunks[first : last + 1]
        part = Section(
            min(section.size, (last + 1) * CHUNK_BYTES) - first * CHUNK_BYTES,
            section.offset + skipped,
            sum(chunk.stored for chunk in chunks),
            section.codec,
            chunks,
        )
        content = self._unpack(part, self._stored(part.offset, part.stored))
        return content[start - first * CHUNK_BYTES :][:length]

    def pieces(self, index: int) -> Iterator[memoryview]:
        """The content of a section, piece by piece."""
        size = self.table.sections[index].size
        is_raw = self.table.sections[index].codec == RAW
        stride = PIECE_BYTES if is_raw else CHUNK_BYTES
        for start in range(0, size, stride):
            yield self.read(index, start, min(stride, size - start))

    def verify(self) -> None:
        """Hash all content. Raises DataDamaged naming the first damaged chunk."""
        for number in range(len(self.table.sections)):
            self.verify_chunks(number)

    def verify_chunks(self, index: int, first: int = 0, count: int | None = None) -> None:
        """Hash chunks of a section, all behind ``first`` unless ``count`` is given. Raises
        DataDamaged naming the first damaged one."""
        from swell.datastore.chunk_work import Crew

        section = self.table.sections[index]
        numbers = range(len(section.chunks))[first:][:count]

        def is_whole(number: int) -> bool:
            start = number * CHUNK_BYTES
            data = self.read(index, start, min(CHUNK_BYTES, section.size - start))
            return bool(blake3(data).digest() == section.chunks[number].hash)

        with Crew() as crew:
            if section.size >= THREADS_FROM_BYTES and crew.threads > 1:
                # Few at once: what is compressed is unpacked for it.
                blocks = range(0, len(numbers), crew.threads)
                found = (
                    one.result()
                    for at in blocks
                    for one in [crew.submit(is_whole, n) for n in numbers[at : at + crew.threads]]
                )
            else:
                found = (is_whole(number) for number in numbers)
            for number, is_good in zip(numbers, found, strict=True):
                if not is_good:
                    what = self._blobs._what(self._key)
                    raise damaged(what, f"chunk {number} of section {index}")

    def _unpack(self, section: Section, data: memoryview) -> memoryview:
        if section.codec == RAW:
            return data
        if section.codec != ZSTD:
            raise StoreError(
                f"{self._blobs._what(self._key)} uses codec {section.codec}, unknown here.",
                remedy="Update swell to the version that wrote it.",
            )
        from swell.datastore.chunk_work import Crew, unpack

        content = _zeroed(section.size)
        at = 0
        with Crew() as crew:
            is_threaded = section.size >= THREADS_FROM_BYTES and crew.threads > 1
            found = []
            for index, chunk in enumerate(section.chunks):
                target = content[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
                packed = data[at : at + chunk.stored]
                at += chunk.stored
                if is_threaded:
                    found.append(crew.submit(unpack, chunk, packed, target))
                elif wrong := unpack(chunk, packed, target):
                    raise damaged(self._blobs._what(self._key), wrong)
            for one in found:
                if wrong := one.result():
                    raise damaged(self._blobs._what(self._key), wrong)
        return content

    def _stored(self, start: int, length: int) -> memoryview:
        if self._whole is not None:
            return self._whole[start : start + length]
        return self._blobs._read_exact(self._key, start, length)


def _zeroed(size: int) -> memoryview:
    if size < MAP_FROM_BYTES:
        return memoryview(bytearray(size))
    # Memory that costs nothing until it is touched, in large pages where the system has them.
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        try:
            memory.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            # Built without them.
            pass
    return memoryview(memory)
