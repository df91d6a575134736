"""What will happen when: a heap of times, which only moves when it is told the time."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Agenda:
    """Things to do at a time; those of one time in the order they were noted."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, time: float, act: Callable[[], None]) -> None:
        """Do ``act`` once ``time`` has come."""
        self._count += 1
        heapq.heappush(self._entries, (time, self._count, act))

    def due(self, now: float) -> Callable[[], None] | None:
        """Take the next thing that is due; None: nothing is."""
        if not self._entries or self._entries[0][0] > now:
            return None
        return heapq.heappop(self._entries)[2]

    @property
    def next_time(self) -> float | None:
        """When there is something to do next."""
        return self._entries[0][0] if self._entries else None
