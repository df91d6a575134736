"""Flows, their runs and steps as the client shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from swell.client import tags as tag_rules
from swell.client.access import ACCESS
from swell.client.code import Code, newest_code
from swell.client.pathed import Pathed, Place
from swell.client.query import Siblings, find_run, find_step, no_flow, run_graph
from swell.client.task import DataArtifact, Task
from swell.client.task_data import TaskData
from swell.errors import NamespaceMismatch
from swell.model.facts import RunFact, StepFact
from swell.model.ids import PathSpec, RunId

__all__ = ["DataArtifact", "Flow", "Metaflow", "Run", "Step", "Swell", "Task"]

_FEW = 20
"""Runs looked at first when the last good one is wanted."""


class Step(Pathed[Task]):
    """A step of a run: ``Step("Flow/15/start")``."""

    __module__ = "swell"
    _parts = 3
    _run: RunFact
    _fact: StepFact

    @classmethod
    def of(cls, place: Place, run: RunFact, name: str, fact: StepFact | None = None) -> Step:
        """The step ``name`` of ``run``."""
        made: Step = cls._at(place, PathSpec(run.id.flow, str(run.id.number), name))
        made._run = run
        made._fact = find_step(place.stores, run.id, name) if fact is None else fact
        return made

    def _find(self, path: PathSpec, attempt: int | None) -> None:
        self._run = find_run(self._place.stores, path.flow, str(path.run))
        self._fact = find_step(self._place.stores, self._run.id, str(path.step))

    def _run_fact(self) -> RunFact:
        return self._run

    def _created_at(self) -> float:
        return self._fact.created_at

    def _children(self) -> Iterator[Task]:
        stores = self._place.stores
        facts = stores.metastore.tasks(self._run.id, self._fact.name)
        return Task.listed(self._place, self._run, Siblings(stores, facts))

    def _child(self, name: str) -> Task | None:
        stores = self._place.stores
        facts = stores.metastore.tasks(self._run.id, self._fact.name, name)
        return next(Task.listed(self._place, self._run, Siblings(stores, facts)), None)

    @property
    def parent(self) -> Run:
        """The run."""
        return Run.of(self._place, self._run)

    @property
    def task(self) -> Task | None:
        """The newest task; for a step that is not a foreach, the only one."""
        return next(iter(self), None)

    def tasks(self, *tags: str) -> Iterator[Task]:
        """Tasks whose run has all ``tags``, newest first."""
        return iter(self) if self.tags.issuperset(tags) else iter(())

    @property
    def control_task(self) -> Task | None:
        """The control task of a gang; None for a step without one."""
        return next(self.control_tasks(), None)

    def control_tasks(self, *tags: str) -> Iterator[Task]:
        """The control tasks of all gangs of this step, newest first."""
        return (task for task in self.tasks(*tags) if task._fact.created.gang_control)

    @property
    def finished_at(self) -> datetime | None:
        """When its last task ended; None while one runs."""
        ended = [fact.ended_at for fact in self._place.stores.metastore.tasks(*self._key())]
        known = [at for at in ended if at is not None]
        return datetime.fromtimestamp(max(known)) if known and len(known) == len(ended) else None

    def _key(self) -> tuple[RunId, str]:
        return self._run.id, self._fact.name

    @property
    def environment_info(self) -> None:
        """None: local tasks run in the environment of their driver."""
        return None

    @property
    def parent_steps(self) -> Iterator[Step]:
        """Steps that lead here and have run."""
        graph = run_graph(self._run)
        nodes = graph.nodes if graph else {}
        return self._steps([name for name, node in nodes.items() if self.id in node.targets])

    @property
    def child_steps(self) -> Iterator[Step]:
        """Steps this one leads to that have run."""
        graph = run_graph(self._run)
        node = graph.nodes.get(self.id) if graph else None
        return self._steps(node.targets if node else ())

    def _steps(self, names: Iterable[str]) -> Iterator[Step]:
        facts = {fact.name: fact for fact in self._place.stores.metastore.steps(self._run.id)}
        for name in names:
            if name in facts:
                yield Step.of(self._place, self._run, name, facts[name])

    @property
    def origin_pathspec(self) -> str | None:
        origin = self._run.origin_run
        return None if origin is None else f"{self._run.id.flow}/{origin}/{self.id}"


class Run(Pathed[Step]):
    """One execution of a flow: ``Run("Flow/15")``."""

    __module__ = "swell"
    _parts = 2
    _run: RunFact
    _end: Task | None = None

    @classmethod
    def of(cls, place: Place, run: RunFact) -> Run:
        """The run that ``run`` tells of."""
        made: Run = cls._at(place, PathSpec(run.id.flow, str(run.id.number)))
        made._run = run
        return made

    @property
    def store_id(self) -> str:
        """The id of the database that keeps this run; what it has elsewhere stands under it."""
        return self._place.stores.metastore.store_id

    def _find(self, path: PathSpec, attempt: int | None) -> None:
        self._run = find_run(self._place.stores, path.flow, str(path.run))

    def _run_fact(self) -> RunFact:
        return self._run

    def _created_at(self) -> float:
        return self._run.created_at

    def _children(self) -> Iterator[Step]:
        for fact in self._place.stores.metastore.steps(self._run.id):
            if not fact.name.startswith("_"):
                yield Step.of(self._place, self._run, fact.name, fact)

    def _child(self, name: str) -> Step | None:
        for fact in self._place.stores.metastore.steps(self._run.id):
            if fact.name == name:
                return Step.of(self._place, self._run, name, fact)
        return None

    @property
    def parent(self) -> Flow:
        """The flow."""
        return Flow.of(self._place, self._run.id.flow)

    def steps(self, *tags: str) -> Iterator[Step]:
        """Steps that have run, newest first; none unless the run has all ``tags``."""
        return iter(self) if self.tags.issuperset(tags) else iter(())

    @property
    def end_task(self) -> Task | None:
        """The task of the terminal step; None until it has begun."""
        if self._end is None:
            graph = run_graph(self._run)
            stores = self._place.stores
            facts = stores.metastore.tasks(self._run.id, graph.end if graph else "end")
            listed = Task.listed(self._place, self._run, Siblings(stores, facts))
            self._end = next(listed, None)
        return self._end

    @property
    def data(self) -> TaskData | None:
        """Artifacts of the terminal step's task: ``run.data.x``; None until it has begun."""
        task = self.end_task
        return None if task is None else task.data

    @property
    def successful(self) -> bool:
        """The terminal step's code ended well."""
        task = self.end_task
        return task is not None and task.successful

    @property
    def finished(self) -> bool:
        """The terminal step ended well, or ``@catch`` took its failure."""
        task = self.end_task
        return task is not None and task.finished

    @property
    def finished_at(self) -> datetime | None:
        """When the terminal step ended; None before that."""
        task = self.end_task
        return None if task is None else task.finished_at

    @property
    def code(self) -> Code | None:
        """The code package of its tasks on other machines; None where all ran in one place."""
        stores, steps = self._place.stores, list(self)
        for step in steps:
            found = newest_code(stores, stores.metastore.attempts(self._run.id, step.id))
            if found is not None:
                return found
        if self._run.origin_run is None:
            return None
        tasks = [step.task for step in steps]
        return next((task.code for task in tasks if task is not None and task.code), None)

    @property
    def trigger(self) -> None:
        """None: the run was not started by an event."""
        return None

    @property
    def origin_pathspec(self) -> str | None:
        origin = self._run.origin_run
        return None if origin is None else f"{self._run.id.flow}/{origin}"

    def add_tag(self, tag: str | Iterable[str]) -> None:
        """Add a user tag (or several). Raises TaggingError."""
        self.replace_tags([], tag)

    def add_tags(self, tags: Iterable[str]) -> None:
        """Add user tags. Raises TaggingError."""
        self.replace_tags([], tags)

    def remove_tag(self, tag: str | Iterable[str]) -> None:
        """Remove a user tag (or several); one that is absent is no error."""
        self.replace_tags(tag, [])

    def remove_tags(self, tags: Iterable[str]) -> None:
        """Remove user tags; one that is absent is no error."""
        self.replace_tags(tags, [])

    def replace_tag(self, tag_to_remove: str, tag_to_add: str) -> None:
        """Remove one user tag and add another, at once."""
        self.replace_tags(tag_to_remove, tag_to_add)

    def replace_tags(
        self, tags_to_remove: str | Iterable[str], tags_to_add: str | Iterable[str]
    ) -> None:
        """Remove user tags, then add others, in one change. Raises TaggingError."""
        run = self._run
        self._place.stores.metastore.change_tags(
            run.id,
            add=tag_rules.tags_to_add(tags_to_add, run.system_tags),
            remove=tag_rules.tags_to_remove(tags_to_remove, run.system_tags),
        )
        self._find(self._path, None)
        self._end = None


class Flow(Pathed[Run]):
    """All runs of a flow: ``Flow("BigSumFlow").latest_run``."""

    __module__ = "swell"
    _parts = 1

    @classmethod
    def of(cls, place: Place, name: str) -> Flow:
        """The flow ``name``, known to have a run."""
        made: Flow = cls._at(place, PathSpec(name))
        return made

    def _find(self, path: PathSpec, attempt: int | None) -> None:
        if not self._place.stores.metastore.runs(path.flow, limit=1):
            raise no_flow(self._place.stores, path.flow)

    def _run_fact(self) -> None:
        return None

    def _created_at(self) -> float:
        return self._facts()[-1].created_at

    def _facts(self, *tags: str, limit: int | None = None) -> list[RunFact]:
        namespace = self._place.namespace
        wanted = tags if namespace is None else (*tags, namespace)
        return self._place.stores.metastore.runs(self._path.flow, tags=wanted, limit=limit)

    def is_in_namespace(self) -> bool:
        """Whether a run of it is in this object's namespace."""
        return bool(self._facts(limit=1))

    def _children(self) -> Iterator[Run]:
        return self.runs()

    def _child(self, name: str) -> Run | None:
        if not name.isdigit():
            return None
        fact = self._place.stores.metastore.run(RunId(self._path.flow, int(name)))
        return None if fact is None else Run.of(self._place, fact)

    @property
    def parent(self) -> None:
        """None: nothing stands above a flow."""
        return None

    @property
    def origin_pathspec(self) -> None:
        """None: a flow is not resumed, its runs are."""
        return None

    @property
    def latest_run(self) -> Run | None:
        """The newest run in the namespace."""
        found = self._facts(limit=1)
        return Run.of(self._place, found[0]) if found else None

    @property
    def latest_successful_run(self) -> Run | None:
        """The newest run in the namespace whose terminal step ended well."""
        for limit in (_FEW, None):
            facts = self._facts(limit=limit)
            for fact in facts if limit else facts[_FEW:]:
                run = Run.of(self._place, fact)
                if run.successful:
                    return run
        return None

    def runs(self, *tags: str) -> Iterator[Run]:
        """Runs in the namespace that have all ``tags``, newest first."""
        return (Run.of(self._place, fact) for fact in self._facts(*tags))


class Swell:
    """All flows of the store that have a run in the namespace, newest first."""

    def __init__(self) -> None:
        self._place = Place(ACCESS.stores(), ACCESS.namespace)

    @property
    def flows(self) -> list[Flow]:
        """The flows, newest run first."""
        return list(self)

    def __iter__(self) -> Iterator[Flow]:
        for name in self._place.stores.metastore.flows():
            flow = Flow.of(self._place, name)
            if flow.is_in_namespace():
                yield flow

    def __getitem__(self, name: str) -> Flow:
        if name not in self:
            raise KeyError(name)
        flow = Flow.of(self._place, name)
        if not flow.is_in_namespace():
            raise NamespaceMismatch(
                f"Flow '{name}' has no run in the namespace '{self._place.namespace}'.",
                self._place.namespace,
                remedy="Call namespace(None) to see the runs of everybody.",
            )
        return flow

    def __contains__(self, name: object) -> bool:
        return name in self._place.stores.metastore.flows()

    def __repr__(self) -> str:
        return "Swell()"


Metaflow = Swell
"""The name under which existing scripts import it."""
