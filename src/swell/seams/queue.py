"""All that a batch system must provide; polling, grouping and logs are built on it once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from swell.model.ids import JobId
from swell.model.job import JobState, Launch


class JobQueue(Protocol):
    """AWS Batch, Slurm, Kubernetes: submit, look, cancel."""

    def submit(self, launches: Sequence[Launch]) -> list[JobId]:
        """Submit ``launches`` and return their ids in the same order."""
        ...

    def states(self, jobs: Collection[JobId]) -> Mapping[JobId, JobState]:
        """What the queue knows of ``jobs``; an unknown job is left out, never guessed."""
        ...

    def cancel(self, jobs: Collection[JobId], why: str) -> None:
        """Ask the queue to end ``jobs``."""
        ...
