"""What is reported of jobs that could not be begun here."""

from __future__ import annotations

from collections.abc import Collection

from swell.model.cause import Evidence
from swell.model.ids import JobId
from swell.model.job import JobState, JobUpdate, Launch


def all_lost(jobs: Collection[JobId], at: float, reason: str) -> list[JobUpdate]:
    """LOST for each of ``jobs``."""
    evidence = Evidence(reason=reason)
    return [JobUpdate(job, JobState.LOST, at, evidence=evidence) for job in jobs]


def no_script(launch: Launch) -> str:
    """That ``launch`` needs a fresh interpreter and there is no script for it."""
    return (
        f"Step '{launch.step}' needs a fresh interpreter, but this flow is not in a script "
        "that one could run."
    )
