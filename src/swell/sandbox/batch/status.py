"""What the sandbox's Batch has and does just now, in few numbers."""

from __future__ import annotations

import msgspec

from swell.sandbox.batch.entities import STATES
from swell.sandbox.batch.faults import Faults
from swell.sandbox.batch.world import World


class QueueStatus(msgspec.Struct, frozen=True):
    """A queue; ``jobs`` counts plain jobs, children and multi-node jobs by state."""

    name: str
    state: str
    environments: tuple[str, ...]
    jobs: dict[str, int]


class EnvironmentStatus(msgspec.Struct, frozen=True):
    """A compute environment: vCPUs of its instances, and of them what is free."""

    name: str
    kind: str
    state: str
    status: str
    max_vcpus: int
    used_vcpus: float
    free_vcpus: float
    instances: int


class Status(msgspec.Struct, frozen=True):
    """All of it; ``calls`` counts requests to the API by operation, refused ones too."""

    queues: tuple[QueueStatus, ...]
    environments: tuple[EnvironmentStatus, ...]
    faults: Faults
    calls: dict[str, int] = {}


def status_of(world: World) -> Status:
    """The status of ``world``."""
    queues = []
    for queue in world.resources.queues.values():
        counts = dict.fromkeys(STATES, 0)
        for top in queue.jobs.values():
            for job in top.children if top.kind == "array" and top.children else [top]:
                counts[job.status] += 1
        names = tuple(environment.name for environment in queue.order)
        queues.append(QueueStatus(queue.name, queue.state, names, counts))
    environments = tuple(
        EnvironmentStatus(
            one.name,
            one.kind,
            one.state,
            one.status,
            one.max_vcpus,
            one.used_vcpus,
            one.free_vcpus,
            len(one.hosts),
        )
        for one in world.resources.environments.values()
    )
    return Status(tuple(queues), environments, world.capacity.faults)
