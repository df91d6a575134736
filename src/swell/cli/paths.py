"""Paths as people type them: `15/end` beside a script, `BigSumFlow/15/end` under `swell`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from swell.client.query import find_run, find_step, find_task, near, no_flow, run_graph
from swell.client.stores import Stores
from swell.errors import InvalidPathspec, NotFound
from swell.model.facts import RunFact, TaskFact
from swell.model.ids import PARAMETERS_STEP, RunId


class TypedPath(NamedTuple):
    """A path taken apart; ``flow`` None: not said."""

    flow: str | None
    run: str | None
    step: str | None = None
    task: str | None = None


class Found(NamedTuple):
    """What a path means: a run, all its tasks or those of a step, or one task.

    ``tasks`` are in order of their ids; those of ``_parameters`` only when asked for.
    """

    run: RunFact
    tasks: tuple[TaskFact, ...]
    step: str | None = None
    task: str | None = None


def typed_path(text: str, flow: str | None) -> TypedPath:
    """Take ``text`` apart. ``flow`` is that of the script, None under `swell`.

    Raises InvalidPathspec with the expected form.
    """
    pieces = text.strip().removesuffix("/").split("/")
    named: str | None = None
    if not _is_number(pieces[0]) and (flow is None or pieces[0] == flow):
        named = pieces.pop(0)
    if len(pieces) > 3 or not all(pieces) or named == "":
        form, example = ("run/step/task", "15/start/2")
        if flow is None:
            form, example = f"Flow/{form}", f"BigSumFlow/{example}"
        raise InvalidPathspec(
            f"'{text}' is not a path of the form {form}.",
            remedy=f"Write it like '{example}', as far down as you want to look.",
        )
    run, step, task = (*pieces, None, None, None)[:3]
    return TypedPath(named or flow, run, step, task)


def find_path(stores: Stores, text: str | None, flow: str | None) -> Found:
    """What ``text`` names; None: the latest run. Raises InvalidPathspec and NotFound."""
    path = TypedPath(flow, None) if text is None else typed_path(text, flow)
    run = _run_of(stores, path)
    if path.step is None:
        tasks = [fact for fact in stores.metastore.tasks(run.id) if not _is_hidden(fact)]
        return Found(run, in_order(tasks))
    _refuse_unknown_step(stores, run, path.step)
    if path.task is None:
        return Found(run, in_order(stores.metastore.tasks(run.id, path.step)), path.step)
    fact = find_task(stores, run.id, path.step, path.task)
    return Found(run, (fact,), path.step, path.task)


def find_whole_run(stores: Stores, text: str | None, flow: str | None) -> Found:
    """The run that ``text`` names; None: the latest. Raises InvalidPathspec and NotFound, also
    for a path that goes further down."""
    found = find_path(stores, text, flow)
    if found.step is not None:
        path = path_text(found.run.id, flow=flow)
        raise NotFound(f"'{text}' is not a run.", remedy=f"Name the whole run: '{path}'.")
    return found


def latest_run(stores: Stores, flow: str | None) -> RunFact:
    """The latest run of ``flow``, or of all. Raises NotFound."""
    runs = stores.metastore.runs(flow, limit=1)
    if not runs:
        raise no_flow(stores, flow or "")
    return runs[0]


def path_text(run: RunId, *rest: str, flow: str | None) -> str:
    """'15/end/3' beside the script of ``flow``, 'BigSumFlow/15/end/3' elsewhere."""
    start = str(run.number) if run.flow == flow else str(run)
    return "/".join((start, *rest))


def in_order(tasks: Sequence[TaskFact]) -> tuple[TaskFact, ...]:
    """By id: 2 before 10, the control task of a gang before its nodes."""
    return tuple(sorted(tasks, key=lambda fact: _task_key(fact.created.task)))


def _task_key(task: str) -> tuple[int, int, str]:
    number, _, node = task.partition("_node_")
    return (
        int(number) if number.isdecimal() else 1 << 62,
        int(node) if node.isdecimal() else 0,
        task,
    )


def _is_hidden(fact: TaskFact) -> bool:
    return fact.created.step == PARAMETERS_STEP


def _run_of(stores: Stores, path: TypedPath) -> RunFact:
    if path.run is None:
        return latest_run(stores, path.flow)
    if path.flow is None:
        return _run_numbered(stores, path.run)
    if not _is_number(path.run):
        raise _not_a_run(stores, path.flow, path.run)
    return find_run(stores, path.flow, path.run)


def _run_numbered(stores: Stores, number: str) -> RunFact:
    """The run of a bare number, if one flow alone has it."""
    flows = stores.metastore.flows()
    found = [
        run for flow in flows if (run := stores.metastore.run(RunId(flow, int(number)))) is not None
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(
            f"Several flows have a run {number}.",
            remedy=f"Say which: {', '.join(str(run.id) for run in found)}.",
        )
    known = [str(run.id) for run in stores.metastore.runs(limit=5)]
    raise NotFound(f"No flow has a run {number}.", remedy=f"The latest runs: {', '.join(known)}.")


def _not_a_run(stores: Stores, flow: str, text: str) -> NotFound:
    latest = stores.metastore.runs(flow, limit=1)
    if not latest:
        return no_flow(stores, flow)
    number = latest[0].id.number
    graph = run_graph(latest[0])
    if graph is not None and text in graph.nodes:
        remedy = f"Put the run before the step: '{number}/{text}' is that of the latest run."
    else:
        remedy = f"Begin with the number of a run; the latest is {number}."
    return NotFound(f"'{text}' is not the number of a run of {flow}.", remedy=remedy)


def _refuse_unknown_step(stores: Stores, run: RunFact, step: str) -> None:
    """Raises NotFound: a step that has not begun is told from one that there is not."""
    try:
        find_step(stores, run.id, step)
    except NotFound as error:
        graph = run_graph(run)
        if graph is not None and step in graph.nodes:
            raise NotFound(
                f"Step '{step}' of run {run.id} has not begun.",
                remedy=near("Steps that have", step, _begun(stores, run)) or error.remedy,
            ) from error
        task = stores.metastore.tasks(run.id, task=step) if step.isdecimal() else []
        if task:
            whole = f"{run.id.number}/{task[0].created.step}/{step}"
            raise NotFound(
                f"Run {run.id} has no step '{step}', but a task of that number.",
                remedy=f"Write it with its step: {whole}.",
            ) from error
        known = [name for name in (graph.nodes if graph else ()) if not name.startswith("_")]
        raise NotFound(
            f"Run {run.id} has no step '{step}'.",
            remedy=near("Its steps are", step, known) or error.remedy,
        ) from error


def _begun(stores: Stores, run: RunFact) -> list[str]:
    names = [fact.name for fact in stores.metastore.steps(run.id)]
    return [name for name in reversed(names) if name != PARAMETERS_STEP]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
