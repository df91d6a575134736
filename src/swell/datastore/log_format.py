"""The layout of a run's log: numbered segments of frames, each with an index at its end.

A segment is ``000001.log``: a head, frames in the order of arrival, and, once it is full, an
index of its frames and a trailer. Without a trailer it is still being written, or its writer
died; its frames are then found by going through it, up to the first that is not whole.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import msgspec

from swell.datastore.os_errors import store_error

STDOUT = "stdout"
STDERR = "stderr"
SYSTEM = "system"
STREAMS = (STDOUT, STDERR, SYSTEM)

NOTICE = 1
"""The frame is swell's own line within a stream of the task: begins and ends a line."""
SCRUBBED = 2
"""The text was removed on request; zeros of the same length stand in its place."""

SEGMENT_HEAD = struct.pack("<8sHHxxxx", b"swelLOGS", 1, 0)

# Length of the text, CRC-32 of all that follows it, time, stream, flags, attempt, length of
# the task's id. Then the id, then the text.
_FRAME = struct.Struct("<IIdBBHB")
_CRC_FROM = 8
_TRAILER = struct.Struct("<QQI8s")
_TRAILER_MAGIC = b"swelINDX"
_SUFFIX = ".log"

Data = bytes | bytearray | memoryview | mmap.mmap


class Frame(NamedTuple):
    """A piece of a stream as it came; ``at`` is Unix seconds."""

    task: str
    attempt: int
    stream: str
    at: float
    data: bytes
    flags: int = 0


class IndexEntry(msgspec.Struct, array_like=True):
    """Where in a segment the frames of one stream are; ``size`` is their text together."""

    task: str
    attempt: int
    stream: str
    size: int = 0
    offsets: list[int] = []


class _StoredIndex(msgspec.Struct, array_like=True):
    entries: list[IndexEntry]
    closed: bool


class SegmentIndex:
    """All frames of a segment. ``closed`` says that the writer ended well after it."""

    def __init__(self, entries: list[IndexEntry], *, closed: bool = False) -> None:
        self.closed = closed
        self._by_task: dict[str, list[IndexEntry]] = {}
        for entry in entries:
            self._by_task.setdefault(entry.task, []).append(entry)

    def tasks(self) -> frozenset[str]:
        """Tasks that have frames in it."""
        return frozenset(self._by_task)

    def entries(
        self, task: str | None, attempt: int | None = None, stream: str | None = None
    ) -> list[IndexEntry]:
        """What is known of these; None means all."""
        chosen = chain(*self._by_task.values()) if task is None else self._by_task.get(task, ())
        return [
            entry
            for entry in chosen
            if (attempt is None or attempt == entry.attempt)
            and (stream is None or stream == entry.stream)
        ]

    def offsets(self, task: str | None, attempt: int | None, stream: str | None) -> list[int]:
        """Offsets of the frames of these, in order of arrival."""
        chosen = [entry.offsets for entry in self.entries(task, attempt, stream)]
        return chosen[0] if len(chosen) == 1 else sorted(chain(*chosen))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_StoredIndex)


class IndexBuilder:
    """The index of a segment that grows."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, int, str], IndexEntry] = {}

    def add(self, frame: Frame, offset: int) -> None:
        """``frame`` stands at ``offset``."""
        key = (frame.task, frame.attempt, frame.stream)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = IndexEntry(*key, offsets=[])
        entry.size += len(frame.data)
        entry.offsets.append(offset)

    def index(self) -> SegmentIndex:
        """The index so far."""
        return SegmentIndex(list(self._entries.values()))

    def pack(self, offset: int, *, closed: bool) -> bytes:
        """Index and trailer, to be written at ``offset``, behind the last frame."""
        body = _encoder.encode(_StoredIndex(list(self._entries.values()), closed))
        return body + _TRAILER.pack(offset, len(body), zlib.crc32(body), _TRAILER_MAGIC)


def pack_frame(frame: Frame) -> bytes:
    """``frame`` as bytes."""
    task = frame.task.encode()
    head = _FRAME.pack(
        len(frame.data),
        0,
        frame.at,
        STREAMS.index(frame.stream),
        frame.flags,
        frame.attempt,
        len(task),
    )
    crc = zlib.crc32(frame.data, zlib.crc32(head[_CRC_FROM:] + task))
    return b"".join((head[:4], crc.to_bytes(4, "little"), head[_CRC_FROM:], task, frame.data))


def frame_size(data: Data, offset: int) -> int | None:
    """Bytes of the frame at ``offset``; None if it is not there whole."""
    if offset + _FRAME.size > len(data):
        return None
    length, crc, _, stream, _, _, task_length = _FRAME.unpack_from(data, offset)
    end = offset + _FRAME.size + task_length + length
    if end > len(data) or stream >= len(STREAMS):
        return None
    if zlib.crc32(data[offset + _CRC_FROM : end]) != crc:
        return None
    return int(end - offset)


def unpack_frame(data: Data, offset: int) -> Frame:
    """The frame at ``offset``, which is known to be whole."""
    length, _, at, stream, flags, attempt, task_length = _FRAME.unpack_from(data, offset)
    start = offset + _FRAME.size
    middle = start + task_length
    return Frame(
        str(data[start:middle], "utf-8"),
        attempt,
        STREAMS[stream],
        at,
        bytes(data[middle : middle + length]),
        flags,
    )


def scan(data: Data, offset: int) -> Iterator[int]:
    """Offsets of whole frames from ``offset`` on, and at last the offset behind them."""
    while (size := frame_size(data, offset)) is not None:
        yield offset
        offset += size
    yield offset


def unpack_index(fd: int) -> SegmentIndex | None:
    """The index of the segment open as ``fd``; None while it has none that is whole."""
    size = os.fstat(fd).st_size
    if size < len(SEGMENT_HEAD) + _TRAILER.size:
        return None
    offset, length, crc, magic = _TRAILER.unpack(os.pread(fd, _TRAILER.size, size - _TRAILER.size))
    if magic != _TRAILER_MAGIC or offset + length + _TRAILER.size != size:
        return None
    body = os.pread(fd, length, offset)
    if zlib.crc32(body) != crc:
        return None
    try:
        stored = _decoder.decode(body)
    except msgspec.DecodeError:
        return None
    return SegmentIndex(stored.entries, closed=stored.closed)


def segment_path(folder: str, number: int) -> str:
    """The file of segment ``number``."""
    return os.path.join(folder, f"{number:06d}{_SUFFIX}")


def segment_numbers(folder: str) -> list[int]:
    """Numbers of the segments in ``folder``, in order; [] when it is not there."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise store_error(error, "reading", folder) from error
    stems = (name[: -len(_SUFFIX)] for name in names if name.endswith(_SUFFIX))
    return sorted(int(stem) for stem in stems if stem.isdigit())
