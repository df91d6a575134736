"""``@retry``: further attempts after a failed one, and how long to wait before each."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import number, optional_number, whole_number
from swell.model.job import StepPlan

MOST_RETRIES = 10


class RetryDecorator(StepDecorator):
    """Try again up to ``times`` (0 to 10) after any failure of an attempt, death included.

    Before the first retry ``minutes_between_retries`` are waited (not given: none here,
    two for remote jobs), before each further one ``backoff`` times as long. ``times=0``
    forbids every second run, also one that would not count.
    """

    name = "retry"
    defaults: ClassVar = {"times": 3, "minutes_between_retries": None, "backoff": 1}

    def check_arguments(self) -> None:
        self._times()
        self._wait_s()
        self._backoff()

    def plan(self, plan: StepPlan) -> StepPlan:
        times = self._times()
        return msgspec.structs.replace(
            plan,
            attempts=max(plan.attempts, 1 + times),
            uncounted_attempts=plan.uncounted_attempts if times else 0,
            retry_wait_s=self._wait_s(),
            retry_backoff=self._backoff(),
        )

    def _times(self) -> int:
        return whole_number(self, "times", maximum=MOST_RETRIES)

    def _wait_s(self) -> float | None:
        minutes = optional_number(self, "minutes_between_retries")
        return None if minutes is None else minutes * 60

    def _backoff(self) -> float:
        return number(self, "backoff", minimum=1)


retry = StepDecoratorFactory(RetryDecorator)
