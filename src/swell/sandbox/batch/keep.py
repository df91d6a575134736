"""What a sandbox knows when it comes up again: resources, definitions, jobs. JSON, one format.

A job that had not ended when the sandbox went down has failed: its process is gone.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from swell.sandbox.batch.entities import (
    FAILED,
    STATES,
    Attempt,
    Document,
    Environment,
    Job,
    Queue,
    Work,
)
from swell.sandbox.batch.life import Life
from swell.sandbox.batch.world import World

STOPPED = "The sandbox was stopped."


class KeptPart(msgspec.Struct, frozen=True, kw_only=True):
    """A job, child or node, without what its submission asked for."""

    id: str
    kind: str
    status: str
    status_reason: str | None
    created_at: float
    started_at: float | None
    stopped_at: float | None
    attempts: list[Attempt]
    is_cancelled: bool
    is_terminated: bool


class KeptJob(msgspec.Struct, frozen=True):
    """What was submitted, and what became of it."""

    queue: str
    work: Work
    itself: KeptPart
    children: list[KeptPart]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Resources are the requests that make them."""

    format: Literal[1] = 1
    environments: list[Document]
    policies: list[Document]
    queues: list[Document]
    definitions: dict[str, list[Document]]
    jobs: list[KeptJob]


def kept_of(world: World) -> Kept:
    """What is worth keeping of ``world``."""
    resources = world.resources
    return Kept(
        environments=[_environment(one) for one in resources.environments.values()],
        policies=[policy.document for policy in resources.policies.values()],
        queues=[_queue(one) for one in resources.queues.values()],
        definitions=world.shelf.revisions,
        jobs=[
            KeptJob(job.queue.name, job.work, _part(job), [_part(one) for one in job.children])
            for job in world.jobs.values()
        ],
    )


def restore(kept: Kept, world: World, life: Life) -> None:
    """Put ``kept`` into an empty ``world``."""
    for request in kept.environments:
        world.resources.create_environment(request)
    for request in kept.policies:
        world.resources.create_policy(request)
    for request in kept.queues:
        world.resources.create_queue(request)
    world.shelf.revisions.update(kept.definitions)
    for entry in kept.jobs:
        if entry.queue in world.resources.queues:
            _restore_job(entry, world, life)
    world.is_dispatch_due = True


def _restore_job(entry: KeptJob, world: World, life: Life) -> None:
    queue = world.resources.queues[entry.queue]
    sequence = world.next_sequence()
    job = _job(entry.itself, entry.work, queue, sequence, world)
    for index, part in enumerate(entry.children):
        child = _job(part, entry.work, queue, sequence, world)
        child.index, child.parent = index, job
        job.children.append(child)
    states = [child.status for child in job.children]
    job.counts = {name: states.count(name) for name in STATES}
    job.published, job.published_at = dict(job.counts), world.now
    world.jobs[job.id] = queue.jobs[job.id] = job
    life.remember(job)


def _job(part: KeptPart, work: Work, queue: Queue, sequence: int, world: World) -> Job:
    job = Job(
        id=part.id,
        kind=part.kind,
        work=work,
        queue=queue,
        sequence=sequence,
        created_at=part.created_at,
        visible_at=world.now,
        status=part.status,
        status_reason=part.status_reason,
        attempts=part.attempts,
        started_at=part.started_at,
        stopped_at=part.stopped_at,
        is_cancelled=part.is_cancelled,
        is_terminated=part.is_terminated,
    )
    if not job.is_over:
        job.status, job.status_reason, job.stopped_at = FAILED, STOPPED, world.now
        if job.attempts and job.attempt.stopped_at is None:
            job.attempt.stopped_at, job.attempt.status_reason = world.now, STOPPED
    return job


def _part(job: Job) -> KeptPart:
    return KeptPart(
        id=job.id,
        kind=job.kind,
        status=job.status,
        status_reason=job.status_reason,
        created_at=job.created_at,
        started_at=job.started_at,
        stopped_at=job.stopped_at,
        attempts=job.attempts,
        is_cancelled=job.is_cancelled,
        is_terminated=job.is_terminated,
    )


def _environment(environment: Environment) -> Document:
    return {**environment.document, "state": environment.state}


def _queue(queue: Queue) -> Document:
    order = [
        {"order": place, "computeEnvironment": environment.name}
        for place, environment in enumerate(queue.order, 1)
    ]
    request = {
        **queue.document,
        "state": queue.state,
        "priority": queue.priority,
        "computeEnvironmentOrder": order,
    }
    if queue.policy is not None:
        request["schedulingPolicyArn"] = queue.policy.arn
    return request
