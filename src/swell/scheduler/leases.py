"""How many tasks share a process next: ranges of a foreach that are leased together; pure.

A lease is to last the seconds that its step's plan says, by the mean of the tasks that
ended lately; it grows from one, and it shrinks towards the end of the work, so that no
process has much left when the others have nothing. What a process has not begun when its
seconds are over is returned and leased anew: a mean that is wrong costs little.
"""

from __future__ import annotations

MOST = 1000
"""More in one lease saves nothing: a process costs as much as ten tasks that do nothing."""
_SHARE = 2
"""A lease takes at most this part (1/2) of what a worker may expect of the rest."""
_LEAST_S = 0.05
"""Shorter leases cost more for their processes than the last ones can wait for each other."""
_GROWTH = 8
"""A lease is at most so many times as large as what the mean was measured on."""
_REMEMBERED = 1000.0
"""About so many tasks count for the mean."""


class LeaseSizes:
    """The sizes of one step's leases; ``seconds`` each is to last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ended = 0.0
        self._spent_s = 0.0

    def note(self, seconds: float) -> None:
        """A task took so long, from its begin to its end."""
        keep = 1 - 1 / _REMEMBERED
        self._ended = self._ended * keep + 1
        self._spent_s = self._spent_s * keep + max(seconds, 0.0)

    @property
    def mean_s(self) -> float | None:
        """The mean of the tasks that ended lately; None before the first."""
        return self._spent_s / self._ended if self._ended else None

    def size(self, left: int, workers: int) -> int:
        """How many of the ``left`` tasks the next lease takes, where ``workers`` processes
        run at once: at least 1."""
        mean_s = self.mean_s
        if mean_s is None:
            return 1
        fitting = self._fitting(self._seconds, mean_s)
        fair = -(-left // (_SHARE * workers))
        fair = max(fair, self._fitting(min(_LEAST_S, self._seconds), mean_s))
        grown = int(self._ended * _GROWTH)
        return max(1, min(fitting, fair, grown, left, MOST))

    @staticmethod
    def _fitting(seconds: float, mean_s: float) -> int:
        return round(seconds / mean_s) if mean_s * MOST > seconds else MOST


class Lease:
    """Tasks that share a process; ``left`` of them have not ended."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def leave(self) -> bool:
        """One of them ended; True while others are left."""
        self.left -= 1
        return self.left > 0


class Leases:
    """The leases of all steps; ``queued`` counts leased tasks that wait for their turn."""

    def __init__(self) -> None:
        self.queued = 0
        self._queued: dict[str, int] = {}
        self._sizes: dict[str, LeaseSizes] = {}

    def size(self, step: str, seconds: float, waiting: int, workers: int) -> int:
        """How many tasks the next lease of ``step`` takes of those that wait for anything."""
        left = waiting - self._queued.get(step, 0)
        return self._sizes_of(step, seconds).size(left, workers)

    def note(self, step: str, seconds: float, took_s: float) -> None:
        """A task of ``step``, whose leases are to last ``seconds``, took ``took_s``."""
        self._sizes_of(step, seconds).note(took_s)

    def lease(self, step: str, size: int) -> Lease:
        """So many tasks of ``step`` go into one process."""
        self._queue(step, size - 1)
        return Lease(size)

    def leave(self, step: str, lease: Lease) -> bool:
        """A task of ``lease`` ended or was returned; True where another has its turn."""
        if not lease.leave():
            return False
        self._queue(step, -1)
        return True

    def _queue(self, step: str, more: int) -> None:
        self.queued += more
        self._queued[step] = self._queued.get(step, 0) + more

    def _sizes_of(self, step: str, seconds: float) -> LeaseSizes:
        sizes = self._sizes.get(step)
        if sizes is None:
            sizes = self._sizes[step] = LeaseSizes(seconds)
        return sizes
