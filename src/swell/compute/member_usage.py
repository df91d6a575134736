"""What each of several attempts in one process used, by the kernel's counters."""

from __future__ import annotations

import os
import sys

from swell.compute.measuring import Counts, Inherited, counts_of_self, usage_from
from swell.model.record import Usage

SHARED = "shared process"
SHARED_SO_FAR = "shared process, so far"


class MemberUsage:
    """Counts from ``begin`` to ``end``.

    The kernel's peak of a process only ever grows, unless it is set back to what the process
    holds now (proc(5), clear_refs, 5); where that is not allowed the peak is that of the
    process so far. Memory that earlier attempts left counts in both, and that of processes
    that an attempt starts in neither.
    """

    def __init__(self, inherited: Inherited | None) -> None:
        self._inherited = inherited
        self._reset_fd = _open_reset()
        self._before = counts_of_self()

    def begin(self) -> None:
        """An attempt begins."""
        if self._reset_fd is not None:
            try:
                os.pwrite(self._reset_fd, b"5", 0)
            except OSError:
                self._reset_fd = None

    def end(self) -> Usage:
        """It has ended; what the process does until the next one begins counts for that."""
        before, self._before = self._before, counts_of_self()
        now = self._before
        counts = Counts(
            now.largest_mb,
            now.cpu_s - before.cpu_s,
            now.read_mb - before.read_mb,
            now.written_mb - before.written_mb,
        )
        how = SHARED if self._reset_fd is not None else SHARED_SO_FAR
        return usage_from(counts, self._inherited, how)


def _open_reset() -> int | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return os.open("/proc/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return None
