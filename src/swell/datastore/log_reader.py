"""Reads a run's log while it is written, after it, and after a crash."""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator
from typing import NamedTuple

from swell.datastore.local import write_all
from swell.datastore.log_format import (
    NOTICE,
    SCRUBBED,
    SEGMENT_HEAD,
    STDERR,
    STDOUT,
    SYSTEM,
    Frame,
    IndexBuilder,
    IndexEntry,
    SegmentIndex,
    pack_frame,
    scan,
    segment_numbers,
    segment_path,
    unpack_frame,
    unpack_index,
)
from swell.datastore.os_errors import store_error

SCRUB_MARK = b"[scrubbed]"

_INDEXES_KEPT = 64
_BEHIND_ALL = 1 << 62


class LogLine(NamedTuple):
    """A line without its newline; carriage returns are in it. ``at`` is Unix seconds.

    The time is that of the piece that ended the line.
    """

    at: float
    stream: str
    text: bytes
    task: str
    attempt: int


class LogReader:
    """The log in ``folder``; a folder that is not there is an empty log.

    None for ``task``, ``attempt`` or ``stream`` means all of them. Order is exact within a
    stream, and the order of arrival between streams. All methods raise StoreError.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._indexes: dict[int, SegmentIndex] = {}
        self._tasks: dict[int, frozenset[str]] = {}

    def lines(
        self, task: str | None = None, attempt: int | None = None, stream: str | None = None
    ) -> Iterator[LogLine]:
        """Lines so far; a last one without a newline too."""
        tail = self.follow(task, attempt, stream)
        yield from tail.poll()
        yield from tail.rest()

    def read(self, task: str, attempt: int | None = None, stream: str | None = None) -> bytes:
        """The text so far, byte for byte."""
        parts: list[bytes] = []
        scrubbed = False
        for number in segment_numbers(self._folder):
            for frame in self._frames(number, task, attempt, stream):
                if not frame.flags & SCRUBBED:
                    parts.append(frame.data)
                elif not scrubbed:
                    parts.append(SCRUB_MARK + b"\n")
                scrubbed = bool(frame.flags & SCRUBBED)
        return b"".join(parts)

    def follow(
        self, task: str | None = None, attempt: int | None = None, stream: str | None = None
    ) -> LogTail:
        """Lines so far, and then those that come."""
        return LogTail(self, task, attempt, stream)

    def size(
        self, task: str | None = None, attempt: int | None = None, stream: str | None = None
    ) -> int:
        """Bytes of text so far."""
        return sum(entry.size for entry in self._entries(task, attempt, stream))

    def attempts(self, task: str) -> list[int]:
        """Attempts of ``task`` that left lines."""
        return sorted({entry.attempt for entry in self._entries(task)})

    def tasks(self) -> list[str]:
        """Tasks that left lines, by their first."""
        return list(dict.fromkeys(entry.task for entry in self._entries(None)))

    def is_closed(self) -> bool:
        """Whether the writer ended well: nothing more comes. False after a crash."""
        numbers = segment_numbers(self._folder)
        return bool(numbers) and self._index(numbers[-1]).closed

    def scrub(self, task: str, attempt: int | None = None, stream: str | None = None) -> int:
        """Remove stored text of the task's own streams for good; returns the pieces removed.

        A finished segment is replaced as a whole; in one that is being written each piece is
        overwritten in its place. System lines stay.
        """
        streams = (STDOUT, STDERR) if stream is None else (stream,)
        done = 0
        for number in segment_numbers(self._folder):
            index = self._index(number)
            offsets = [o for s in streams for o in index.offsets(task, attempt, s)]
            if offsets:
                self._scrub_segment(number, sorted(offsets))
                done += len(offsets)
        return done

    def _entries(
        self, task: str | None, attempt: int | None = None, stream: str | None = None
    ) -> Iterator[IndexEntry]:
        for number in segment_numbers(self._folder):
            if self._may_hold(number, task):
                yield from self._index(number).entries(task, attempt, stream)

    def _may_hold(self, number: int, task: str | None) -> bool:
        known = self._tasks.get(number)
        return task is None or known is None or task in known

    def _index(self, number: int) -> SegmentIndex:
        index = self._sealed(number)
        if index is not None:
            return index
        with self._open(number) as fd:
            return _scanned_index(_whole(fd))

    def _sealed(self, number: int) -> SegmentIndex | None:
        """The index of a finished segment; None for one without."""
        index = self._indexes.get(number)
        if index is None:
            with self._open(number) as fd:
                index = unpack_index(fd)
            if index is None:
                return None
            while len(self._indexes) >= _INDEXES_KEPT:
                del self._indexes[next(iter(self._indexes))]
            self._indexes[number] = index
            self._tasks[number] = index.tasks()
        return index

    def _frames(
        self, number: int, task: str | None, attempt: int | None, stream: str | None
    ) -> Iterator[Frame]:
        if self._may_hold(number, task):
            yield from self._frames_at(number, self._index(number).offsets(task, attempt, stream))

    def _frames_at(self, number: int, offsets: list[int]) -> Iterator[Frame]:
        if offsets:
            with self._open(number) as fd, _mapped(fd) as data:
                for offset in offsets:
                    yield unpack_frame(data, offset)

    @contextlib.contextmanager
    def _open(self, number: int) -> Iterator[int]:
        path = segment_path(self._folder, number)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise store_error(error, "reading", path) from error
        try:
            yield fd
        except OSError as error:
            raise store_error(error, "reading", path) from error
        finally:
            os.close(fd)

    def _scrub_segment(self, number: int, offsets: list[int]) -> None:
        path = segment_path(self._folder, number)
        sealed = self._sealed(number) is not None
        with self._open(number) as fd:
            data = bytearray(_whole(fd))
        blanked = [(offset, _blank(unpack_frame(data, offset))) for offset in offsets]
        try:
            if not sealed:
                fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
                with os.fdopen(fd, "wb", buffering=0) as file:
                    for offset, frame in blanked:
                        os.pwrite(file.fileno(), frame, offset)
                    os.fsync(file.fileno())
                return
            for offset, frame in blanked:
                data[offset : offset + len(frame)] = frame
            _replace(path, data)
        except OSError as error:
            raise store_error(error, "scrubbing", path) from error


class LogTail:
    """Lines of a log as they come, from its beginning."""

    def __init__(
        self, reader: LogReader, task: str | None, attempt: int | None, stream: str | None
    ) -> None:
        self._reader = reader
        self._wanted = (task, attempt, stream)
        self._number = 0
        self._offset = len(SEGMENT_HEAD)
        self._lines = _Lines()
        self.closed = False
        """The writer ended well, and all it wrote was given."""

    def poll(self) -> Iterator[LogLine]:
        """Lines that were ended since the last call; to be gone through to its end."""
        # Looked at before reading: what is written meanwhile comes with the next call, and
        # a segment is left only if it was finished before it was read.
        numbers = [n for n in segment_numbers(self._reader._folder) if n >= self._number]
        for number in numbers:
            if number != self._number:
                self._number, self._offset = number, len(SEGMENT_HEAD)
            yield from self._read_segment(number, is_last=number == numbers[-1])

    def rest(self) -> list[LogLine]:
        """Beginnings of lines that have not ended; they are not given again."""
        return self._lines.flush()

    def _read_segment(self, number: int, *, is_last: bool) -> Iterator[LogLine]:
        task, attempt, stream = self._wanted
        reader = self._reader
        if not is_last and not reader._may_hold(number, task):
            return
        index = reader._sealed(number)
        if index is None:
            yield from self._read_growing(number)
            return
        offsets = [o for o in index.offsets(task, attempt, stream) if o >= self._offset]
        for frame in reader._frames_at(number, offsets):
            yield from self._lines.feed(frame)
        self._offset = _BEHIND_ALL
        self.closed = is_last and index.closed

    def _read_growing(self, number: int) -> Iterator[LogLine]:
        with self._reader._open(number) as fd:
            text = _whole(fd, self._offset)
        *found, behind = scan(text, 0)
        for offset in found:
            frame = unpack_frame(text, offset)
            of_frame = (frame.task, frame.attempt, frame.stream)
            if all(w is None or w == f for w, f in zip(self._wanted, of_frame, strict=True)):
                yield from self._lines.feed(frame)
        self._offset += behind


class _Lines:
    """Puts pieces together into lines, a stream at a time."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, int, str], list[Frame]] = {}
        self._scrubbed: set[tuple[str, int, str]] = set()

    def feed(self, frame: Frame) -> Iterator[LogLine]:
        """Lines that end in ``frame``, and those that it shows to have no end."""
        key = (frame.task, frame.attempt, frame.stream)
        if self._begun:
            yield from self._ended_by(frame)
        if frame.flags & SCRUBBED:
            if key not in self._scrubbed:
                self._scrubbed.add(key)
                yield LogLine(frame.at, frame.stream, SCRUB_MARK, frame.task, frame.attempt)
            return
        self._scrubbed.discard(key)
        *ended, rest = frame.data.split(b"\n")
        if ended and key in self._begun:
            pieces = self._begun.pop(key)
            ended[0] = b"".join([*(piece.data for piece in pieces), ended[0]])
        for text in ended:
            yield LogLine(frame.at, frame.stream, text, frame.task, frame.attempt)
        if rest:
            self._begun.setdefault(key, []).append(frame._replace(data=rest))

    def flush(self) -> list[LogLine]:
        """What was begun and has not ended."""
        lines = [_begun_line(pieces) for pieces in self._begun.values()]
        self._begun.clear()
        return lines

    def _ended_by(self, frame: Frame) -> Iterator[LogLine]:
        # A notice stands on a line of its own; a system line comes when its attempt is
        # over; and a later attempt, when the earlier one is.
        for key in list(self._begun):
            task, attempt, stream = key
            if task != frame.task:
                continue
            own = attempt == frame.attempt
            cut = own and stream == frame.stream and bool(frame.flags & (NOTICE | SCRUBBED))
            if cut or attempt < frame.attempt or (own and frame.stream == SYSTEM != stream):
                yield _begun_line(self._begun.pop(key))


def _begun_line(pieces: list[Frame]) -> LogLine:
    last = pieces[-1]
    text = b"".join(piece.data for piece in pieces)
    return LogLine(last.at, last.stream, text, last.task, last.attempt)


def _scanned_index(data: bytes) -> SegmentIndex:
    builder = IndexBuilder()
    *offsets, _ = scan(data, len(SEGMENT_HEAD))
    for offset in offsets:
        builder.add(unpack_frame(data, offset), offset)
    return builder.index()


def _whole(fd: int, offset: int = 0) -> bytes:
    size = max(0, os.fstat(fd).st_size - offset)
    parts: list[bytes] = []
    while size > 0 and (part := os.pread(fd, size, offset)):
        parts.append(part)
        size -= len(part)
        offset += len(part)
    return b"".join(parts)


@contextlib.contextmanager
def _mapped(fd: int) -> Iterator[mmap.mmap]:
    mapping = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    try:
        yield mapping
    finally:
        mapping.close()


def _blank(frame: Frame) -> bytes:
    return pack_frame(frame._replace(data=bytes(len(frame.data)), flags=frame.flags | SCRUBBED))


def _replace(path: str, data: bytearray) -> None:
    draft = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        write_all(fd, [memoryview(data)])
        os.fsync(fd)
        os.replace(draft, path)
    except OSError:
        os.unlink(draft)
        raise
    finally:
        os.close(fd)
