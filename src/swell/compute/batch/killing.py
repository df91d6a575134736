"""Ends jobs and does not rest before Batch says that none is left, or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from swell.compute.batch.api import BatchApi, Refusal, TimeSource
from swell.compute.batch.listing import FlowOfJobs, ListedJob, kill_jobs

KILL_WITHIN_S = 120.0
"""Batch asks a container to end, and ends it 30 s later; machines need a while to tell."""
_LOOKS_S = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Waits before looks; the last holds for all further ones."""


class Killing(NamedTuple):
    """How it went: what was asked to end, of that what has not, and what Batch refused."""

    asked: tuple[ListedJob, ...]
    left: tuple[ListedJob, ...]
    refused: tuple[Refusal, ...]


def kill_all(
    api: BatchApi,
    find: Callable[[], Sequence[ListedJob]],
    wanted: FlowOfJobs,
    by: str,
    *,
    within_s: float = KILL_WITHIN_S,
    times: TimeSource | None = None,
) -> Killing:
    """End what ``find`` finds, wait until it has ended, and look again: what a driver
    submitted in between goes too. Nothing but jobs of ``wanted`` is ended.

    Raises ComputeError.
    """
    clock, sleep, _ = times or TimeSource(time.monotonic, time.sleep)
    until = clock() + within_s
    asked: dict[str, ListedJob] = {}
    while True:
        fresh = list(find())
        if not fresh or (asked and clock() >= until):
            return Killing(tuple(asked.values()), tuple(fresh), ())
        asked.update((job.engine_id, job) for job in fresh)
        refused = kill_jobs(api, fresh, wanted, by)
        left = _wait_for_ends(api, [job.engine_id for job in fresh], lambda: until - clock(), sleep)
        if left:
            return Killing(tuple(asked.values()), tuple(asked[one] for one in left), tuple(refused))


def _wait_for_ends(
    api: BatchApi,
    ids: Collection[str],
    left_s: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[str]:
    """The ids that had not ended when time was up; what Batch does not know has ended."""
    left = list(ids)
    looks = 0
    while left:
        wait = _LOOKS_S[min(looks, len(_LOOKS_S) - 1)]
        if left_s() < wait:
            return left
        sleep(wait)
        looks += 1
        left = [job.job_id for job in api.describe_jobs(left) if not job.has_ended]
    return left
