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
_MOST_PROCESSES, _MOST_THREADS = 32, 32
"""So many of one task are looked at, so that a look stays short."""


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
    """Processor seconds of a process, of its descendants that run, and of those that were waited
    for; None where it is gone."""
    total = _counted_s(pid, root)
    if total is None:
        return None
    looked_at, parents = 0, [pid]
    while parents and looked_at < _MOST_PROCESSES:
        for child in running_children(parents.pop(), root):
            total += _counted_s(child, root) or 0.0
            parents.append(child)
        looked_at += 1
    return total


def running_children(pid: int, root: str = "/proc") -> list[int]:
    """The processes that threads of ``pid`` have started; none where the kernel does not say."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"{root}/{pid}/task")[:_MOST_THREADS]:
            with open(f"{root}/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:
        pass  # it is going, or the kernel was built without such lists
    return found


def _counted_s(pid: int, root: str) -> float | None:
    """What the kernel counts for a process and for its children that were waited for.
    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html"""
    try:
        with open(f"{root}/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return None
    # The second field is the program's name in brackets, which may hold anything.
    fields = line[line.rindex(b")") + 2 :].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
