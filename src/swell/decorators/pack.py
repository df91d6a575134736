"""``@pack``: tasks of a foreach that last milliseconds share a process."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

import msgspec

from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import number
from swell.model.graph import Graph
from swell.model.job import StepPlan

_MOST_SECONDS = 3600.0


class PackDecorator(StepDecorator):
    """Let tasks of a foreach share processes, each of which takes tasks for ``seconds``.

    For steps of milliseconds, where a process a task costs more than the task. Each task
    keeps its own record, logs, retries and place in resume.
    """

    name = "pack"
    defaults: ClassVar = {"seconds": 2}

    def check_arguments(self) -> None:
        self._seconds()

    def plan(self, plan: StepPlan) -> StepPlan:
        return msgspec.structs.replace(plan, pack_s=self._seconds())

    def _seconds(self) -> float:
        return number(self, "seconds", maximum=_MOST_SECONDS, above=True)


def packed(plan: StepPlan, graph: Graph, decorators: Collection[str]) -> StepPlan:
    """``plan`` as it is carried out: where its step cannot be packed it says so.

    ``decorators`` are the names of those on the step.
    """
    if plan.pack_s is None:
        return plan
    why = _why_not(plan, graph, decorators)
    if why is None:
        return plan
    warnings = plan.warnings
    if why:
        warnings = (*warnings, f"Step '{plan.step}' is not packed: {why}.")
    return msgspec.structs.replace(plan, pack_s=None, warnings=warnings)


def _why_not(plan: StepPlan, graph: Graph, decorators: Collection[str]) -> str | None:
    """None where it can be packed; '' where there is nothing to pack."""
    node = graph.nodes[plan.step]
    if node.is_parallel_step:
        return "its tasks run together as a gang, so each needs a process of its own"
    if not any(_opens_many(graph, split, node.name) for split in node.split_parents):
        return ""
    if plan.backend != "local":
        return "tasks on AWS Batch have a container each"
    if plan.fresh_because is not None:
        return f"each of its tasks needs a fresh interpreter, because {plan.fresh_because}"
    if "card" in decorators:
        return "its cards are made when a task's process ends"
    return None


def _opens_many(graph: Graph, split: str, step: str) -> bool:
    node = graph.nodes[split]
    return node.foreach_var is not None and node.matching_join != step


pack = StepDecoratorFactory(PackDecorator)
