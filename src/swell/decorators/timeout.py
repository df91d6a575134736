"""``@timeout``: how long one attempt of a step may run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar

import msgspec

from swell.authoring.context import TaskContext
from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import number
from swell.errors import TimeoutException
from swell.model.job import StepPlan


class TimeoutDecorator(StepDecorator):
    """End an attempt after ``seconds`` + ``minutes`` + ``hours``, counted from the step's code.

    The step's main thread gets a TimeoutException; code that does not yield to it is
    ended by the backend, with all processes it started.
    """

    name = "timeout"
    defaults: ClassVar = {"seconds": 0, "minutes": 0, "hours": 0}
    layer = 2

    def check_arguments(self) -> None:
        if self.limit_s == 0:
            raise self.problem(
                "@timeout allows no time at all.",
                remedy="Give seconds, minutes or hours above 0.",
            )

    @property
    def limit_s(self) -> float:
        """The sum of the three arguments, in seconds."""
        return number(self, "seconds") + 60 * number(self, "minutes") + 3600 * number(self, "hours")

    def plan(self, plan: StepPlan) -> StepPlan:
        return msgspec.structs.replace(plan, timeout_s=self.limit_s)

    @contextmanager
    def around(self, task: TaskContext) -> Iterator[None]:
        limit_s = self.limit_s

        def expired(_number: int, frame: FrameType | None) -> None:
            raise TimeoutException(
                f"Step '{task.step}' ran longer than its limit of {_in_words(limit_s)}; "
                f"it was {_place_in_words(frame)}.",
                remedy="Raise the limit in @timeout, or make the step faster.",
            )

        before = signal.signal(signal.SIGALRM, expired)
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _in_words(seconds: float) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{value:g} {unit}" for value, unit in parts if value) or "0 s"


def _place_in_words(frame: FrameType | None) -> str:
    if frame is None:
        return "at an unknown place"
    code = frame.f_code
    return f"in {code.co_name}, {code.co_filename}, line {frame.f_lineno}"


timeout = StepDecoratorFactory(TimeoutDecorator)
