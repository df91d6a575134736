"""Decides which Launches go into one submission, and when; pure.

A batch system takes thousands of jobs in one request as fast as one. So Launches of a step
wait a moment for their siblings, and longer while the slots are as good as full, but never while
nothing of their step runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from swell.model.ids import JobId
from swell.model.job import Launch

LARGEST = 10_000
"""Members of an array job: docs.aws.amazon.com/batch/latest/userguide/array_jobs.html."""
PATIENCE_S = 2.0
"""How long a Launch waits at most for siblings while slots stay free."""
FULL_PATIENCE_S = 60.0
"""The same while each slot that becomes free gets a Launch at once: where tasks end one by one,
each would else be a request of its own."""
REFILL_SHARE = 0.05
"""Of the slots: so many free ones are filled at once."""


class _Kind(NamedTuple):
    """What Launches that go together have in common."""

    step: str
    memory_mb: int | None


class _Waiting:
    __slots__ = ("launches", "since")

    def __init__(self, since: float) -> None:
        self.launches: list[Launch] = []
        self.since = since


class Gathering:
    """Launches that were not submitted yet, by step and memory: the members of an array are all
    alike. ``max_workers`` are the slots of the run."""

    def __init__(self, max_workers: int) -> None:
        self._slots = max_workers
        self._enough = max(1, int(max_workers * REFILL_SHARE))
        self._room_since: float | None = None
        self._waiting: dict[_Kind, _Waiting] = {}
        self._gangs: list[tuple[Launch, ...]] = []

    def add(self, launches: Sequence[Launch], now: float) -> None:
        """Take Launches. Members of a gang must come together."""
        if not launches:
            return
        if launches[0].gang is not None:
            self._gangs.append(tuple(launches))
            return
        for launch in launches:
            kind = _Kind(launch.step, launch.resources.memory_mb)
            waiting = self._waiting.get(kind)
            if waiting is None:
                waiting = self._waiting[kind] = _Waiting(now)
            waiting.launches.append(launch)

    def remove(self, jobs: Collection[JobId]) -> list[Launch]:
        """Take out what is not wanted any more."""
        removed = []
        for kind, waiting in list(self._waiting.items()):
            removed += [one for one in waiting.launches if one.job in jobs]
            waiting.launches = [one for one in waiting.launches if one.job not in jobs]
            if not waiting.launches:
                del self._waiting[kind]
        for gang in list(self._gangs):
            if any(one.job in jobs for one in gang):
                removed += gang
                self._gangs.remove(gang)
        return removed

    def due(self, in_flight: Mapping[str, int], now: float) -> list[tuple[Launch, ...]]:
        """What is to be submitted now; ``in_flight`` counts jobs by step."""
        found = list(self._gangs)
        self._gangs = []
        waits = sum(len(waiting.launches) for waiting in self._waiting.values())
        if sum(in_flight.values()) + waits >= self._slots:
            self._room_since = None
        elif self._room_since is None:
            # For a moment only, maybe: ends are told before what takes their places comes.
            self._room_since = now
        for kind, waiting in list(self._waiting.items()):
            is_due = (
                len(waiting.launches) >= self._enough
                or not in_flight.get(kind.step)
                or now >= self._due_at(waiting)
            )
            if is_due:
                found += self._taken(kind)
        return found

    def rest(self) -> list[tuple[Launch, ...]]:
        """All that is left, whether it is due or not."""
        found = list(self._gangs)
        self._gangs = []
        for kind in list(self._waiting):
            found += self._taken(kind)
        return found

    def _taken(self, kind: _Kind) -> list[tuple[Launch, ...]]:
        launches = self._waiting.pop(kind).launches
        return [tuple(launches[at : at + LARGEST]) for at in range(0, len(launches), LARGEST)]

    def next_due(self) -> float | None:
        """When ``due`` gives something even if nothing happens until then."""
        return min(map(self._due_at, self._waiting.values()), default=None)

    def _due_at(self, waiting: _Waiting) -> float:
        latest = waiting.since + FULL_PATIENCE_S
        if self._room_since is None:
            return latest
        return min(latest, max(waiting.since, self._room_since) + PATIENCE_S)
