"""Hashes, compresses and unpacks the chunks of large content on all cores, beside the thread
that reads or writes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from blake3 import blake3

from swell.datastore.blob_format import CHUNK_BYTES, RAW, Chunk

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Piece = bytes | memoryview
_T = TypeVar("_T")

_MOST_THREADS = 16
ZEROS = bytes.fromhex("b4834959bc889fed1abf3c45d5da0e384134386a4b2786cc5dbb9fe8fa853bbb")
"""BLAKE3 of a whole chunk of zeros."""


class Packed(NamedTuple):
    """A chunk as the table lists it, and the frames to write where it was compressed."""

    chunk: Chunk
    frames: Sequence[bytes]


def pack(pieces: Sequence[Piece], codec: int) -> Packed:
    """Hash one chunk, given in pieces, and compress it if ``codec`` says so."""
    digest = blake3()
    if codec == RAW:
        for piece in pieces:
            digest.update(piece)
        return Packed(Chunk(sum(map(len, pieces)), digest.digest()), ())
    import zstandard

    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    frames = []
    for piece in pieces:
        digest.update(piece)
        frames.append(compressor.compress(piece))
    frames.append(compressor.flush())
    return Packed(Chunk(sum(map(len, frames)), digest.digest()), frames)


def unpack(chunk: Chunk, packed: memoryview, target: memoryview) -> str | None:
    """Unpack one zstd frame into ``target``, which is zeroed memory of the chunk's length.

    Returns what is wrong with it, if anything. Zeros are not written: memory that nobody
    touched costs nothing.
    """
    import zstandard

    if chunk.hash == ZEROS and len(target) == CHUNK_BYTES:
        return None
    reader = zstandard.ZstdDecompressor().stream_reader(packed)
    done = 0
    try:
        while done < len(target):
            count = reader.readinto(target[done:])
            if count == 0:
                return "a chunk has the wrong length"
            done += count
        return "a chunk has the wrong length" if reader.read(1) else None
    except zstandard.ZstdError as error:
        return str(error)


class Crew:
    """Threads for chunks, started when work is given to them; a context manager.

    They exist because hashing and compressing release the interpreter: while one chunk is
    written, the next ones are hashed.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self.threads = min(_MOST_THREADS, cores())

    def submit(self, work: Callable[..., _T], *arguments: object) -> Future[_T]:
        """Do ``work`` in a thread."""
        if self._pool is None:
            # Late: it costs 15 ms to import, and content of a few chunks does not need it.
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="swell-chunk")
        return self._pool.submit(work, *arguments)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def cores() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
