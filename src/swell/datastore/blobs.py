"""Blobs: content under its hash, written in one pass, read by mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from blake3 import blake3

from swell.datastore.blob_format import (
    CHUNK_BYTES,
    RAW,
    ZSTD,
    Section,
    Table,
    damaged,
    read_table,
    storage_key,
)
from swell.datastore.blob_writer import SAMPLE_FROM_BYTES, BlobWriter, MemoryDraft, compresses
from swell.datastore.serializers import Buffer, Serialized
from swell.errors import StoreError
from swell.seams.storage import Draft, DraftingStorage, Storage, SyncingStorage

LOCAL_RATIO = 8.0
"""In the local store a section is compressed only if a sample shrinks this much: a raw one
is mapped, and shared by all readers."""
REMOTE_RATIO = 1.5

RAW_ENCODING = "raw"
"""The encoding of a Blob that is plain bytes."""


class Blobs:
    """All Blobs of one Storage, under ``blobs/``."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._ratio = LOCAL_RATIO if isinstance(storage, DraftingStorage) else REMOTE_RATIO

    def save(self, value: Serialized) -> str:
        """Write a serialised value unless it is there; returns its key."""
        return self._save([value.stream, *((b,) for b in value.buffers)], value.encoding)

    def save_raw(self, data: Buffer) -> str:
        """Write plain bytes unless they are there; returns their key."""
        return self._save([(data,)], RAW_ENCODING)

    def writer(self, encoding: str) -> BlobWriter:
        """Begin a Blob whose sizes are not known yet."""
        return BlobWriter(self._storage, self._new_draft(CHUNK_BYTES + 1), encoding, None)

    def open(self, key: str) -> Blob:
        """Read the table of a Blob. Raises DataMissing, or StoreError when damaged."""
        return Blob(self, key, read_table(self._storage, key))

    def delete(self, keys: Collection[str]) -> None:
        """Delete Blobs; those that are not there are no error."""
        self._storage.delete([storage_key(key) for key in keys])

    def sync(self, keys: Iterable[str]) -> None:
        """Make Blobs durable, where the store does not do so by itself."""
        if isinstance(self._storage, SyncingStorage):
            self._storage.sync([storage_key(key) for key in keys])

    def _save(self, sections: Sequence[Sequence[Buffer]], encoding: str) -> str:
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

    def _codec(self, pieces: Sequence[Buffer], size: int) -> int:
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

    def __init__(self, blobs: Blobs, key: str, table: Table) -> None:
        self._blobs = blobs
        self._key = key
        self.table = table

    def sections(self) -> list[memoryview]:
        """The content of all sections; raw ones map the store's file copy-on-write."""
        data = self._blobs._read_exact(self._key, 0, self.table.file_size)
        return [
            self._unpack(section, data[section.offset : section.offset + section.stored])
            for section in self.table.sections
        ]

    def section(self, index: int) -> memoryview:
        """The content of one section."""
        section = self.table.sections[index]
        return self._unpack(
            section, self._blobs._read_exact(self._key, section.offset, section.stored)
        )

    def read(self, index: int, start: int, length: int) -> memoryview:
        """``length`` bytes of a raw section from its ``start``, and no others."""
        section = self.table.sections[index]
        if section.codec != RAW or start < 0 or start + length > section.size:
            raise damaged(self._blobs._what(self._key), "it ends before what was asked for")
        return self._blobs._read_exact(self._key, section.offset + start, length)

    def verify(self) -> None:
        """Hash all content. Raises StoreError naming the first damaged chunk."""
        for number, (section, data) in enumerate(
            zip(self.table.sections, self.sections(), strict=True)
        ):
            for index, chunk in enumerate(section.chunks):
                part = data[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
                if blake3(part).digest() != chunk.hash:
                    raise damaged(
                        self._blobs._what(self._key), f"chunk {index} of section {number}"
                    )

    def _unpack(self, section: Section, data: memoryview) -> memoryview:
        if section.codec == RAW:
            return data
        if section.codec != ZSTD:
            raise StoreError(
                f"{self._blobs._what(self._key)} uses codec {section.codec}, unknown here.",
                remedy="Update swell to the version that wrote it.",
            )
        import zstandard

        decompressor = zstandard.ZstdDecompressor()
        content = memoryview(bytearray(section.size))
        at = 0
        for index, chunk in enumerate(section.chunks):
            start = index * CHUNK_BYTES
            size = min(CHUNK_BYTES, section.size - start)
            try:
                part = decompressor.decompress(data[at : at + chunk.stored], max_output_size=size)
            except zstandard.ZstdError as error:
                raise damaged(self._blobs._what(self._key), str(error)) from error
            if len(part) != size:
                raise damaged(self._blobs._what(self._key), "a chunk has the wrong length")
            content[start : start + size] = part
            at += chunk.stored
        return content
