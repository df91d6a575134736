"""``@environment``: variables set for the code of one step."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import msgspec

from swell.authoring.context import TaskContext
from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.bootstrap.threads import THREAD_VARIABLES
from swell.model.job import StepPlan

_READ_AT_LOAD = ("OMP_", "OPENBLAS_", "MKL_", "POLARS_", "LD_", "PYTHON", "CUDA_")


class EnvironmentDecorator(StepDecorator):
    """Set ``vars`` (values are made text) before the step's code starts, for it alone."""

    name = "environment"
    defaults: ClassVar = {"vars": {}}
    secret_arguments = frozenset({"vars"})

    def check_arguments(self) -> None:
        self._variables()

    def plan(self, plan: StepPlan) -> StepPlan:
        given = self._variables()
        names = read_at_load(given)
        if any(name in given for name in THREAD_VARIABLES):
            plan = msgspec.structs.replace(plan, sets_threads=True)
        if not names or plan.fresh_because:
            return plan
        reason = f"@environment sets {', '.join(names)}, which libraries read when they load"
        return msgspec.structs.replace(plan, fresh_because=reason)

    def read_at_load(self) -> dict[str, str]:
        """Variables that must stand in the environment before the script is imported."""
        given = self._variables()
        return {name: given[name] for name in read_at_load(given)}

    @contextmanager
    def around(self, task: TaskContext) -> Iterator[None]:
        with variables_set(self._variables()):
            yield

    def _variables(self) -> dict[str, str]:
        given = self.attributes["vars"]
        if not isinstance(given, Mapping):
            raise self.problem(
                f"@environment: vars is a {type(given).__name__}, not a mapping.",
                remedy="Write vars={'NAME': 'value'}.",
            )
        for name in given:
            if not isinstance(name, str) or not name or "=" in name or "\0" in name:
                raise self.problem(
                    f"@environment: {name!r} cannot name a variable.",
                    remedy="Use text without '='.",
                )
        return {name: str(value) for name, value in given.items()}


def read_at_load(names: Mapping[str, str]) -> list[str]:
    """Those variables that a library reads once, when it is loaded."""
    return [name for name in names if name.startswith(_READ_AT_LOAD)]


@contextmanager
def variables_set(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and afterwards put back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


environment = StepDecoratorFactory(EnvironmentDecorator)
