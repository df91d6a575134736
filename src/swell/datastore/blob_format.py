"""The layout of a Blob: a prefix, a table of sections and chunks, the sections' bytes.

Content is a list of *sections* (a pickle stream and its buffers; or one section of plain
bytes). Each section is cut into *chunks* of 16 MB, the last one shorter. A chunk is stored
raw or as one zstd frame, and has its own hash: chunks can be read, checked and unpacked
apart and side by side. All numbers are little-endian.

    prefix    64 bytes  magic, version, flags, sections, chunks, table offset, table length,
                        content length, file length, 8 zero bytes
    table     32 bytes  encoding, ASCII, zero-padded
              32 bytes  a section: content length, offset, stored length, codec
              40 bytes  a chunk: stored length, BLAKE3 of its content; in order of sections
              32 bytes  BLAKE3 of the prefix and the table up to here
    sections            raw ones of 4 kB and more begin at a page, others at 64 bytes

The table follows the prefix where sizes are known beforehand, else it ends the file.

The *key* of content that is one chunk is the BLAKE3 of that content. Of larger content it is
the BLAKE3, in its own key space, of the sections' lengths and the chunks' hashes, so that
each chunk that was read alone is proven by the key.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec
from blake3 import blake3

from swell.errors import DataDamaged, StoreError
from swell.seams.storage import Storage

VERSION = 1
CHUNK_BYTES = 16 << 20
PAGE_BYTES = 4096
PREFIX_BYTES = 64
RAW = 0
ZSTD = 1

_MAGIC = b"swelBLOB"
_KEY_SPACE = "swell 2026 blob: section lengths and chunk hashes"
_PREFIX = struct.Struct("<8sHHIIIQQQQ8x")
_ENCODING = struct.Struct("<32s")
_SECTION = struct.Struct("<QQQQ")
_CHUNK = struct.Struct("<Q32s")
_HASH_BYTES = 32
# The table in front of 12 GB, or all of a small Blob, in one read.
_HEAD_READ_BYTES = 32 * 1024


class Chunk(msgspec.Struct, frozen=True):
    """Bytes as stored, and the BLAKE3 of the content they hold."""

    stored: int
    hash: bytes


class Section(msgspec.Struct, frozen=True):
    """A run of content: ``size`` bytes that stand as ``stored`` bytes at ``offset``."""

    size: int
    offset: int
    stored: int
    codec: int
    chunks: tuple[Chunk, ...]


class Table(msgspec.Struct, frozen=True):
    """All that is known of a Blob without reading its content."""

    encoding: str
    sections: tuple[Section, ...]
    file_size: int

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(section.size for section in self.sections)

    @property
    def key(self) -> str:
        """The key that this content has."""
        return content_key([(s.size, [c.hash for c in s.chunks]) for s in self.sections])


class Prefix(msgspec.Struct, frozen=True):
    """Where the table is, and how long the file must be."""

    sections: int
    chunks: int
    table_offset: int
    table_size: int
    size: int
    file_size: int


def storage_key(key: str) -> str:
    """Where the Blob ``key`` is in its Storage; 256 folders keep listings short."""
    return f"blobs/{key[:2]}/{key}"


def content_key(sections: list[tuple[int, list[bytes]]]) -> str:
    """The key of content given as (length, chunk hashes) a section."""
    if len(sections) == 1 and len(sections[0][1]) == 1:
        return sections[0][1][0].hex()
    state = blake3(derive_key_context=_KEY_SPACE)
    state.update(struct.pack("<Q", len(sections)))
    for size, hashes in sections:
        state.update(struct.pack("<Q", size) + b"".join(hashes))
    return state.hexdigest()


def table_size(sections: int, chunks: int) -> int:
    """Bytes that a table of so many entries takes."""
    return _ENCODING.size + sections * _SECTION.size + chunks * _CHUNK.size + _HASH_BYTES


def chunk_count(size: int) -> int:
    """Chunks of a section of ``size`` bytes; an empty one has one empty chunk."""
    return max(1, -(-size // CHUNK_BYTES))


def pack_head(table: Table, table_offset: int) -> tuple[bytes, bytes]:
    """Prefix and table as bytes."""
    chunks = [chunk for section in table.sections for chunk in section.chunks]
    size = table_size(len(table.sections), len(chunks))
    prefix = _PREFIX.pack(
        _MAGIC, VERSION, 0, len(table.sections), len(chunks), 0,
        table_offset, size, table.size, table.file_size,
    )  # fmt: skip
    body = b"".join(
        (
            _ENCODING.pack(table.encoding.encode("ascii")),
            *(_SECTION.pack(s.size, s.offset, s.stored, s.codec) for s in table.sections),
            *(_CHUNK.pack(c.stored, c.hash) for c in chunks),
        )
    )
    return prefix, body + blake3(prefix + body).digest()


def unpack_prefix(data: bytes | memoryview, what: str) -> Prefix:
    """Raises StoreError naming ``what`` if this is no Blob, or a newer one than is known."""
    if len(data) < PREFIX_BYTES or bytes(data[:8]) != _MAGIC:
        raise damaged(what, "it does not begin as a Blob does")
    _, version, _, sections, chunks, _, offset, size, content, file = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise StoreError(
            f"{what} has format {version}; this swell reads format {VERSION}.",
            remedy="Update swell to the version that wrote it.",
        )
    if size != table_size(sections, chunks) or offset + size > file:
        raise damaged(what, "its prefix contradicts itself")
    return Prefix(sections, chunks, offset, size, content, file)


def unpack_table(
    prefix: Prefix, head: bytes | memoryview, data: bytes | memoryview, what: str
) -> Table:
    """``head`` is the 64-byte prefix, ``data`` the table. Raises StoreError if damaged."""
    body, proof = bytes(data[:-_HASH_BYTES]), bytes(data[-_HASH_BYTES:])
    if (
        len(data) != prefix.table_size
        or blake3(bytes(head[:PREFIX_BYTES]) + body).digest() != proof
    ):
        raise damaged(what, "its table does not match its hash")
    at = _ENCODING.size + prefix.sections * _SECTION.size
    chunks = (Chunk(*_CHUNK.unpack_from(body, at + i * _CHUNK.size)) for i in range(prefix.chunks))
    sections = []
    for index in range(prefix.sections):
        size, offset, stored, codec = _SECTION.unpack_from(
            body, _ENCODING.size + index * _SECTION.size
        )
        own = tuple(next(chunks) for _ in range(chunk_count(size)))
        sections.append(Section(size, offset, stored, codec, own))
    return Table(
        bytes(body[: _ENCODING.size]).rstrip(b"\0").decode("ascii"),
        tuple(sections),
        prefix.file_size,
    )


def damaged(what: str, how: str) -> DataDamaged:
    """The error for a Blob that is not what it should be."""
    words = what.split(" ")
    return DataDamaged(
        f"{what} is damaged: {how}.",
        key=words[words.index("Blob") + 1] if "Blob" in words[:-1] else None,
        remedy="Restore it from a copy of the store, or run the step that made it again.",
    )


class Head(NamedTuple):
    """A Blob's table and, of a small Blob, all its bytes as stored."""

    table: Table
    whole: memoryview | None


def read_head(storage: Storage, key: str) -> Head:
    """The table of the Blob ``key``, checked against its key and the file's length.

    A small Blob is read at once. Raises DataMissing for no such Blob, StoreError for a
    damaged one.
    """
    name = storage_key(key)
    what = f"Blob {key} in {storage.url}"
    head = storage.read(name, 0, _HEAD_READ_BYTES)
    prefix = unpack_prefix(head, what)
    start, end = prefix.table_offset, prefix.table_offset + prefix.table_size
    data = head[start:end] if end <= len(head) else storage.read(name, start, end - start)
    table = unpack_table(prefix, head, data, what)
    if table.key != key:
        raise damaged(what, f"its table is that of {table.key}")
    if len(head) < _HEAD_READ_BYTES:
        if len(head) != table.file_size:
            raise damaged(what, f"it should be {table.file_size:,} bytes long")
        return Head(table, head)
    if len(storage.read(name, table.file_size - 1, 2)) != 1:
        raise damaged(what, f"it should be {table.file_size:,} bytes long")
    return Head(table, None)


def read_table(storage: Storage, key: str) -> Table:
    """The table of the Blob ``key``; see ``read_head``."""
    return read_head(storage, key).table


def is_whole(storage: Storage, key: str) -> bool:
    """Whether the Blob ``key`` is there in its full length."""
    try:
        read_table(storage, key)
    except StoreError:
        return False
    return True
