"""Runs a task of an earlier run once more in this process, to be looked at; stores nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from swell.client.query import find_attempt
from swell.errors import CommandException
from swell.model.facts import SCRIPT_ARTIFACT, AttemptFact, RunFact, TaskFact
from swell.model.graph import NodeType
from swell.model.ids import PARAMETERS_STEP, JobId
from swell.model.job import (
    LOCAL_BACKEND,
    FailedInput,
    Frame,
    Gang,
    Inputs,
    Launch,
    Opened,
    RunContext,
    StepPlan,
)
from swell.model.record import Outcome, Record, Split
from swell.model.wire import decode_record, encode
from swell.scheduler.guard import failed_input, in_order
from swell.session.attempt import attempt_runner
from swell.session.code_facts import script_text
from swell.session.datastores import Datastores
from swell.session.failed import opened_split
from swell.session.flow import SettledFlow
from swell.session.origin import PARAMETERS_TASK
from swell.session.reading import LocalStores
from swell.session.task_store import TaskStore
from swell.session.user import default_namespace
from swell.settings import Settings, mark_task
from swell.task.runner import FlowInForce, Replayed

LEFT_OUT = ("catch", "timeout")
"""Decorators that would hide the failure, or end the task under the person who looks at it."""

_PYTHON_TAG = "python_version:"


class Chosen(NamedTuple):
    """The attempt to run again: its task, its number, and how it ended then."""

    fact: TaskFact
    attempt: int
    outcome: Outcome | None


def choose_attempt(stores: LocalStores, fact: TaskFact, wanted: int | None) -> Chosen:
    """Attempt ``wanted`` of a task, else the last one that ran the step's code.

    Raises NotFound for an attempt that there is not.
    """
    created = fact.created
    if wanted is not None:
        find_attempt(stores, fact, wanted)
    attempts = stores.metastore.attempts(created.run, created.step, created.task)
    ran = [one for one in attempts if not _only_records(one)] or attempts
    number = ran[-1].job.attempt if ran else 0
    number = number if wanted is None else wanted
    outcomes = [one.outcome for one in attempts if one.job.attempt == number]
    return Chosen(fact, number, outcomes[-1] if outcomes else None)


def _only_records(attempt: AttemptFact) -> bool:
    """An attempt of ``@catch`` that ran no code of the step."""
    error = attempt.outcome.error if attempt.outcome is not None else None
    return error is not None and error.type.endswith(".FailureHandledByCatch")


class Debugging:
    """One task, prepared to run here. Raises CommandException for what cannot.

    ``place`` lists the foreaches around it.
    """

    def __init__(
        self,
        flow: SettledFlow,
        settings: Settings,
        stores: LocalStores,
        run: RunFact,
        chosen: Chosen,
        project: dict[str, str | bool],
    ) -> None:
        self._flow = flow
        self._settings = settings
        self._stores = stores
        self._run = run
        self._chosen = chosen
        self._project = project
        self._check_step()
        self.launch = self._launch()

    def replay(self, look: Callable[[Replayed], None]) -> None:
        """Run the step; ``look`` is given what it did, while ``current`` still answers."""
        context = self._context()
        mark_task(context.run)
        data = Datastores(self._stores.datastore, None, self._settings, None)
        force = self._flow.in_force()
        decorators = {
            step: [one for one in those if one.name not in LEFT_OUT]
            for step, those in force.decorators.items()
        }
        runner = attempt_runner(
            FlowInForce(force.flow_class, force.graph, decorators, force.read_only),
            context,
            TaskStore(data, context.script),
            self._settings,
        )
        runner.replay(self.launch, look)

    def differences(self) -> list[str]:
        """What is not as it was when the task ran, in sentences."""
        return [
            *_script_words(self._script_then(), script_text(self._flow.at_hand.script), self._run),
            *_python_words(self._plan(), self._run),
            *_package_words(self._plan()),
        ]

    # --- what the task was given -------------------------------------------------

    def _check_step(self) -> None:
        created, graph = self._chosen.fact.created, self._flow.graph
        if created.step == PARAMETERS_STEP:
            raise CommandException(
                f"'{PARAMETERS_STEP}' holds the parameters of a run; it has no code to run.",
                remedy="Name a task of a step, such as 12/start/1.",
            )
        node = graph.nodes.get(created.step)
        if node is None:
            raise CommandException(
                f"The script as it is now has no step '{created.step}', which task "
                f"{created.run}/{created.step}/{created.task} ran.",
                remedy=f"Its steps are: {', '.join(graph.order or graph.nodes)}.",
            )
        if len(created.parents) > 1 and not node.is_join:
            raise CommandException(
                f"Step '{created.step}' is no join any more, but its task "
                f"{created.task} of run {created.run.number} had {len(created.parents)} inputs.",
                remedy="Give the step its argument 'inputs' back to run this task again.",
            )

    def _plan(self) -> StepPlan:
        return self._flow.plans[self._chosen.fact.created.step]

    def _launch(self) -> Launch:
        created = self._chosen.fact.created
        plan = self._plan()
        gang = None
        if created.gang_size is not None:
            node = created.indices[-1] if created.indices else 0
            gang = Gang(node, created.gang_size, created.task.partition("_node_")[0])
        return Launch(
            job=JobId(created.task, self._chosen.attempt),
            step=created.step,
            attempts=max(plan.attempts, self._chosen.attempt + 1),
            inputs=self._inputs(),
            stack=self._stack(),
            rounds=created.rounds,
            gang=gang,
            resources=plan.resources,
        )

    def _stack(self) -> tuple[Frame, ...]:
        created = self._chosen.fact.created
        steps = _split_steps(created.path_text)
        return tuple(
            self._opened(step, created.indices[:depth]).frame(index)
            for depth, (step, index) in enumerate(zip(steps, created.indices, strict=False))
        )

    def _inputs(self) -> Inputs:
        created, metastore = self._chosen.fact.created, self._stores.metastore
        node = self._flow.graph.nodes[created.step]
        paths = [path for path in created.parents if not path.startswith(f"{PARAMETERS_STEP}/")]
        tasks = [path.partition("/")[2] for path in paths]
        records = tuple(metastore.encoded_records(created.run, tasks)) if tasks else ()
        opened = self._closed_foreach() if node.is_join else None
        if opened is None:
            return Inputs(tuple(paths), records)
        arrived = self._arrived(set(tasks))
        if len(arrived) == opened.num_splits:
            return Inputs(tuple(paths), records, opened=opened)
        failed = self._failed_children(set(range(opened.num_splits)) - set(arrived))
        indices = tuple(arrived)
        return Inputs(tuple(paths), records, opened=opened, indices=indices, failed=failed)

    def _arrived(self, tasks: set[str]) -> list[int]:
        """The indices, in the foreach that a join closes, of ``tasks``, in order."""
        depth = len(self._chosen.fact.created.indices)
        facts = self._stores.metastore.tasks(self._run.id)
        return sorted(f.created.indices[depth] for f in facts if f.created.task in tasks)

    def _failed_children(self, missing: set[int]) -> tuple[FailedInput, ...]:
        """Those that its foreach allowed to fail: of each the first task that did."""
        around = self._chosen.fact.created.indices
        depth, metastore = len(around), self._stores.metastore
        found: dict[int, FailedInput] = {}
        for fact in reversed(metastore.tasks(self._run.id)):
            created = fact.created
            if fact.ok is not False or created.indices[:depth] != around:
                continue
            index = created.indices[depth] if len(created.indices) > depth else -1
            if index in missing and index not in found:
                attempts = metastore.attempts(created.run, created.step, created.task)
                outcome = attempts[-1].outcome
                if outcome is not None:
                    task = f"{created.step}/{created.task}"
                    found[index] = failed_input(index, task, len(attempts), outcome)
        return in_order(found.values())

    def _closed_foreach(self) -> Opened | None:
        """The foreach that a join closes; None for the join of static branches."""
        created = self._chosen.fact.created
        for name, node in self._flow.graph.nodes.items():
            if node.matching_join == created.step and node.type is NodeType.FOREACH:
                return self._opened(name, created.indices)
        return None

    def _opened(self, step: str, indices: tuple[int, ...]) -> Opened:
        split: Split | None = opened_split(self._stores, self._run.id, step, indices)
        if split is None:
            raise CommandException(
                f"What step '{step}' of run {self._run.id} opened is not known any more, so the "
                "item of this task cannot be found.",
                remedy="Run the flow again.",
            )
        return Opened(step, split.var, split.num, split.items)

    # --- what its run shares -----------------------------------------------------

    def _context(self) -> RunContext:
        run = self._run
        return RunContext(
            flow=run.id.flow,
            run=str(run.id.number),
            user=run.user,
            namespace=default_namespace(self._settings),
            tags=tuple(sorted(run.user_tags | run.system_tags)),
            origin_run=str(run.origin_run) if run.origin_run is not None else None,
            datastore=self._stores.datastore,
            home=self._stores.datastore,
            metadata=self._stores.address,
            parameters=encode(self._parameters()),
            script=self._flow.at_hand.script or "",
            project=self._project,
            withs=self._flow.withs,
        )

    def _parameters(self) -> Record:
        artifacts = dict(self._stored_parameters().artifacts)
        artifacts.pop(SCRIPT_ARTIFACT, None)
        return Record(artifacts)

    def _stored_parameters(self) -> Record:
        (encoded,) = self._stores.metastore.encoded_records(self._run.id, [PARAMETERS_TASK])
        return decode_record(encoded)

    def _script_then(self) -> str | None:
        ref = self._stored_parameters().artifacts.get(SCRIPT_ARTIFACT)
        text = self._stores.load(ref) if ref is not None else None
        return text if isinstance(text, str) else None


def _split_steps(path_text: str) -> list[str]:
    """Of 'start:3,outer:1' the steps that opened the foreaches, outermost first."""
    return [place.rpartition(":")[0] for place in path_text.split(",") if place]


def _script_words(then: str | None, now: str | None, run: RunFact) -> list[str]:
    if then is None or now is None or then == now:
        return []
    return [f"The script has changed since run {run.id.number}; it runs as it is now."]


def _python_words(plan: StepPlan, run: RunFact) -> list[str]:
    """Where the task ran with another minor version of Python than this one."""
    tagged = [tag.removeprefix(_PYTHON_TAG) for tag in run.system_tags if _PYTHON_TAG in tag]
    own = plan.python if plan.backend != LOCAL_BACKEND else None
    then = ".".join((own or (tagged[0] if tagged else "")).split(".")[:2])
    now = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if then in ("", now):
        return []
    return [
        f"Step '{plan.step}' ran with Python {then}, and this is Python {now}: what it does here "
        f"may differ. The same command begun with 'python{then}' runs it with its own."
    ]


def _package_words(plan: StepPlan) -> list[str]:
    """Where the step's own packages are not the ones of this environment."""
    from importlib.metadata import PackageNotFoundError, version

    if plan.backend == LOCAL_BACKEND:
        return []
    others = []
    for name, wanted in plan.packages:
        try:
            here = version(name)
        except PackageNotFoundError:
            here = "none"
        if here != wanted:
            others.append(f"{name} {wanted} (here: {here})")
    if not others:
        return []
    return [f"Step '{plan.step}' ran with other packages than there are here: {', '.join(others)}."]
