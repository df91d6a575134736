"""A running attempt for decorators under test: it records what they ask of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from swell.authoring.decorator import StepDecorator, in_entering_order
from swell.model.ids import JobId
from swell.model.job import Fallback, Gang, Inputs, Launch


class ScriptedTask:
    """Runs a step function inside decorators, as the task runner does."""

    def __init__(
        self,
        attempt: int = 0,
        attempts: int = 1,
        gang: Gang | None = None,
        fallback: Fallback | None = None,
        inputs: object = None,
    ) -> None:
        self.flow: Any = SimpleNamespace()
        self.step = "work"
        self.inputs = inputs
        self.launch = Launch(
            JobId("7", attempt), "work", attempts, Inputs(), gang=gang, fallback=fallback
        )
        self.is_last_attempt = attempt >= attempts - 1
        self.current: dict[str, object] = {}
        self.metadata: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.caught: BaseException | None = None
        self.next_keywords: Mapping[str, object] | None = None
        self.skipped_with: Mapping[str, object] | None = None
        self.replacement: Callable[..., object] | None = None

    def ends_with(self, error: BaseException) -> bool:
        return self.is_last_attempt

    def set_current(self, name: str, value: object) -> None:
        self.current[name] = value

    def replace_step(self, call: Callable[..., object]) -> None:
        self.replacement = call

    def skip_step(self, next_keywords: Mapping[str, object]) -> None:
        self.skipped_with = next_keywords

    def set_next_keywords(self, next_keywords: Mapping[str, object]) -> None:
        self.next_keywords = next_keywords

    def mark_caught(self, error: BaseException) -> None:
        self.caught = error

    def hide(self, values: Iterable[str]) -> None:
        self.hidden.update(values)

    def add_metadata(self, name: str, value: str, type: str | None = None) -> None:
        self.metadata[name] = value

    def run(self, decorators: list[StepDecorator], code: Callable[..., object]) -> object:
        """What the step, or what replaced it, returned; None if it was skipped."""
        resolved = [decorator.resolve({}) for decorator in decorators]
        with ExitStack() as entered:
            for decorator in in_entering_order(resolved):
                entered.enter_context(decorator.around(self))
            if self.skipped_with is not None:
                return None
            return (self.replacement or code)(self.flow)
        return None


@pytest.fixture
def make_task() -> type[ScriptedTask]:
    return ScriptedTask
