"""The jobs of one flow on AWS Batch, for those who look from outside: list, end, explain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from swell.compute.batch.api import BatchApi
from swell.compute.batch.defaults import access_from, defaults_from
from swell.compute.batch.killing import Killing, kill_all
from swell.compute.batch.listing import FlowOfJobs, ListedJob, unfinished_jobs
from swell.compute.batch.queue import BatchQueue
from swell.errors import ComputeError, UsageError
from swell.model.batch import BatchOptions
from swell.model.facts import QUEUES_FACT, RunFact
from swell.model.ids import PARAMETERS_STEP
from swell.model.job import StepPlan
from swell.model.submission_name import named_as
from swell.seams.metastore import Metastore
from swell.seams.queue import Submission, Waiting, Watched
from swell.settings import Settings

_RUNS_ASKED = 100
"""Of so many runs, the newest, it is looked up to which queues their jobs went."""
_NAME_ONE = "Set SWELL_BATCH_JOB_QUEUE, or name it: --with batch:queue=NAME before 'batch'."

Say = Callable[[str], None]


class Wanted(NamedTuple):
    """Whose jobs: those of ``runs`` (newest first) of a flow in one database."""

    store_id: str
    flow: str
    runs: Sequence[RunFact]


def choose_runs(
    runs: Sequence[RunFact], run: str | None, user: str | None, me: str
) -> Sequence[RunFact]:
    """Of all ``runs`` of a flow, newest first, those that are meant: ``run``, those of
    ``user``, both where both are given; else the latest of ``me``."""
    if run is None and user is None:
        return [fact for fact in runs if fact.user == me][:1]
    return [
        fact
        for fact in runs
        if (run is None or str(fact.id.number) == run) and user in (None, fact.user)
    ]


def queues_of(
    plans: Iterable[StepPlan], settings: Settings, metastore: Metastore, runs: Sequence[RunFact]
) -> list[str]:
    """The queues that jobs may be in: those the runs went to, those that the script names
    now, and the one of the settings. Raises UsageError where there is none."""
    found: dict[str, None] = {}
    for run in runs[:_RUNS_ASKED]:
        for attempt in metastore.attempts(run.id, PARAMETERS_STEP):
            text = attempt.metadata.get(QUEUES_FACT, ("", ""))[1]
            found.update(dict.fromkeys(text.split()))
    found.update(
        (plan.batch.queue, None) for plan in plans if plan.batch is not None and plan.batch.queue
    )
    if settings.batch_queue:
        found[settings.batch_queue] = None
    if not found:
        raise UsageError(
            "No queue of AWS Batch is named: not by the run, the script, or the settings.",
            remedy=_NAME_ONE,
        )
    return list(found)


class BatchJobs:
    """Unfinished jobs of ``wanted`` in ``queues``. ``say`` tells of a service that is away.

    All methods raise ComputeError. Close it.
    """

    def __init__(self, wanted: Wanted, queues: Sequence[str], settings: Settings, say: Say) -> None:
        self._api = BatchApi(access_from(settings), say=say)
        self._queue = BatchQueue(self._api, defaults_from(settings), loader="")
        self._named = queues
        self._there: list[str] | None = None
        self._runs = {str(fact.id.number) for fact in wanted.runs}
        run = next(iter(self._runs)) if len(self._runs) == 1 else None
        self._flow = FlowOfJobs(wanted.store_id, wanted.flow, run)

    def unfinished(self) -> list[ListedJob]:
        """Newest first."""
        if not self._runs:
            return []
        if self._there is None:
            self._there = self._queues_there()
        jobs = unfinished_jobs(self._api, self._there, self._flow)
        return [job for job in jobs if job.run in self._runs]

    def kill(self, by: str) -> Killing:
        """End all, also those that are submitted meanwhile, and wait until they have ended.

        ``by`` names the user, for the reason that Batch keeps.
        """
        return kill_all(self._api, self.unfinished, self._flow, by)

    def waiting(self, jobs: Sequence[ListedJob]) -> dict[str, Waiting]:
        """By engine id, why those wait of which nothing runs."""
        watched = [_watched(job) for job in jobs]
        return {one.engine_id: one for one in self._queue.waiting(watched)}

    def close(self) -> None:
        """Close connections."""
        self._api.close()

    def _queues_there(self) -> list[str]:
        """Those that exist: a queue of an old run may be gone, with all its jobs."""
        found = self._api.describe_queues(self._named)
        if not found:
            names = ", ".join(f"'{name}'" for name in self._named)
            raise ComputeError(
                f"There is no queue {names} in the region {self._api.region}.",
                remedy=_NAME_ONE,
            )
        return [queue.job_queue_name for queue in found]


def end_jobs_of(
    run: RunFact, metastore: Metastore, settings: Settings, by: str, say: Say
) -> Sequence[ListedJob]:
    """End all that AWS Batch has of ``run``, and wait for it; what was ended.

    Raises UsageError where no queue is known, ComputeError where Batch cannot be asked or
    does not end them.
    """
    queues = queues_of((), settings, metastore, [run])
    jobs = BatchJobs(Wanted(metastore.store_id, run.id.flow, [run]), queues, settings, say)
    try:
        done = jobs.kill(by)
    finally:
        jobs.close()
    if done.left:
        count = sum(job.count for job in done.left)
        raise ComputeError(
            f"{count} tasks of run {run.id} were asked to end, and AWS Batch does not say that "
            "they have.",
            remedy="Try again in a minute, or end them in the console of AWS Batch.",
        )
    return done.asked


def with_real_steps(jobs: Iterable[ListedJob], steps: Collection[str]) -> list[ListedJob]:
    """``jobs`` with the names of steps as the script writes them: names of jobs may have
    them cut, or with letters replaced."""
    real = {named_as(step): step for step in steps}
    return [msgspec.structs.replace(job, step=real.get(job.step, job.step)) for job in jobs]


def _watched(job: ListedJob) -> Watched:
    # What it asks for is in Batch's own description: the script may have changed since.
    plan = StepPlan(job.step, backend="batch", batch=BatchOptions(queue=job.queue))
    submission = Submission(job.name, plan, job.count, job.is_gang)
    return Watched(job.engine_id, submission, range(job.count))
