"""Writes the lines of all tasks of a run into one packed log, as they come."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable

from swell.bootstrap.log_cut import Cut, Piece
from swell.datastore.local import write_all
from swell.datastore.log_format import (
    NOTICE,
    SEGMENT_HEAD,
    SYSTEM,
    Frame,
    IndexBuilder,
    pack_frame,
    segment_numbers,
    segment_path,
)
from swell.datastore.os_errors import store_error
from swell.errors import StoreError

SEGMENT_BYTES = 1 << 20
MAX_LOG_BYTES = 10_000_000


class LogWriter:
    """One run's log in ``folder``, which is made at the first line.

    What ``append`` took is with the operating system when it returns: it survives the
    death of this process. Over ``max_bytes`` per stream and attempt, the first nine tenths
    stay, and the last tenth, which is kept in memory until ``end``. Safe for many threads
    (the loop writes system lines while the readers of pipes write the tasks'); one writer
    a folder at a time.
    """

    def __init__(
        self, folder: str, *, max_bytes: int = MAX_LOG_BYTES, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._cuts: dict[tuple[str, int, str], Cut] = {}
        self._lock = threading.Lock()
        self._fd: int | None = None
        self._size = 0
        self._index = IndexBuilder()

    def append(self, task: str, attempt: int, stream: str, data: bytes, at: float) -> None:
        """Store a piece of a stream, as it was read: lines or parts of lines."""
        self.append_all((Frame(task, attempt, stream, at, data),))

    def append_all(self, frames: Iterable[Frame]) -> None:
        """Store pieces that came together, in one write. Raises StoreError, StoreFull."""
        with self._lock:
            self._write([kept for frame in frames for kept in self._admit(frame)])

    def end(self, task: str, attempt: int) -> None:
        """No more comes from this attempt: store what was held back of its end."""
        with self._lock:
            self._write(
                [
                    frame
                    for key in [k for k in self._cuts if k[0] == task and k[1] == attempt]
                    for frame in _frames(key, self._cuts.pop(key).rest())
                ]
            )

    def close(self) -> None:
        """End all attempts, and mark the log as closed."""
        with self._lock:
            self._write([f for key, cut in self._cuts.items() for f in _frames(key, cut.rest())])
            self._cuts.clear()
            if self._fd is not None:
                self._seal(closed=True)

    def _admit(self, frame: Frame) -> list[Frame]:
        if not frame.data:
            return []
        if frame.stream == SYSTEM:
            return [frame]
        key = (frame.task, frame.attempt, frame.stream)
        cut = self._cuts.get(key)
        if cut is None:
            cut = self._cuts[key] = Cut(frame.stream, self._max_bytes)
        return _frames(key, cut.admit(Piece(frame.at, frame.data)))

    def _write(self, frames: list[Frame]) -> None:
        if not frames:
            return
        if self._fd is not None and self._size >= self._segment_bytes:
            self._seal(closed=False)
        fd = self._fd if self._fd is not None else self._open_next()
        packed = [pack_frame(frame) for frame in frames]
        self._put(fd, b"".join(packed))
        offset = self._size
        for frame, data in zip(frames, packed, strict=True):
            self._index.add(frame, offset)
            offset += len(data)
        self._size = offset

    def _put(self, fd: int, data: bytes) -> None:
        try:
            write_all(fd, [data])
        except OSError as error:
            # What follows a torn frame would not be found.
            os.ftruncate(fd, self._size)
            os.lseek(fd, self._size, os.SEEK_SET)
            raise store_error(error, "writing to", self._folder) from error

    def _seal(self, *, closed: bool) -> None:
        assert self._fd is not None
        try:
            self._put(self._fd, self._index.pack(self._size, closed=closed))
        except StoreError:
            # Readers go through a segment without an index: slower, and nothing is lost.
            pass
        os.close(self._fd)
        self._fd = None

    def _open_next(self) -> int:
        # A new segment after every start: the last one may end in a torn frame.
        numbers = segment_numbers(self._folder)
        path = segment_path(self._folder, numbers[-1] + 1 if numbers else 1)
        try:
            os.makedirs(self._folder, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise store_error(error, "writing to", self._folder) from error
        self._size = 0
        try:
            self._put(fd, SEGMENT_HEAD)
        except StoreError:
            os.close(fd)
            os.unlink(path)
            raise
        self._fd = fd
        self._size = len(SEGMENT_HEAD)
        self._index = IndexBuilder()
        return fd


def _frames(key: tuple[str, int, str], pieces: Iterable[Piece]) -> list[Frame]:
    task, attempt, stream = key
    return [
        Frame(task, attempt, stream, piece.at, piece.data, NOTICE if piece.is_notice else 0)
        for piece in pieces
    ]
