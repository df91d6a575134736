"""The driver's ends of the pipes through which one attempt at a time speaks."""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

from swell.errors import ComputeError

_CHUNK_BYTES = 1 << 16
_LENGTH_BYTES = 4
_WIDE_BYTES = 1 << 20
_RESULT_READS = 8


class Chunk(NamedTuple):
    """Bytes of ``stream`` ('stdout' or 'stderr') as they were read."""

    stream: str
    data: bytes


class DriverLane:
    """Read ends of a lane: result, stdout, stderr; all non-blocking."""

    def __init__(self, number: int, fds: tuple[int, int, int]) -> None:
        self.number = number
        self.result_fd, self.stdout_fd, self.stderr_fd = fds
        self._result = bytearray()
        self._is_wide = False

    @property
    def fds(self) -> tuple[int, int, int]:
        """All descriptors, to poll."""
        return (self.result_fd, self.stdout_fd, self.stderr_fd)

    def read(self, fd: int) -> Chunk | None:
        """Read once from ``fd``; None when nothing is there, or it was part of a result."""
        try:
            data = os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:
            return None
        if not data:
            return None
        if fd == self.result_fd:
            self._result += data
            return None
        return Chunk("stdout" if fd == self.stdout_fd else "stderr", data)

    def read_results(self) -> bytes:
        """All that is there of the results of a pack, 8 MB at most."""
        parts = []
        for _ in range(_RESULT_READS):
            try:
                data = os.read(self.result_fd, _WIDE_BYTES)
            except BlockingIOError:
                break
            if not data:
                break
            parts.append(data)
            if len(data) < _CHUNK_BYTES:
                break
        return b"".join(parts)

    def widen(self) -> None:
        """Let the pipes hold more, so that a pack need not wait until it is read; where the
        system does not allow that, it waits."""
        if self._is_wide:
            return
        self._is_wide = True
        import fcntl

        for fd in self.fds:
            try:
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _WIDE_BYTES)
            except (OSError, AttributeError):
                return

    def drain(self) -> list[Chunk]:
        """All that the ended attempt left in the pipes."""
        chunks = []
        for fd in (self.stdout_fd, self.stderr_fd):
            while (chunk := self.read(fd)) is not None:
                chunks.append(chunk)
        while self._read_result():
            pass
        return chunks

    def _read_result(self) -> bool:
        before = len(self._result)
        self.read(self.result_fd)
        return len(self._result) > before

    def take_result(self) -> bytes | None:
        """The encoded AttemptResult, if a whole one came; the lane is ready for the next."""
        data = bytes(self._result)
        self._result.clear()
        length = int.from_bytes(data[:_LENGTH_BYTES], "little")
        body = data[_LENGTH_BYTES:]
        return body if data and len(body) == length else None

    def close(self) -> None:
        """Close all ends."""
        for fd in self.fds:
            os.close(fd)


def open_lane(number: int, keeper: socket.socket) -> DriverLane:
    """Open the three pipes and hand their write ends to the keeper.

    Raises ComputeError when this process may open no more files.
    """
    reads: list[int] = []
    writes: list[int] = []
    try:
        for _ in range(3):
            read, write = os.pipe()
            os.set_blocking(read, False)
            reads.append(read)
            writes.append(write)
    except OSError as error:
        for fd in (*reads, *writes):
            os.close(fd)
        raise ComputeError(
            f"No more than {number:,} tasks can run here at once: {error.strerror}.",
            remedy=f"Use --max-workers {max(1, number - 10)}, or raise the limit (ulimit -n).",
        ) from error
    try:
        socket.send_fds(keeper, [number.to_bytes(8, "little")], writes)
    finally:
        for write in writes:
            os.close(write)
    return DriverLane(number, (reads[0], reads[1], reads[2]))
