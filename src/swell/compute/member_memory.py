"""Whether the members of a pack leave room for the next one in the process they share."""

from __future__ import annotations

import os

from swell.compute.memory_groups import oom_kills_in

_LEFT_AT_MOST = 0.5
"""What members have left may take this part of what the step asks for and the script leaves."""


class MemberMemory:
    """Belongs to a process that runs a pack, whose step asks for ``asked_mb`` a task.

    Its control group, if it has one of its own, counts in the file ``oom_events``.
    ``statm`` is the kernel's count of this process's pages (proc(5)).
    """

    def __init__(
        self, asked_mb: int | None, oom_events: str = "", *, statm: str = "/proc/self/statm"
    ) -> None:
        self._oom_events = oom_events
        self._statm_fd = -1
        if asked_mb is not None:
            try:
                self._statm_fd = os.open(statm, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return  # no Linux: nobody counts
        self._page_mb = os.sysconf("SC_PAGE_SIZE") / (1 << 20)
        self._at_first_mb = self._own_mb()
        self._most_left_mb = ((asked_mb or 0) - self._at_first_mb) * _LEFT_AT_MOST

    def is_taken(self) -> bool:
        """Whether what members have left is too much for another one."""
        if self._statm_fd < 0 or self._most_left_mb <= 0:
            return False
        return self._own_mb() - self._at_first_mb > self._most_left_mb

    def was_exceeded(self) -> bool:
        """Whether the kernel has ended a process of this group for its memory."""
        return bool(self._oom_events) and oom_kills_in(self._oom_events) > 0

    def _own_mb(self) -> float:
        """What belongs to this process alone, or was inherited: no pages of files."""
        if self._statm_fd < 0:
            return 0.0
        _size, resident, of_files = os.pread(self._statm_fd, 128, 0).split()[:3]
        return (int(resident) - int(of_files)) * self._page_mb
