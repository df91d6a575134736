"""Why submissions wait: looks at them and at their queues, and asks ``waiting`` for words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swell.compute.batch.api import BatchApi
from swell.compute.batch.members import Form, form_of
from swell.compute.batch.places import Places
from swell.compute.batch.platforms import size_on
from swell.compute.batch.queue_facts import look_at_queue
from swell.compute.batch.records import Job
from swell.compute.batch.sizes import size_of
from swell.compute.batch.waiting import QueueFacts, WaitingJob, why_it_waits
from swell.errors import ComputeError
from swell.seams.queue import Waiting, Watched

CHILDREN_ASKED = 5
"""Of so many arrays at most a child is looked up, since only it has Batch's own words."""


def explain(
    api: BatchApi,
    places: Places,
    watched: Sequence[Watched],
    first_seen: Mapping[str, tuple[str, float]],
    now: float,
) -> list[Waiting]:
    """A sentence for each submission of which nothing runs; each queue is looked at once."""
    jobs = {job.job_id: job for job in api.describe_jobs(one.engine_id for one in watched)}
    facts: dict[str, QueueFacts] = {}
    told: list[Waiting] = []
    asked = 0
    for one in watched:
        parent = jobs.get(one.engine_id)
        status = waiting_status(parent, form_of(one.submission.count, one.submission.is_gang))
        if parent is None or status is None:
            continue
        platform = places.platform_of(one.submission.plan)
        if platform.name not in facts:
            facts[platform.name] = look_at_queue(api, platform.name)
        words = parent.status_reason
        if parent.array_properties is not None and status == "RUNNABLE" and not words:
            if asked < CHILDREN_ASKED:
                words = _words_of_a_child(api, one.engine_id)
            asked += 1
        job = WaitingJob(
            status=status,
            size=size_of(parent) or size_on(platform, one.submission.plan),
            waited_s=max(0.0, now - _since(parent, first_seen)),
            status_reason=words,
            rank=rank_of(one.engine_id, facts[platform.name]),
            share=parent.share_identifier,
        )
        verdict = why_it_waits(job, facts[platform.name])
        told.append(Waiting(one.engine_id, verdict.sentence, verdict.remedy))
    return told


def waiting_status(parent: Job | None, form: Form) -> str | None:
    """In which state its members wait; None where some run, or all have ended.

    The parent of an array says PENDING while its children wait for machines, or run.
    """
    if parent is None or parent.has_ended or parent.status == "RUNNING":
        return None
    if form is not Form.ARRAY or parent.array_properties is None:
        return parent.status
    counts = parent.array_properties.status_summary
    if counts.get("RUNNING", 0):
        return None
    for state in ("STARTING", "RUNNABLE"):
        if counts.get(state, 0):
            return state
    return parent.status


def rank_of(engine_id: str, facts: QueueFacts) -> int | None:
    """The place, from 1, of its first member among those that wait for a machine."""
    front = facts.snapshot.front_of_queue.jobs if facts.snapshot else ()
    for rank, job in enumerate(front, 1):
        own = job.job_arn.rpartition("/")[2]
        if own.partition(":")[0].partition("#")[0] == engine_id:
            return rank
    return None


def _words_of_a_child(api: BatchApi, engine_id: str) -> str:
    try:
        first = next(api.list_jobs(1, arrayJobId=engine_id, jobStatus="RUNNABLE"), None)
    except ComputeError:
        return ""
    return "" if first is None else first.status_reason


def _since(parent: Job, first_seen: Mapping[str, tuple[str, float]]) -> float:
    """When its state began as far as is known: Batch itself keeps only when it was made."""
    status, at = first_seen.get(parent.job_id, ("", 0.0))
    made_at = parent.created_at / 1000
    return at if status == parent.status and at else made_at
