"""All that a batch system must provide; grouping, results and logs are built on it once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from swell.model.cause import Evidence
from swell.model.job import JobState, StepPlan


class Submission(msgspec.Struct, frozen=True):
    """Jobs of one step that are submitted together: a lone one, an array, or a gang.

    ``name`` is unique, the same each time it is made from the same attempts, and at most
    128 of ``[A-Za-z0-9_-]``. ``count`` members are numbered from 0. A gang's members run
    at the same time, on a node each. ``environment`` is the same for all members and of
    constant size; ``tags`` are for people who look at the queue. ``memory_mb`` is set where
    they get other memory than the plan says, after one that ran out of it.
    """

    name: str
    plan: StepPlan
    count: int
    is_gang: bool = False
    environment: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    memory_mb: int | None = None


class Watched(msgspec.Struct, frozen=True):
    """A submission some of whose members have not ended, as far as the driver knows."""

    engine_id: str
    submission: Submission
    unfinished: Collection[int]


class MemberUpdate(msgspec.Struct, frozen=True):
    """What the queue says of member ``index`` of a submission; ``at`` is Unix seconds.

    ``evidence`` comes with EXITED and LOST. There is no success here: only what the
    attempt left says how it went.
    """

    engine_id: str
    index: int
    state: JobState
    at: float
    evidence: Evidence | None = None
    note: str = ""


class Waiting(NamedTuple):
    """Why a submission does not run yet: a sentence, and what to do (may be empty)."""

    engine_id: str
    sentence: str
    remedy: str


class KeptLine(NamedTuple):
    """A line that the queue kept of what a job printed; ``at`` is Unix seconds."""

    at: float
    text: str


class JobQueue(Protocol):
    """AWS Batch, Slurm, Kubernetes: submit, look, cancel. Called from one thread.

    All methods raise ComputeError; ``retryable`` where a second try can help.
    """

    def check(self, plans: Sequence[StepPlan]) -> list[str]:
        """Look at what ``plans`` ask for before anything is submitted.

        Returns warnings. Raises ComputeError for what could never run.
        """
        ...

    def submit(self, submission: Submission) -> str:
        """Submit it and return the engine's id for it."""
        ...

    def find(self, name: str, plan: StepPlan) -> str | None:
        """The engine's id of a submission that may have been made; None when it was not."""
        ...

    def look(self, watched: Sequence[Watched]) -> list[MemberUpdate]:
        """What changed since the last look; ends of members not in ``unfinished`` are left out.

        A member the queue does not know any more is LOST only after a time of grace.
        """
        ...

    def waiting(self, watched: Sequence[Watched]) -> list[Waiting]:
        """Why what does not run yet waits; nothing for what runs."""
        ...

    def cancel(self, engine_ids: Collection[str], why: str) -> None:
        """End all members of these submissions, whatever they do; unknown ids are ignored."""
        ...

    def cancel_members(self, members: Collection[tuple[str, int]], why: str) -> None:
        """End single members: (engine id, index)."""
        ...

    def last_lines(
        self, members: Mapping[tuple[str, int], float]
    ) -> Mapping[tuple[str, int], Sequence[KeptLine]]:
        """What members, (engine id, index), printed last and not before a time (Unix
        seconds), as far as the queue itself kept it: some thousand lines at most.

        For members that could not tell it. Those of which nothing was kept are left out.
        """
        ...

    def close(self) -> None:
        """Let go of connections; ends no job."""
        ...
