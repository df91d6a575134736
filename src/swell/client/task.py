"""One task as the client shows it, and its artifacts: values, outcome, facts and logs."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from swell.client.code import Code, code_of, newest_code
from swell.client.derived import DERIVED, derived_ref, failure
from swell.client.metadata import Datum, newest_by_name, tag_value, task_facts
from swell.client.pathed import Pathed, Place
from swell.client.query import (
    Siblings,
    find_attempt,
    find_run,
    find_task,
    near,
    origin_of,
)
from swell.client.task_data import TaskData
from swell.client.whereabouts import load_of_run
from swell.errors import ExceptionWrapper, NotFound, Untrusted
from swell.model.facts import CODE_FACT, AttemptFact, RunFact, StoredRecord, TaskFact
from swell.model.ids import PARAMETERS_STEP, JobId, PathSpec, RunId
from swell.model.record import ArtifactRef, Outcome, Usage


class Metadatum(NamedTuple):
    """One named fact of a task; ``created_at`` in milliseconds since 1970."""

    name: str
    value: object
    created_at: int
    type: str
    task: Task


class DataArtifact(Pathed["DataArtifact"]):
    """A named value that a task left: ``DataArtifact("Flow/15/start/1/x")``."""

    __module__ = "swell"
    _parts = 5
    _task: Task
    _ref: ArtifactRef

    @classmethod
    def of(cls, task: Task, name: str, ref: ArtifactRef) -> DataArtifact:
        """The artifact ``name`` of ``task``."""
        made: DataArtifact = cls._at(task._place, task._path._replace(artifact=name))
        made._task, made._ref = task, ref
        return made

    def _check_attempt(self, attempt: int | None) -> None:
        return None

    def _find(self, path: PathSpec, attempt: int | None) -> None:
        task: Task = Task._at(self._place, path._replace(artifact=None))
        task._check_attempt(attempt)
        task._find(task._path, attempt)
        name = str(path.artifact)
        ref = task._ref(name)
        if ref is None:
            known = list(task._refs())
            raise NotFound(
                f"Task {task.pathspec} has no artifact '{name}'.",
                remedy=near("Its artifacts are", name, known) or "It has left none yet.",
            )
        self._task, self._ref = task, ref

    def _run_fact(self) -> RunFact | None:
        return self._task._run_fact()

    def _children(self) -> Iterator[DataArtifact]:
        return iter(())

    def _child(self, name: str) -> None:
        return None

    def _chosen_attempt(self) -> int | None:
        return self._task._chosen_attempt()

    def _created_at(self) -> float:
        ended_at = self._task._now().ended_at
        return self._task._created_at() if ended_at is None else ended_at

    @property
    def parent(self) -> Task:
        """The task."""
        return self._task

    @property
    def data(self) -> Any:
        """The value, loaded now. Raises StoreError."""
        try:
            return self._task._load(self._ref)
        except Untrusted as error:
            raise error.located(f"Artifact {self.pathspec}") from None

    @property
    def sha(self) -> str:
        """The BLAKE3 key of the content: same content, same key."""
        if self._ref.key is not None:
            return self._ref.key
        from blake3 import blake3

        return blake3(self._ref.inline or b"").hexdigest()

    @property
    def size(self) -> int:
        """Serialised bytes."""
        return self._ref.size

    @property
    def type(self) -> str:
        """The type's name, known without loading the value."""
        return self._ref.type

    @property
    def preview(self) -> str:
        """The value in a few words, known without loading it; of arrays, frames and models in
        several lines, the first of which can stand alone."""
        return self._ref.preview

    @property
    def finished_at(self) -> datetime | None:
        """When its task ended."""
        return self._task.finished_at

    @property
    def origin_pathspec(self) -> str | None:
        origin = self._task.origin_pathspec
        return f"{origin}/{self.id}" if origin else None


class Task(Pathed[DataArtifact]):
    """One execution of a step: ``Task("Flow/15/start/1")``, as its latest attempt left it.

    ``attempt=k`` shows what attempt number k left, 0 being the first.
    """

    __module__ = "swell"
    _parts = 4
    _run: RunFact
    _siblings: Siblings
    _position: int
    _fact: TaskFact
    _attempt: int | None

    @classmethod
    def listed(cls, place: Place, run: RunFact, siblings: Siblings) -> Iterator[Task]:
        """The tasks of one step, which read their records together."""
        flow, number = run.id.flow, str(run.id.number)
        for position, fact in enumerate(siblings.tasks):
            created = fact.created
            made: Task = cls._at(place, PathSpec(flow, number, created.step, created.task))
            made._run, made._siblings, made._position = run, siblings, position
            made._fact, made._attempt = fact, None
            yield made

    def _check_attempt(self, attempt: int | None) -> None:
        if attempt is not None and (not isinstance(attempt, int) or attempt < 0):
            raise NotFound(f"There is no attempt {attempt!r}.", remedy="The first attempt is 0.")

    def _find(self, path: PathSpec, attempt: int | None) -> None:
        stores = self._place.stores
        self._run = find_run(stores, path.flow, str(path.run))
        fact = find_task(stores, self._run.id, str(path.step), str(path.task))
        self._siblings, self._position = Siblings(stores, [fact]), 0
        self._fact = fact if attempt is None else find_attempt(stores, fact, attempt)
        self._attempt = attempt

    def _run_fact(self) -> RunFact:
        return self._run

    def _created_at(self) -> float:
        return self._fact.created.created_at

    def _chosen_attempt(self) -> int | None:
        return self._attempt

    def _now(self) -> TaskFact:
        """The task as it is now: asked again while it can still change."""
        if not self._fact.ok:
            stores, created = self._place.stores, self._fact.created
            fact = find_task(stores, created.run, created.step, created.task)
            if self._attempt is not None:
                fact = find_attempt(stores, fact, self._attempt)
            self._fact = fact
        return self._fact

    def _stored(self) -> StoredRecord | None:
        if self._attempt is None:
            return self._siblings.record(self._position)
        created = self._fact.created
        found = self._place.stores.metastore.records(
            created.run, tasks=[created.task], attempt=self._attempt
        )
        return found[0] if found else None

    def _refs(self) -> Mapping[str, ArtifactRef]:
        stored = self._stored()
        return stored.record.artifacts if stored else {}

    def _attempts(self) -> list[AttemptFact]:
        found = self._siblings.attempts(self._position)
        if self._attempt is None:
            return found
        return [attempt for attempt in found if attempt.job.attempt == self._attempt]

    # --- artifacts ---------------------------------------------------------

    def _children(self) -> Iterator[DataArtifact]:
        for name, ref in self._refs().items():
            if not name.startswith("_"):
                yield DataArtifact.of(self, name, ref)

    def _ref(self, name: str) -> ArtifactRef | None:
        """What is known of one artifact, hidden and derived ones too."""
        ref = self._refs().get(name)
        if ref is None and name in DERIVED:
            outcome = self._outcome()
            if outcome is not None:
                return derived_ref(name, self._place.stores, self._run, self._fact, outcome)
        return ref

    def _shown(self) -> AttemptFact | None:
        """The attempt that is shown; None before there is one."""
        number = self._now().attempt
        found = (attempt for attempt in self._attempts() if attempt.job.attempt == number)
        return next(found, None)

    def _outcome(self) -> Outcome | None:
        """What the attempt that is shown said of itself; None while it runs."""
        attempt = self._shown()
        return None if attempt is None else attempt.outcome

    def _child(self, name: str) -> DataArtifact | None:
        ref = self._ref(name)
        return None if ref is None else DataArtifact.of(self, name, ref)

    @property
    def data(self) -> TaskData:
        """Artifacts as attributes: ``task.data.x``, ``"x" in task.data``."""
        return TaskData(self.pathspec, self._refs(), self._load)

    @property
    def artifacts(self) -> Any:
        """A namedtuple of the artifacts that do not begin with ``_``."""
        from collections import namedtuple

        found = {
            artifact.id: artifact
            for artifact in self
            if artifact.id.isidentifier() and not keyword.iskeyword(artifact.id)
        }
        return namedtuple("Artifacts", found)(**found)

    # --- outcome -----------------------------------------------------------

    @property
    def successful(self) -> bool:
        """The step's code ended well; not so where ``@catch`` took a failure."""
        fact = self._now()
        return bool(fact.ok) and not fact.caught

    @property
    def finished(self) -> bool:
        """The run may go on from here: it ended well, or ``@catch`` took its failure."""
        fact = self._now()
        return bool(fact.ok) or fact.caught

    @property
    def finished_at(self) -> datetime | None:
        """When the attempt ended, well or not, in local time; None while it runs."""
        ended_at = self._now().ended_at
        return None if ended_at is None else datetime.fromtimestamp(ended_at)

    @property
    def exception(self) -> ExceptionWrapper | None:
        """Why the attempt failed; None if it did not, or if ``@catch`` took the failure.

        ``type`` is the exception's dotted name; where the process died, the cause.
        """
        outcome = None if self._now().ok else self._outcome()
        return None if outcome is None else failure(outcome)

    @property
    def cause(self) -> str | None:
        """Why the attempt ended: 'ok', 'user_error', 'out_of_memory' …; None while it runs."""
        fact = self._now()
        return None if fact.cause is None else fact.cause.value

    @property
    def usage(self) -> Usage | None:
        """What the attempt used: peak memory, processor seconds, bytes read and written, GPU
        memory, and how its memory was measured; None while it runs."""
        attempt = self._shown()
        return None if attempt is None or attempt.outcome is None else attempt.usage

    @property
    def index(self) -> int | None:
        """The index in the innermost foreach; None outside."""
        indices = self._fact.created.indices
        return indices[-1] if indices else None

    @property
    def current_attempt(self) -> int:
        """The number of the attempt that is shown; 0 is the first."""
        if self._attempt is not None:
            return self._attempt
        return self._now().attempt or 0

    # --- facts -------------------------------------------------------------

    def _data(self) -> list[Datum]:
        shared = self._siblings.attempts_of_parameters()
        return task_facts(self._place.stores, self._run, self._fact, self._attempts(), shared)

    @property
    def metadata(self) -> list[Metadatum]:
        """Named facts of all attempts, oldest first."""
        return [Metadatum(*datum, self) for datum in self._data()]

    @property
    def metadata_dict(self) -> dict[str, object]:
        """The newest value of each named fact."""
        return {name: datum.value for name, datum in newest_by_name(self._data()).items()}

    @property
    def runtime_name(self) -> str | None:
        """What ran the flow: 'dev' for a terminal."""
        return tag_value(self._run.system_tags, "runtime")

    @property
    def code(self) -> Code | None:
        """The code package it ran with on another machine; None for a local task."""
        stores, shown = self._place.stores, self._shown()
        if self._attempt is not None:
            return newest_code(stores, [shown] if shown is not None else [])
        told = newest_by_name(self._data()).get(CODE_FACT)
        return None if told is None else code_of(stores, str(told.value))

    @property
    def environment_info(self) -> None:
        """None: a local task runs in the environment of its driver."""
        return None

    def _load(self, ref: ArtifactRef) -> object:
        """The value behind ``ref``. Raises StoreError."""
        return load_of_run(self._place.stores, self._run.id, ref)

    # --- logs --------------------------------------------------------------

    def loglines(
        self, stream: str, as_unicode: bool = True
    ) -> Iterator[tuple[datetime, str | bytes]]:
        """(time in UTC without a zone, line) of 'stdout' or 'stderr', while it runs too."""
        run, job = self._logged()
        for at, line in self._place.stores.log_lines(run, job.task, job.attempt, stream):
            when = datetime.fromtimestamp(at, timezone.utc).replace(tzinfo=None)
            yield when, line.decode(errors="replace") if as_unicode else line

    @property
    def stdout(self) -> str:
        """What the attempt has printed."""
        return self._log("stdout")

    @property
    def stderr(self) -> str:
        """What the attempt has printed to standard error."""
        return self._log("stderr")

    @property
    def stdout_size(self) -> int:
        """Bytes of ``stdout``, known without reading it."""
        return self._log_size("stdout")

    @property
    def stderr_size(self) -> int:
        """Bytes of ``stderr``, known without reading it."""
        return self._log_size("stderr")

    def _log(self, stream: str) -> str:
        return "".join(f"{line!s}\n" for _, line in self.loglines(stream))

    def _log_size(self, stream: str) -> int:
        run, job = self._logged()
        return self._place.stores.log_size(run, job.task, job.attempt, stream)

    def _logged(self) -> tuple[RunId, JobId]:
        """Whose log this is: the origin's, where resume took the task over."""
        own = self._now()
        run, fact = origin_of(self._place.stores, self._run, own)
        attempt = self.current_attempt if fact is own else fact.attempt or 0
        return run.id, JobId(fact.created.task, attempt)

    # --- relatives ---------------------------------------------------------

    @property
    def parent(self) -> Any:
        """The step."""
        step = self._kinds[3]._at(self._place, self._path._replace(task=None))
        step._find(step._path, None)
        return step

    @property
    def parent_tasks(self) -> Iterator[Task]:
        """The tasks this one got its data from."""
        stores, run = self._place.stores, self._run
        for path in self._fact.created.parents:
            step, _, task = path.partition("/")
            if step != PARAMETERS_STEP:
                fact = find_task(stores, run.id, step, task)
                yield from Task.listed(self._place, run, Siblings(stores, [fact]))

    @property
    def child_tasks(self) -> Iterator[Task]:
        """The tasks that got their data from this one."""
        own = f"{self._path.step}/{self._path.task}"
        for step in self.parent.child_steps:
            yield from (task for task in step if own in task._fact.created.parents)

    @property
    def parent_task_pathspecs(self) -> Iterator[str]:
        """Paths of ``parent_tasks``."""
        for path in self._fact.created.parents:
            if not path.startswith(f"{PARAMETERS_STEP}/"):
                yield f"{self._run.id}/{path}"

    @property
    def child_task_pathspecs(self) -> Iterator[str]:
        """Paths of ``child_tasks``."""
        return (task.pathspec for task in self.child_tasks)

    @property
    def origin_pathspec(self) -> str | None:
        created, origin = self._fact.created, self._run.origin_run
        if created.origin_task is None or origin is None:
            return None
        return f"{self._run.id.flow}/{origin}/{created.origin_task}"

    def __repr__(self) -> str:
        attempt = "" if self._attempt is None else f", attempt={self._attempt}"
        return f"Task('{self.pathspec}'{attempt})"
