"""Looks at this machine while tasks run: which of them compute, and whether memory is short.

The local backend's watching thread calls it; it reads files below /proc and keeps no thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from swell.compute.pressure import MemoryWatch
from swell.model.job import Launch, MachineNews

LOOK_EVERY_S = 2.0
COMPUTES_FROM = 0.5
"""Processor seconds a second from which a task counts as computing."""


Running = Sequence[tuple[Launch, "int | None"]]
"""What runs, and its process where that is known."""
Look = Callable[[float, Running], None]


def look_away(now: float, running: Running) -> None:
    """A Look that sees nothing."""


class MachineWatch:
    """Compares what it sees with what it saw; ``tell`` gets the news, each once."""

    def __init__(
        self,
        tell: Callable[[MachineNews], None],
        memory_short: Callable[[], str] | None = None,
        cpu_s: Callable[[int], float | None] | None = None,
    ) -> None:
        self._tell = tell
        self._memory_short = memory_short or MemoryWatch().look
        self._cpu_s = cpu_s or cpu_seconds
        self._next_at = 0.0
        self._seen: dict[int, tuple[float, float]] = {}
        self._computing: set[str] = set()
        self._was_short = ""

    def look(self, now: float, running: Running) -> None:
        """See what is new, at most every two seconds: call it as often as you like."""
        if now < self._next_at:
            return
        self._next_at = now + LOOK_EVERY_S
        found = self._newly_computing(now, running)
        short = self._memory_short()
        has_changed = bool(short) != bool(self._was_short)
        self._was_short = short
        self._computing.update(found)
        if found or has_changed:
            self._tell(MachineNews(now, found, short))

    def _newly_computing(self, now: float, running: Running) -> tuple[str, ...]:
        found: dict[str, None] = {}
        seen: dict[int, tuple[float, float]] = {}
        for launch, pid in running:
            step = launch.step
            if pid is None or launch.resources.cpu is not None or step in self._computing:
                continue
            if (used := self._cpu_s(pid)) is None:
                continue
            seen[pid] = (now, used)
            then, before = self._seen.get(pid, (now, used))
            if now > then and (used - before) / (now - then) >= COMPUTES_FROM:
                found[step] = None
        self._seen = seen
        return tuple(found)


def cpu_seconds(pid: int, root: str = "/proc") -> float | None:
    """Processor seconds of a process and of its children that have ended; None where it is
    gone. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""
    try:
        with open(f"{root}/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return None
    # The second field is the program's name in brackets, which may hold anything.
    fields = line[line.rindex(b")") + 2 :].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
