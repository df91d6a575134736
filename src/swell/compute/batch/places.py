"""Queues and their compute environments, each looked up once a process."""

from __future__ import annotations

from swell.compute.batch.api import BatchApi
from swell.compute.batch.defaults import BatchDefaults, completed
from swell.compute.batch.platforms import Platform, platform_of
from swell.compute.batch.preflight import queue_named
from swell.errors import ComputeError
from swell.model.job import StepPlan


class Places:
    """Platform by queue; for one thread."""

    def __init__(self, api: BatchApi, defaults: BatchDefaults) -> None:
        self._api = api
        self._defaults = defaults
        self._platforms: dict[str, Platform] = {}

    def platform_of(self, plan: StepPlan) -> Platform:
        """Where jobs of ``plan`` go. Raises ComputeError where there is no such queue."""
        name = completed(plan, self._defaults).queue
        if name is None or name not in self._platforms:
            found = self._api.describe_queues([name]) if name else []
            queue = queue_named(name, found, self._api.region if name else "", plan.step)
            places = sorted(queue.compute_environment_order, key=lambda place: place.order)
            environments = self._api.describe_environments(
                [place.compute_environment for place in places]
            )
            assert name is not None
            self._platforms[name] = platform_of(queue, environments)
        return self._platforms[name]

    def is_spot(self, plan: StepPlan, cluster: str) -> bool:
        """Whether machines of the cluster are spot machines; False where it cannot be known."""
        try:
            return self.platform_of(plan).may_be_spot(cluster)
        except ComputeError:
            return False
