"""Hidden artifacts that tools read and swell does not store: told from the facts instead."""

from __future__ import annotations

from typing import Any, NamedTuple

from swell.client.query import origin_of, run_graph
from swell.client.stores import Stores
from swell.errors import DataMissing, ExceptionWrapper
from swell.model.facts import RunFact, TaskFact
from swell.model.ids import RunId
from swell.model.record import ArtifactRef, Outcome

DERIVED = frozenset(
    {
        "_current_step",
        "_exception",
        "_foreach_num_splits",
        "_foreach_stack",
        "_foreach_var",
        "_success",
        "_task_ok",
        "_transition",
    }
)
"""Names that ``derived_ref`` knows, for a task that has ended."""


class ForeachFrame(NamedTuple):
    """One foreach around a task; ``value`` is the item as text, cut."""

    step: str
    var: str
    num_splits: int | None
    index: int  # type: ignore[assignment]  # hides tuple.index, as tools expect
    value: str


def failure(outcome: Outcome) -> ExceptionWrapper | None:
    """What an attempt failed with; None if it did not, or if ``@catch`` took it.

    Where the process died, ``type`` is the cause and the text tells it.
    """
    if outcome.ok or outcome.caught:
        return None
    if outcome.error is None:
        return ExceptionWrapper(outcome.message, outcome.cause.value, outcome.message)
    error = outcome.error
    kind = error.type if "." in error.type else f"builtins.{error.type}"
    return ExceptionWrapper(error.text, kind, error.traceback)


def derived_ref(
    name: str, stores: Stores, run: RunFact, task: TaskFact, outcome: Outcome
) -> ArtifactRef:
    """The hidden artifact ``name`` (one of ``DERIVED``) as if it were stored inline."""
    import pickle

    value = _value(name, stores, run, task, outcome)
    data = pickle.dumps(value, protocol=5)
    return ArtifactRef(data, None, len(data), type(value).__name__, repr(value)[:100])


def _value(name: str, stores: Stores, run: RunFact, task: TaskFact, outcome: Outcome) -> Any:
    transition = outcome.transition
    split = transition.split if transition else None
    match name:
        case "_current_step":
            return task.created.step
        case "_success":
            return outcome.ok and not outcome.caught
        case "_task_ok":
            return outcome.ok or outcome.caught
        case "_exception":
            return failure(outcome)
        case "_foreach_var":
            return split.var if split else None
        case "_foreach_num_splits":
            return split.num if split else None
        case "_transition":
            return (list(transition.targets), split.var if split else None) if transition else None
        case _:
            return _foreach_stack(stores, run, task)


def _foreach_stack(stores: Stores, run: RunFact, task: TaskFact) -> list[ForeachFrame]:
    created, frames = task.created, []
    texts = _stack_texts(stores, run, task)
    places = [place.rpartition(":") for place in created.path_text.split(",") if place]
    for depth, (step, _, index) in enumerate(places):
        text = texts[depth] if depth < len(texts) else ""
        var, _, value = text.partition("=")
        num_splits = _splits_of(stores, run.id, step, created.indices[:depth])
        frames.append(
            ForeachFrame(step, _foreach_var(run, step) or var, num_splits, int(index), value)
        )
    return frames


def _stack_texts(stores: Stores, run: RunFact, task: TaskFact) -> list[str]:
    try:
        _, ran = origin_of(stores, run, task)
    except DataMissing:
        ran = task
    return list(ran.created.stack_text)


def _foreach_var(run: RunFact, step: str) -> str | None:
    graph = run_graph(run)
    node = graph.nodes.get(step) if graph else None
    return node.foreach_var if node else None


def _splits_of(stores: Stores, run: RunId, step: str, indices: tuple[int, ...]) -> int | None:
    """How many children the task of ``step`` at ``indices`` opened."""
    for fact in stores.metastore.tasks(run, step):
        if fact.created.indices == indices:
            attempts = stores.metastore.attempts(run, step, fact.created.task)
            for attempt in reversed(attempts):
                transition = attempt.outcome.transition if attempt.outcome else None
                if transition is not None and transition.split is not None:
                    return transition.split.num
    return None
