"""Which tasks of an earlier run a resumed run takes over; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from swell.errors import UsageError
from swell.model.facts import AttemptFact, TaskFact
from swell.model.graph import Graph
from swell.model.record import Outcome
from swell.scheduler.events import OriginTask, TaskKey
from swell.scheduler.transitions import as_followed_now


def latest_outcomes(attempts: Iterable[AttemptFact]) -> dict[str, Outcome]:
    """Task id → outcome of its latest attempt; ``attempts`` come oldest first.

    A task whose latest attempt has no outcome is left out.
    """
    latest = {fact.job.task: fact.outcome for fact in attempts}
    return {task: outcome for task, outcome in latest.items() if outcome is not None}


def tasks_to_adopt(
    graph: Graph,
    tasks: Iterable[TaskFact],
    outcomes: Mapping[str, Outcome],
    step: str | None = None,
) -> dict[TaskKey, OriginTask]:
    """The origin's tasks that need not run again, by their place in the flow.

    ``graph`` is the code's as it is now, ``outcomes`` those of the latest attempts by task
    id. Taken over is what ended ok (caught counts as ok) in a step that still exists and
    is neither ``step`` nor after it. A gang is taken over whole or not at all; so is
    nothing whose transition the code does not have any more. Raises UsageError when
    there is no such ``step``.
    """
    again = steps_from(graph, step) if step is not None else frozenset()
    candidates = [
        fact
        for fact in tasks
        if fact.ok and fact.created.step in graph.nodes and fact.created.step not in again
    ]
    whole = _whole_gangs(candidates)
    adopted = {}
    for fact in candidates:
        created = fact.created
        outcome = outcomes.get(created.task)
        node = graph.nodes[created.step]
        if outcome is None or not outcome.ok:
            continue
        if (created.gang_size is not None) != node.is_parallel_step:
            continue
        if created.gang_size is not None and _gang_of(fact) not in whole:
            continue
        transition = as_followed_now(node, outcome.transition)
        if transition is not None:
            key = TaskKey(created.step, created.indices, created.rounds)
            adopted[key] = OriginTask(created.task, transition)
    return adopted


def steps_from(graph: Graph, step: str) -> frozenset[str]:
    """``step`` and all steps after it. Raises UsageError when there is no such step."""
    if step not in graph.nodes:
        raise UsageError(
            f"{graph.flow} has no step '{step}' to resume from.",
            remedy=f"Its steps are: {', '.join(graph.order or graph.nodes)}.",
        )
    found = {step}
    ahead = [step]
    while ahead:
        for target in graph.nodes[ahead.pop()].targets:
            if target not in found:
                found.add(target)
                ahead.append(target)
    return frozenset(found)


_GangPlace = tuple[str, tuple[int, ...]]


def _gang_of(fact: TaskFact) -> _GangPlace:
    return fact.created.step, fact.created.indices[:-1]


def _whole_gangs(done: Iterable[TaskFact]) -> frozenset[_GangPlace]:
    """Gangs all of whose members are among ``done``."""
    members = [fact for fact in done if fact.created.gang_size is not None]
    counts = Counter(_gang_of(fact) for fact in members)
    sizes = {_gang_of(fact): fact.created.gang_size for fact in members}
    return frozenset(place for place, size in sizes.items() if counts[place] == size)
