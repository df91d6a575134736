"""Lets the kernel begin to write a file to its disk while more of it is still coming.

What is left for fsync is then the end of the file: without this, large files wait in memory
until fsync asks for them. See sync_file_range(2).
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

Begin = Callable[[int, int, int, int], object]
"""sync_file_range: file descriptor, offset, length, flags. What it leaves undone fsync does."""

FROM_BYTES = 16 << 20
"""Shorter stretches are left to fsync."""

_WRITE = 2  # SYNC_FILE_RANGE_WRITE: begin, and wait for nothing


class Writeback:
    """Counts what was appended to the open file ``fd``, and sends it on in stretches."""

    def __init__(self, fd: int, begin: Begin | None = None) -> None:
        self._fd = fd
        self._begin = begin
        self._sent = 0
        self._written = 0

    def appended(self, length: int) -> None:
        """So many bytes more are in the file."""
        self._written += length
        if self._written - self._sent < FROM_BYTES:
            return
        begin = self._begin or _system_call()
        begin(self._fd, self._sent, self._written - self._sent, _WRITE)
        self._sent = self._written


@functools.cache
def _system_call() -> Begin:
    """The system call, or what does nothing where there is none."""
    if not sys.platform.startswith("linux"):
        return lambda *_: None
    import ctypes

    call = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if call is None:
        return lambda *_: None
    call.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return lambda fd, offset, length, flags: call(fd, offset, length, flags)
