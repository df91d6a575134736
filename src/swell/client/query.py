"""Finds what a path names, says what is near when there is nothing, reads many at once."""

from __future__ import annotations

from collections.abc import Sequence

from swell.client.stores import Stores
from swell.errors import DataMissing, NotFound
from swell.model.facts import AttemptFact, RunFact, StepFact, StoredRecord, TaskFact
from swell.model.graph import Graph
from swell.model.ids import PARAMETERS_STEP, RunId
from swell.model.wire import decode_graph

BLOCK = 500
"""Records read at once where several tasks of a list are looked at."""
_NEAR = 5
"""How many names an error lists."""


def find_run(stores: Stores, flow: str, run: str) -> RunFact:
    """Raises NotFound naming the nearest runs, or flows."""
    fact = stores.metastore.run(RunId(flow, int(run))) if _is_number(run) else None
    if fact is not None:
        return fact
    known = [str(fact.id.number) for fact in stores.metastore.runs(flow)]
    if not known:
        raise no_flow(stores, flow)
    raise NotFound(f"Flow '{flow}' has no run '{run}'.", remedy=near("Its runs", run, known))


def no_flow(stores: Stores, flow: str) -> NotFound:
    """The error for a flow without any run in this store."""
    known = stores.metastore.flows()
    return NotFound(
        f"No run of a flow '{flow}' is in {stores.address}.",
        remedy=near("Flows there are", flow, known)
        or "The store is empty: run a flow first, or choose another one with metadata(…).",
    )


def find_step(stores: Stores, run: RunId, step: str) -> StepFact:
    """Raises NotFound naming the steps that have run."""
    steps = stores.metastore.steps(run)
    for fact in steps:
        if fact.name == step:
            return fact
    known = [fact.name for fact in steps]
    raise NotFound(
        f"Run {run} has no step '{step}'.",
        remedy=near("Its steps are", step, known) or "None of its steps has begun yet.",
    )


def find_task(stores: Stores, run: RunId, step: str, task: str) -> TaskFact:
    """Raises NotFound naming the nearest tasks, or the step the task belongs to."""
    found = stores.metastore.tasks(run, step, task)
    if found:
        return found[0]
    find_step(stores, run, step)
    elsewhere = stores.metastore.tasks(run, task=task)
    if elsewhere:
        raise NotFound(
            f"Task {task} of run {run} is not of step '{step}'.",
            remedy=f"It is of step '{elsewhere[0].created.step}'.",
        )
    known = [fact.created.task for fact in stores.metastore.tasks(run, step)]
    raise NotFound(
        f"Step {run}/{step} has no task '{task}'.", remedy=near("Its tasks are", task, known)
    )


def find_attempt(stores: Stores, fact: TaskFact, attempt: int) -> TaskFact:
    """The task as attempt number ``attempt`` left it. Raises NotFound naming those there are."""
    created = fact.created
    attempts = stores.metastore.attempts(created.run, created.step, created.task)
    for found in attempts:
        if found.job.attempt == attempt:
            outcome = found.outcome
            return TaskFact(
                created,
                attempt,
                found.started_at,
                found.ended_at,
                outcome.ok if outcome else None,
                outcome.caught if outcome else False,
                outcome.cause if outcome else None,
            )
    known = ", ".join(str(found.job.attempt) for found in attempts)
    raise NotFound(
        f"Task {created.run}/{created.step}/{created.task} has no attempt {attempt}.",
        remedy=f"Its attempts are {known}." if known else "None of its attempts has begun yet.",
    )


def origin_of(stores: Stores, run: RunFact, fact: TaskFact) -> tuple[RunFact, TaskFact]:
    """The task that really ran, where ``fact`` was adopted by resume (once or more).

    Raises DataMissing when the origin is not in the store any more.
    """
    while fact.created.origin_task is not None and run.origin_run is not None:
        origin = RunId(run.id.flow, run.origin_run)
        step, _, task = fact.created.origin_task.partition("/")
        origin_run = stores.metastore.run(origin)
        found = stores.metastore.tasks(origin, step, task) if origin_run else []
        if origin_run is None or not found:
            raise DataMissing(
                f"Task {run.id}/{fact.created.step}/{fact.created.task} was taken over from "
                f"{origin}/{step}/{task}, which is not in the store any more."
            )
        run, fact = origin_run, found[0]
    return run, fact


def run_graph(run: RunFact) -> Graph | None:
    """The graph the run was checked with; None for a run stored without one."""
    return decode_graph(run.graph) if run.graph else None


def near(words: str, wanted: str, known: Sequence[str]) -> str:
    """'Its runs: 15, 14, 13 …': those of ``known`` that are nearest to ``wanted``."""
    if not known:
        return ""
    if _is_number(wanted) and all(map(_is_number, known)):
        chosen = sorted(known, key=lambda name: abs(int(name) - int(wanted)))[:_NEAR]
    else:
        from difflib import get_close_matches

        close = get_close_matches(wanted, known, _NEAR)
        chosen = (close + [name for name in known if name not in close])[:_NEAR]
    more = " …" if len(known) > len(chosen) else ""
    return f"{words}: {', '.join(chosen)}{more}."


def _is_number(text: str) -> bool:
    # Past 18 digits a number is beyond what the database counts to.
    return text.isascii() and text.isdigit() and len(text) <= 18


class Siblings:
    """Tasks that were listed together, whose records are read together.

    The first look into a block of ``BLOCK`` tasks reads one record, the second reads the
    whole block: a single look stays cheap, and a loop costs two queries a block, in
    whatever order it goes. Two blocks are kept.
    """

    def __init__(self, stores: Stores, tasks: Sequence[TaskFact]) -> None:
        self.tasks = tasks
        self._stores = stores
        self._touched: set[int] = set()
        self._blocks: dict[int, dict[str, StoredRecord]] = {}
        self._attempts: dict[str, list[AttemptFact]] | None = None
        self._attempts_touched = False
        self._of_parameters: list[AttemptFact] | None = None

    def record(self, position: int) -> StoredRecord | None:
        """The latest record of the task at ``position``; None while there is none."""
        created = self.tasks[position].created
        number = position // BLOCK
        block = self._blocks.get(number)
        if block is None and number in self._touched:
            block = self._read_block(number)
        self._touched.add(number)
        found = block.get(created.task) if block else None
        if found is not None:
            return found
        single = self._stores.metastore.records(created.run, tasks=[created.task])
        return single[0] if single else None

    def _read_block(self, number: int) -> dict[str, StoredRecord]:
        tasks = self.tasks[number * BLOCK : (number + 1) * BLOCK]
        run = tasks[0].created.run
        records = self._stores.metastore.records(run, tasks=[fact.created.task for fact in tasks])
        # A record read while its task was still trying is not its last word.
        final = {fact.created.task for fact in tasks if fact.ok}
        block = {found.job.task: found for found in records if found.job.task in final}
        for oldest in list(self._blocks)[:-1]:
            del self._blocks[oldest]
        self._blocks[number] = block
        return block

    def attempts(self, position: int) -> list[AttemptFact]:
        """Attempts of the task at ``position``, oldest first; from the second look on
        those of all siblings are read at once."""
        fact = self.tasks[position]
        created = fact.created
        if self._attempts is None and self._attempts_touched and len(self.tasks) > 1:
            self._attempts = {}
            for attempt in self._stores.metastore.attempts(created.run, created.step):
                self._attempts.setdefault(attempt.job.task, []).append(attempt)
        self._attempts_touched = True
        if self._attempts is not None and fact.ok:
            return self._attempts.get(created.task, [])
        return self._stores.metastore.attempts(created.run, created.step, created.task)

    def attempts_of_parameters(self) -> list[AttemptFact]:
        """Attempts of the run's ``_parameters`` task, where facts of all its tasks are kept."""
        if self._of_parameters is None:
            run = self.tasks[0].created.run
            self._of_parameters = self._stores.metastore.attempts(run, PARAMETERS_STEP)
        return self._of_parameters
