"""Content that is made piece by piece while it is written, so that it never stands in
memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeGuard

OUT_OF_BAND_BYTES = 64 * 1024
"""Buffers from this size on are handed on as they are instead of copied into the stream."""

PIECE_BYTES = 4 << 20
"""About so much of streamed content is in memory at a time."""


class Streamed(Protocol):
    """So many bytes, which can be gone through more than once."""

    def __len__(self) -> int: ...

    def pieces(self) -> Iterator[bytes | memoryview]:
        """All content in order. Each piece stays valid when the next one is made."""
        ...

    def sample(self, start: int, length: int) -> bytes:
        """About ``length`` bytes from about ``start``, for a look at what they are like."""
        ...


Buffer = bytes | memoryview
Content = Buffer | Streamed


def is_streamed(content: Content) -> TypeGuard[Streamed]:
    """Whether ``content`` has to be asked for its pieces."""
    return not isinstance(content, (bytes, memoryview))


def pieces_of(content: Content) -> Iterator[Buffer]:
    """``content`` piece by piece."""
    if is_streamed(content):
        yield from content.pieces()
    else:
        assert isinstance(content, (bytes, memoryview))
        yield content


def sample_of(content: Content, start: int, length: int) -> bytes:
    """Some bytes of ``content``."""
    if is_streamed(content):
        return content.sample(start, length)
    assert isinstance(content, (bytes, memoryview))
    return bytes(memoryview(content)[start : start + length])
