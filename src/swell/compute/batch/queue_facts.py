"""Gathers what can be seen of a queue; what may not be looked at is named and left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from swell.compute.batch.api import BatchApi
from swell.compute.batch.api_errors import AccessDenied
from swell.compute.batch.records import Consumable
from swell.compute.batch.waiting import QueueFacts
from swell.errors import ComputeError

_T = TypeVar("_T")


def look_at_queue(api: BatchApi, name: str, consumables: tuple[str, ...] = ()) -> QueueFacts:
    """A fresh look, in at most five calls and one for each of ``consumables``.

    A service that does not answer, or an emulator that lacks an operation, leaves a gap too.
    """
    denied: list[str] = []
    queues = _seen(lambda: api.describe_queues([name]), denied) or []
    queue = queues[0] if queues else None
    if queue is None:
        return QueueFacts(name, denied=tuple(denied))
    places = sorted(queue.compute_environment_order, key=lambda place: place.order)
    names = [place.compute_environment for place in places]
    environments = _seen(lambda: api.describe_environments(names), denied) or []
    clusters = [e.ecs_cluster_arn for e in environments if _wants_machines_of_its_own(e)]
    found: list[Consumable] = []
    for resource in consumables:
        answer = _seen(lambda resource=resource: api.consumable(resource), denied)  # type: ignore[misc]  # a bound default
        if answer is not None:
            found.append(answer)
    return QueueFacts(
        name=queue.job_queue_name,
        state=queue.state,
        status=queue.status,
        status_reason=queue.status_reason,
        has_shares=queue.has_shares,
        environments=tuple(environments),
        snapshot=_seen(lambda: api.snapshot(name), denied),
        hosts=_seen(lambda: api.hosts_of(clusters), denied) if clusters else None,
        consumables=tuple(found),
        denied=tuple(denied),
    )


def _wants_machines_of_its_own(environment: object) -> bool:
    resources = getattr(environment, "compute_resources", None)
    if resources is None or resources.type.startswith("FARGATE"):
        return False
    return bool(resources.desired_vcpus and getattr(environment, "ecs_cluster_arn", ""))


def _seen(ask: Callable[[], _T], denied: list[str]) -> _T | None:
    try:
        return ask()
    except AccessDenied as error:
        denied.append(error.right)
    except ComputeError:
        # A gap in what is known; nobody depends on it.
        return None
    return None
