"""Decides which Launches go into one submission, and when; pure.

A batch system takes thousands of jobs in one request as fast as one. So Launches of a step
wait a moment for their siblings, but never while nothing of their step runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from swell.model.ids import JobId
from swell.model.job import Launch

LARGEST = 10_000
"""Members of an array job: docs.aws.amazon.com/batch/latest/userguide/array_jobs.html."""
PATIENCE_S = 2.0
"""How long a Launch waits at most for siblings."""
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
        self._enough = max(1, int(max_workers * REFILL_SHARE))
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
        for kind, waiting in list(self._waiting.items()):
            is_due = (
                len(waiting.launches) >= self._enough
                or not in_flight.get(kind.step)
                or now - waiting.since >= PATIENCE_S
            )
            if is_due:
                del self._waiting[kind]
                launches = waiting.launches
                found += [
                    tuple(launches[at : at + LARGEST]) for at in range(0, len(launches), LARGEST)
                ]
        return found

    def rest(self) -> list[tuple[Launch, ...]]:
        """All that is left, whether it is due or not."""
        return self.due({}, float("inf"))

    def next_due(self) -> float | None:
        """When ``due`` gives something even if nothing happens until then."""
        times = [waiting.since + PATIENCE_S for waiting in self._waiting.values()]
        return min(times) if times else None
