"""One artifact of a task, and all of them as attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from swell.client.pathed import Pathed
from swell.client.query import near
from swell.errors import NotFound
from swell.model.facts import RunFact
from swell.model.ids import PathSpec
from swell.model.record import ArtifactRef

if TYPE_CHECKING:
    from swell.client.task import Task


class DataArtifact(Pathed["DataArtifact"]):
    """A named value that a task left: ``DataArtifact("Flow/15/start/1/x")``."""

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
        # A task and its artifacts know each other; the module of tasks imports this one.
        from swell.client.task import Task

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
        return self._place.stores.load(self._ref)

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
        """The value in a few words, known without loading it."""
        return self._ref.preview

    @property
    def finished_at(self) -> datetime | None:
        """When its task ended."""
        return self._task.finished_at

    @property
    def origin_pathspec(self) -> str | None:
        origin = self._task.origin_pathspec
        return f"{origin}/{self.id}" if origin else None


class TaskData:
    """The artifacts of a task as attributes, each loaded when it is read."""

    def __init__(
        self, path: str, refs: Mapping[str, ArtifactRef], load: Callable[[ArtifactRef], object]
    ) -> None:
        self._path = path
        self._refs = refs
        self._load = load

    def __getattr__(self, name: str) -> Any:
        refs = self.__dict__.get("_refs", {})
        if name not in refs:
            path = self.__dict__.get("_path", "?")
            raise AttributeError(f"Task {path} has no artifact '{name}'.")
        return self._load(refs[name])

    def __contains__(self, name: object) -> bool:
        return name in self._refs

    def __dir__(self) -> list[str]:
        return [name for name in self._refs if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"<TaskData: {', '.join(dir(self))}>"
