"""GetJobQueueSnapshot: the front of a queue, and what it uses."""

from __future__ import annotations

from swell.sandbox.batch.details import milliseconds
from swell.sandbox.batch.entities import RUNNING, STARTING, Document, Job, Queue
from swell.sandbox.batch.life import parts
from swell.sandbox.batch.world import World

LENGTH = 100
SHARES = 20


def snapshot(queue: Queue, world: World) -> Document:
    """The first hundred RUNNABLE jobs in the order in which they get a place, and vCPUs in use."""
    now_ms = milliseconds(world.now)
    front = [
        {
            "jobArn": world.names.arn("job", job.id),
            "earliestTimeAtPosition": milliseconds(max(queue.moved_at, job.runnable_at or 0.0)),
        }
        for job in world.line(queue).front(LENGTH)
    ]
    unit = "VCPU"
    usage = _usage(queue)
    total: Document = {"capacityUnit": unit, "quantity": sum(usage.values())}
    utilization: Document = {"totalCapacityUsage": [total], "lastUpdatedAt": now_ms}
    if queue.policy is not None:
        busiest = sorted(usage.items(), key=lambda item: -item[1])[:SHARES]
        utilization["fairshareUtilization"] = {
            "activeShareCount": len(usage),
            "topCapacityUtilization": [
                {
                    "shareIdentifier": share,
                    "capacityUsage": [{"capacityUnit": unit, "quantity": vcpus}],
                }
                for share, vcpus in busiest
            ],
        }
    return {
        "frontOfQueue": {"jobs": front, "lastUpdatedAt": now_ms},
        "queueUtilization": utilization,
    }


def _usage(queue: Queue) -> dict[str, float]:
    usage: dict[str, float] = {}
    for top in queue.jobs.values():
        members: list[Job] = top.children if top.kind == "array" else [top]
        for job in members:
            if job.status in (STARTING, RUNNING):
                share = job.work.share or ""
                vcpus = sum(part.container.need.vcpus for part in parts(job))
                usage[share] = usage.get(share, 0.0) + vcpus
    return usage
