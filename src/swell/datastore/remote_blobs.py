"""Blobs that cross a network: each chunk is checked by its hash before anything reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from blake3 import blake3

from swell.datastore.blob_format import (
    CHUNK_BYTES,
    RAW,
    ZSTD,
    Table,
    damaged,
    storage_key,
    unpack_prefix,
    unpack_table,
)
from swell.datastore.object_store import (
    PART_BYTES,
    Head,
    ObjectStorage,
    Span,
    anonymous_memory,
)
from swell.errors import StoreError

if TYPE_CHECKING:
    from swell.datastore.blobs import ReadableBlob
    from swell.datastore.cache import BlobCache

HEAD_BYTES = 256 * 1024
"""Read first: all of a small Blob, the table of nearly every other."""
WHOLE_BYTES = 2 * CHUNK_BYTES
"""Of a Blob up to this size all is fetched, even where only a part is asked for."""

Place = Callable[["Piece", memoryview], None]


class Piece(msgspec.Struct, frozen=True):
    """One chunk: its stored bytes are ``span`` of the file; its content belongs at
    ``offset`` of ``section`` and is ``size`` bytes long."""

    section: int
    number: int
    offset: int
    size: int
    span: Span
    codec: int
    hash: bytes


class _Opened(NamedTuple):
    table: Table
    head: Head


def open_remote(storage: ObjectStorage, cache: BlobCache | None, key: str) -> RemoteBlob:
    """Raises DataMissing for no such Blob, StoreError for a damaged one."""
    known = cache.table(key) if cache is not None else None
    if known is not None:
        return RemoteBlob(storage, cache, key, known, memoryview(b""))
    opened = _read_table(storage, key)
    if cache is not None and opened.table.size > WHOLE_BYTES:
        cache.keep_table(key, opened.table)
    return RemoteBlob(storage, cache, key, opened.table, opened.head.data)


class RemoteBlob:
    """Fills ``ReadableBlob``: whole Blobs are read into the cache and mapped from there."""

    def __init__(
        self,
        storage: ObjectStorage,
        cache: BlobCache | None,
        key: str,
        table: Table,
        head: memoryview,
    ) -> None:
        self._storage = storage
        self._cache = cache
        self._key = key
        self._head = head
        self.table = table

    def sections(self) -> list[memoryview]:
        """The content of all sections, to be written to privately."""
        kept = self._kept()
        if kept is not None:
            return kept.sections()
        content = [
            anonymous_memory(section.size) if section.size else memoryview(bytearray())
            for section in self.table.sections
        ]

        def place(piece: Piece, data: memoryview) -> None:
            content[piece.section][piece.offset : piece.offset + piece.size] = data

        self.fetch(place)
        return content

    def section(self, index: int) -> memoryview:
        """The content of one section."""
        return self.sections()[index]

    def read(self, index: int, start: int, length: int) -> memoryview:
        """Part of a section; of a large Blob only the chunks around it are fetched."""
        section = self.table.sections[index]
        if start < 0 or start + length > section.size:
            raise damaged(self._what, "it ends before what was asked for")
        if self.table.size <= WHOLE_BYTES:
            return self.section(index)[start : start + length]
        result = memoryview(bytearray(length))

        def place(piece: Piece, data: memoryview) -> None:
            begin = max(start, piece.offset)
            end = min(start + length, piece.offset + piece.size)
            result[begin - start : end - start] = data[begin - piece.offset : end - piece.offset]

        wanted = []
        for piece in pieces_of(self.table):
            reaches = piece.offset < start + length and piece.offset + piece.size > start
            if piece.section == index and reaches:
                kept = self._cache.chunk(piece.hash, piece.size) if self._cache else None
                if kept is not None:
                    place(piece, kept)
                else:
                    wanted.append(piece)

        def keep(piece: Piece, data: memoryview) -> None:
            place(piece, data)
            if self._cache is not None:
                self._cache.keep_chunk(piece.hash, data)

        self._fetch(wanted, keep)
        return result

    def pieces(self, index: int) -> Iterator[memoryview]:
        """The content of a section, piece by piece."""
        kept = self._kept()
        if kept is not None:
            yield from kept.pieces(index)
            return
        size = self.table.sections[index].size
        for start in range(0, size, CHUNK_BYTES):
            yield self.read(index, start, min(CHUNK_BYTES, size - start))

    def verify(self) -> None:
        """Read and hash all content; keeps nothing of it."""
        self.fetch(lambda piece, data: None)

    def fetch(self, place: Place) -> None:
        """Give the content of every chunk, checked, to ``place``, on several threads."""
        self._fetch(pieces_of(self.table), place)

    def _kept(self) -> ReadableBlob | None:
        """The Blob in the cache, fetched now if it is not there; None where it cannot be."""
        if self._cache is None or not self._cache.takes(self.table):
            return None
        return self._cache.fill(self._key, self.table, self.fetch)

    def _fetch(self, pieces: Iterable[Piece], place: Place) -> None:
        missing = []
        for piece in pieces:
            # A request for no bytes is refused.
            is_empty = piece.span.start == piece.span.end
            if is_empty or piece.span.end <= len(self._head):
                place(piece, self._checked(piece, self._head[slice(*piece.span)]))
            else:
                missing.append(piece)
        together = {Span(group[0].span.start, group[-1].span.end): group
                    for group in grouped(missing)}  # fmt: skip

        def take(span: Span, data: memoryview) -> None:
            for piece in together[span]:
                begin = piece.span.start - span.start
                place(piece, self._checked(piece, data[begin : piece.span.end - span.start]))

        if not together:
            return
        try:
            self._storage.fetch(storage_key(self._key), list(together), take)
        except StoreError:
            if self._cache is not None:
                self._cache.forget_table(self._key)
            raise

    def _checked(self, piece: Piece, stored: memoryview) -> memoryview:
        try:
            return self._content(piece, stored)
        except StoreError:
            # Bytes may be changed on their way, too: once more, before the Blob is accused.
            again: list[memoryview] = []
            self._storage.fetch(
                storage_key(self._key), [piece.span], lambda span, data: again.append(data)
            )
            return self._content(piece, again[0])

    def _content(self, piece: Piece, stored: memoryview) -> memoryview:
        data = stored
        if piece.codec == ZSTD:
            import zstandard

            try:
                data = memoryview(
                    zstandard.ZstdDecompressor().decompress(stored, max_output_size=piece.size)
                )
            except zstandard.ZstdError as error:
                raise damaged(self._what, str(error)) from error
        elif piece.codec != RAW:
            raise StoreError(
                f"{self._what} uses codec {piece.codec}, unknown here.",
                remedy="Update swell to the version that wrote it.",
            )
        if len(data) != piece.size or blake3(data).digest() != piece.hash:
            raise damaged(self._what, f"chunk {piece.number} of section {piece.section}")
        return data

    @property
    def _what(self) -> str:
        return f"Blob {self._key} in {self._storage.url}"


def pieces_of(table: Table) -> Iterator[Piece]:
    """The chunks of a Blob in the order of its file."""
    for index, section in enumerate(table.sections):
        at = section.offset
        for number, chunk in enumerate(section.chunks):
            offset = number * CHUNK_BYTES
            size = min(CHUNK_BYTES, section.size - offset)
            span = Span(at, at + chunk.stored)
            yield Piece(index, number, offset, size, span, section.codec, chunk.hash)
            at += chunk.stored


def grouped(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Neighbours that are read in one request, of about ``PART_BYTES`` at most."""
    group: list[Piece] = []
    for piece in pieces:
        if group and piece.span.end - group[0].span.start > PART_BYTES + HEAD_BYTES:
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def _read_table(storage: ObjectStorage, key: str) -> _Opened:
    name = storage_key(key)
    what = f"Blob {key} in {storage.url}"
    head = storage.read_head(name, 0, HEAD_BYTES)
    prefix = unpack_prefix(head.data, what)
    if prefix.file_size != head.size:
        raise damaged(what, f"it should be {prefix.file_size:,} bytes long, not {head.size:,}")
    start, end = prefix.table_offset, prefix.table_offset + prefix.table_size
    data = head.data[start:end] if end <= len(head.data) else storage.read(name, start, end - start)
    table = unpack_table(prefix, head.data, data, what)
    if table.key != key:
        raise damaged(what, f"its table is that of {table.key}")
    return _Opened(table, head)
