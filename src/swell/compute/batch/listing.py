"""The unfinished jobs of one flow in a queue that others use too, and their end on request."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from swell.compute.batch.api import BatchApi, Refusal
from swell.compute.batch.ends import OWN_REASON
from swell.compute.batch.records import Job
from swell.model.submission_name import name_prefix, read_name

USER_TAG = "swell:user"
RUN_TAG = "swell:run"
FLOW_TAG = "swell:flow"
STEP_TAG = "swell:step"


class FlowOfJobs(msgspec.Struct, frozen=True):
    """Whose jobs are meant: those of ``flow`` in the database ``store_id``, or of one run."""

    store_id: str
    flow: str
    run: str | None = None


class ListedJob(msgspec.Struct, frozen=True):
    """A job, array or gang that has not ended.

    ``states`` counts the members of an array per state; ``run`` and ``step`` are as they
    stand in its name (see ``submission_name.named_as``).
    """

    engine_id: str
    name: str
    queue: str
    state: str
    run: str
    step: str
    count: int = 1
    states: tuple[tuple[str, int], ...] = ()
    is_gang: bool = False
    created_at: float = 0.0


def unfinished_jobs(api: BatchApi, queues: Sequence[str], wanted: FlowOfJobs) -> list[ListedJob]:
    """Newest first. Jobs of others are not read: Batch looks names up by their beginning, so
    that it costs a call a queue and for each hundred jobs of the flow itself, and one for
    each hundred of its arrays, whose counts stand in their descriptions alone."""
    prefix = name_prefix(wanted.store_id, wanted.flow, wanted.run)
    filters = [{"name": "JOB_NAME", "values": [f"{prefix}*"]}]
    found: list[ListedJob] = []
    for queue in dict.fromkeys(queues):
        jobs = [
            job
            for job in api.list_jobs(jobQueue=queue, filters=filters)
            # The filter does not tell capital letters from small ones.
            if job.job_name.startswith(prefix) and not job.has_ended
        ]
        arrays = [job.job_id for job in jobs if job.array_properties is not None]
        details = {job.job_id: job for job in api.describe_jobs(arrays)}
        found += [_listed(details.get(job.job_id, job), job, queue) for job in jobs]
    return sorted(found, key=lambda job: job.created_at, reverse=True)


def kill_jobs(
    api: BatchApi, jobs: Sequence[ListedJob], wanted: FlowOfJobs, by: str
) -> list[Refusal]:
    """End ``jobs``, fifty a call; returns those that Batch would not end.

    Whatever is passed, only jobs of the flow are ended. ``by`` names the user, for the
    reason that Batch keeps.
    """
    prefix = name_prefix(wanted.store_id, wanted.flow, wanted.run)
    ids = [job.engine_id for job in jobs if job.name.startswith(prefix)]
    return api.terminate_jobs(ids, f"{OWN_REASON}killed by {by}")


def _listed(job: Job, summary: Job, queue: str) -> ListedJob:
    named = read_name(job.job_name)
    array = job.array_properties or summary.array_properties
    nodes = job.node_properties or summary.node_properties
    count = (array.size if array else None) or (nodes.num_nodes if nodes else None) or 1
    states = tuple((s, n) for s, n in (array.status_summary if array else {}).items() if n)
    return ListedJob(
        engine_id=job.job_id,
        name=job.job_name,
        queue=queue,
        state=job.status,
        run=named.run if named else "",
        step=named.step if named else "",
        count=count,
        states=states,
        is_gang=nodes is not None,
        created_at=job.created_at / 1000,
    )
