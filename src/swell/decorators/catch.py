"""``@catch``: a step may fail and the run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import ClassVar

import msgspec

from swell.authoring.context import TaskContext
from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import flag
from swell.errors import ExceptionWrapper, FailureHandledByCatch, FlowError, InternalError
from swell.model.graph import Graph, NodeType
from swell.model.job import StepPlan

FALLBACK_ATTEMPTS = 3
_CANNOT_GO_ON = {
    NodeType.FOREACH: "opens a foreach: without its list the run could not go on",
    NodeType.SWITCH: "chooses the next step: without its value the run could not go on",
}


class CatchDecorator(StepDecorator):
    """After the last attempt take the failure: the run goes on along the step's transition.

    Artifact ``var`` then holds an ExceptionWrapper, and None when all went well. The
    traceback goes to stdout unless ``print_exception`` is False.
    """

    name = "catch"
    defaults: ClassVar = {"var": None, "print_exception": True}
    layer = 0

    def check_arguments(self) -> None:
        var = self.attributes["var"]
        if var is not None and not (isinstance(var, str) and var.isidentifier()):
            raise self.problem(
                f"@catch: var is {var!r}.", remedy="Give the name of an artifact, as text."
            )
        flag(self, "print_exception")

    def check(self, graph: Graph, step: str) -> None:
        node = graph.nodes[step]
        reason = _CANNOT_GO_ON.get(node.type)
        if reason:
            raise FlowError(
                f"@catch stands on step '{step}', which {reason}.",
                remedy="Move what can fail to a step before it, and put @catch there.",
                source_file=node.file,
                line_no=node.line,
            )

    def plan(self, plan: StepPlan) -> StepPlan:
        return msgspec.structs.replace(plan, fallback_attempts=FALLBACK_ATTEMPTS)

    @contextmanager
    def around(self, task: TaskContext) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not task.ends_with(error):
                raise
            self._take(task, error)
        else:
            self._keep(task, None)

    def record_fallback(self, task: TaskContext) -> None:
        """On a fallback launch, where no user code runs: keep that the attempts died."""
        fallback = task.launch.fallback
        if fallback is None:
            raise InternalError(f"Step '{task.step}' was not launched to record a failure.")
        error = FailureHandledByCatch(
            f"Step '{task.step}' died in {_times(fallback.attempts_made)}: "
            f"{fallback.message or fallback.cause}",
            retry_count=fallback.attempts_made - 1,
        )
        self._take(task, error)

    def _take(self, task: TaskContext, error: Exception) -> None:
        wrapper = wrapped(error)
        if flag(self, "print_exception"):
            print(f"Taken by @catch in step '{task.step}':\n{wrapper.stacktrace}", flush=True)
        self._keep(task, wrapper)
        task.mark_caught(error)

    def _keep(self, task: TaskContext, value: ExceptionWrapper | None) -> None:
        var = self.attributes["var"]
        if var is not None:
            setattr(task.flow, var, value)


def wrapped(error: BaseException) -> ExceptionWrapper:
    """``error`` as text, type and stack trace that begins at the user's own frame."""
    import traceback

    lines = traceback.format_exception(type(error), error, _from_users_frame(error.__traceback__))
    kind = type(error)
    return ExceptionWrapper(str(error), f"{kind.__module__}.{kind.__qualname__}", "".join(lines))


def _times(attempts: int) -> str:
    return "its only attempt" if attempts == 1 else f"each of its {attempts} attempts"


def _from_users_frame(trace: TracebackType | None) -> TracebackType | None:
    first = trace
    while first is not None and _is_ours(first):
        first = first.tb_next
    return first


def _is_ours(trace: TracebackType) -> bool:
    module = str(trace.tb_frame.f_globals.get("__name__", ""))
    return module.startswith("swell.") or module == "contextlib"


catch = StepDecoratorFactory(CatchDecorator)
