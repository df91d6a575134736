"""Writes one Blob in one pass: hash, compress where it was asked for, write."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from blake3 import blake3

from swell.datastore.blob_format import (
    CHUNK_BYTES,
    PAGE_BYTES,
    PREFIX_BYTES,
    RAW,
    ZSTD,
    Chunk,
    Section,
    Table,
    chunk_count,
    content_key,
    is_whole,
    pack_head,
    storage_key,
    table_size,
)
from swell.datastore.serializers import Buffer, Serialized
from swell.seams.storage import Draft, Storage

if TYPE_CHECKING:
    import zstandard

SAMPLE_FROM_BYTES = 64 * 1024
"""Shorter sections are stored raw without a look."""

_STRIDE = 1 << 20
_SAMPLES = 3
_ZEROS = bytes(PAGE_BYTES)


class BlobWriter:
    """Writes sections one after the other, hashing and compressing in the same pass.

    ``encoding`` may change until ``finish``. With ``sizes`` of all sections known the table
    stands in front, else at the end. A context manager: what was not finished leaves nothing.
    """

    def __init__(
        self, storage: Storage, draft: Draft, encoding: str, sizes: Sequence[int] | None
    ) -> None:
        self._storage = storage
        self._draft = draft
        self.encoding = encoding
        self._front = PREFIX_BYTES
        if sizes is not None:
            self._front += table_size(len(sizes), sum(map(chunk_count, sizes)))
        self._sizes = sizes
        self._at = 0
        self._sections: list[Section] = []
        self._open: _OpenSection | None = None

    def begin(self, codec: int = RAW) -> None:
        """Begin the next section."""
        self._end_section()
        if self._at == 0:
            self._put([bytes(self._front)])
        size = PAGE_BYTES if self._sizes is None else self._sizes[len(self._sections)]
        align = PAGE_BYTES if codec == RAW and size >= PAGE_BYTES else 64
        self._put([_ZEROS[: -self._at % align]])
        self._open = _OpenSection(self._at, codec)

    def append(self, pieces: Sequence[Buffer]) -> None:
        """Append content to the section."""
        section = self._open
        assert section is not None
        for piece in pieces:
            view = memoryview(piece)
            while len(view):
                part = view[: section.room()]
                view = view[len(part) :]
                self._put(section.take(part))

    def finish(self) -> str:
        """Write the table and give the Blob its name, unless it is there; returns its key."""
        self._end_section()
        table_offset = PREFIX_BYTES
        file_size = self._at
        if self._sizes is None:
            table_offset = self._at
            chunks = sum(len(section.chunks) for section in self._sections)
            file_size += table_size(len(self._sections), chunks)
        table = Table(self.encoding, tuple(self._sections), file_size)
        prefix, body = pack_head(table, table_offset)
        if self._sizes is None:
            self._put([body])
            self._draft.overwrite(0, prefix)
        else:
            self._draft.overwrite(0, prefix + body)
        key = content_key([(s.size, [c.hash for c in s.chunks]) for s in self._sections])
        if not self._draft.commit(storage_key(key)) and not is_whole(self._storage, key):
            # A power cut can leave a named file without its bytes.
            self._storage.delete([storage_key(key)])
            self._draft.commit(storage_key(key))
        return key

    def __enter__(self) -> BlobWriter:
        self._draft.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._draft.__exit__(kind, error, trace)

    def _put(self, buffers: Sequence[Buffer]) -> None:
        self._draft.write(buffers)
        self._at += sum(map(len, buffers))

    def _end_section(self) -> None:
        if self._open is not None:
            self._put(self._open.end())
            self._sections.append(self._open.section())
            self._open = None


class _OpenSection:
    """The section that is being written: the hash of its chunk so far."""

    def __init__(self, offset: int, codec: int) -> None:
        self._offset = offset
        self._codec = codec
        self._size = self._stored = 0
        self._chunks: list[Chunk] = []
        self._hash = blake3()
        self._filled = self._chunk_stored = 0
        self._compressor: zstandard.ZstdCompressionObj | None = None

    def room(self) -> int:
        """How many bytes ``take`` wants next."""
        return min(_STRIDE, CHUNK_BYTES - self._filled)

    def take(self, part: memoryview) -> list[Buffer]:
        """Content, at most ``room`` of it; returns what to write."""
        self._hash.update(part)
        self._filled += len(part)
        self._size += len(part)
        out: list[Buffer] = [part] if self._codec == RAW else [self._compress(part)]
        self._chunk_stored += len(out[0])
        if self._filled == CHUNK_BYTES:
            out += self._end_chunk()
        return out

    def end(self) -> list[Buffer]:
        """Close the last chunk; returns what to write."""
        return self._end_chunk() if self._filled or not self._chunks else []

    def section(self) -> Section:
        """The section as written."""
        return Section(self._size, self._offset, self._stored, self._codec, tuple(self._chunks))

    def _compress(self, part: memoryview) -> bytes:
        if self._compressor is None:
            import zstandard

            self._compressor = zstandard.ZstdCompressor(level=1).compressobj()
        return self._compressor.compress(part)

    def _end_chunk(self) -> list[Buffer]:
        rest = b""
        if self._codec == ZSTD:
            rest = self._compress(memoryview(b""))
            assert self._compressor is not None
            rest += self._compressor.flush()
            self._compressor = None
        stored = self._chunk_stored + len(rest)
        self._chunks.append(Chunk(stored, self._hash.digest()))
        self._stored += stored
        self._hash = blake3()
        self._filled = self._chunk_stored = 0
        return [rest]


class MemoryDraft:
    """A draft that keeps references to its buffers until its key is known."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._buffers: list[Buffer] = []

    def write(self, buffers: Sequence[Buffer]) -> None:
        """Keep ``buffers``."""
        self._buffers += [buffer for buffer in buffers if len(buffer)]

    def overwrite(self, offset: int, data: bytes) -> None:
        """Replace the beginning: the first buffer that was written."""
        assert offset == 0
        self._buffers[0] = data + bytes(self._buffers[0])[len(data) :]

    def commit(self, key: str) -> bool:
        """Write what was kept."""
        return self._storage.write(key, self._buffers)

    def __enter__(self) -> MemoryDraft:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._buffers.clear()


def serialized_key(value: Serialized) -> str:
    """The key that ``value`` would have as a Blob, without writing it."""
    sections: list[tuple[int, list[bytes]]] = []
    for pieces in (value.stream, *((b,) for b in value.buffers)):
        section = _OpenSection(0, RAW)
        for piece in pieces:
            view = memoryview(piece)
            while len(view):
                part = view[: section.room()]
                view = view[len(part) :]
                section.take(part)
        section.end()
        done = section.section()
        sections.append((done.size, [chunk.hash for chunk in done.chunks]))
    return content_key(sections)


def compresses(pieces: Sequence[Buffer], size: int, ratio: float) -> bool:
    """Whether samples from its beginning, middle and end shrink by ``ratio``."""
    import zstandard

    # A sixteenth of the section at most, so that looking costs little beside hashing.
    length = max(1024, min(64 * 1024, size // (16 * _SAMPLES)))
    sample = b"".join(
        _slice(pieces, (size - length) * place // (_SAMPLES - 1), length)
        for place in range(_SAMPLES)
    )
    return len(zstandard.ZstdCompressor(level=1).compress(sample)) * ratio <= len(sample)


def _slice(pieces: Sequence[Buffer], start: int, length: int) -> bytes:
    for piece in pieces:
        if start < len(piece):
            return bytes(memoryview(piece)[start : start + length])
        start -= len(piece)
    return b""
