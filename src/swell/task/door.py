"""The data door of a flow object: its parent's artifacts, its foreach, merging in joins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from swell.errors import (
    DataMissing,
    MissingInMergeArtifactsException,
    UnhandledInMergeArtifactsException,
    Untrusted,
)
from swell.model.job import Frame, Launch
from swell.model.record import ArtifactRef
from swell.task.inputs import Loader, load_item, refs_of


class Comparer(Loader, Protocol):
    """What merging needs besides loading."""

    def same_content(self, one: ArtifactRef, other: ArtifactRef) -> bool: ...


class TaskDoor:
    """``available`` is what the step was given: it is handed on where the step does not
    assign something else. ``read_only`` maps parameters, configs and constants to their kind.
    """

    def __init__(
        self,
        launch: Launch,
        available: dict[str, ArtifactRef],
        read_only: Mapping[str, str],
        store: Comparer,
        *,
        assigned: Callable[[], Iterable[str]],
        expected_inputs: int | None,
    ) -> None:
        self.available = available
        self._launch = launch
        self._read_only = read_only
        self._store = store
        self._assigned = assigned
        self._expected_inputs = expected_inputs

    @property
    def index(self) -> int | None:
        """Index in the innermost foreach; None outside."""
        stack = self._launch.stack
        return stack[-1].index if stack else None

    @property
    def input(self) -> object:
        """Item of the innermost foreach; None outside."""
        stack = self._launch.stack
        return load_item(self._store, stack[-1]) if stack else None

    def load(self, name: str) -> object:
        """The artifact ``name`` that was handed to this step. KeyError if there is none."""
        try:
            return self._store.load(self.available[name])
        except Untrusted as error:
            parents = self._launch.inputs.tasks
            is_own = len(parents) == 1 and name not in self._read_only
            raise error.located(
                f"Artifact {parents[0]}/{name}" if is_own else f"'{name}'"
            ) from None

    def names(self) -> Iterable[str]:
        """Names of all artifacts that were handed to this step."""
        return self.available.keys()

    def read_only_names(self) -> Mapping[str, str]:
        """Name → 'parameter', 'config' or 'constant'."""
        return self._read_only

    def foreach_stack(self) -> list[tuple[int, int, object]]:
        """(index, number of splits, value), outermost first; None for a value out of reach."""
        return [
            (frame.index, frame.num_splits, self._value_of(frame)) for frame in self._launch.stack
        ]

    def _value_of(self, frame: Frame) -> object:
        try:
            return load_item(self._store, frame)
        except DataMissing:
            return None

    def merge_artifacts(
        self, inputs: Iterable[object], exclude: list[str], include: list[str]
    ) -> None:
        """Hand on what all ``inputs`` that have it agree on; all or nothing."""
        all_inputs = [refs_of(one) for one in inputs]
        expected = self._expected_inputs
        if expected is not None and len(all_inputs) != expected:
            raise DataMissing(
                f"merge_artifacts in step '{self._launch.step}' was given {len(all_inputs)} "
                f"inputs, but {expected} branches were opened.",
                remedy="Give it all inputs of the join: self.merge_artifacts(inputs).",
            )
        taken = set(self._assigned()) | set(self._read_only) | set(exclude)
        wanted: dict[str, list[ArtifactRef]] = {}
        for refs in all_inputs:
            for name, ref in refs.items():
                if name not in taken and (not include or name in include):
                    wanted.setdefault(name, []).append(ref)
        missing = [name for name in include if name not in wanted and name not in taken]
        if missing:
            raise MissingInMergeArtifactsException(
                f"No input of join '{self._launch.step}' has {_quoted(missing)}.",
                missing,
                remedy="Take these names out of include, or assign them in a branch.",
            )
        conflicts = [name for name, refs in wanted.items() if not self._agree(refs)]
        if conflicts:
            raise UnhandledInMergeArtifactsException(
                f"The branches into '{self._launch.step}' have different values of "
                f"{_quoted(conflicts)} ({self._branches_of(conflicts[0])}).",
                conflicts,
                remedy="Assign them before merge_artifacts, or pass exclude=[…] with their names.",
            )
        self.available.update({name: refs[0] for name, refs in wanted.items()})

    def _agree(self, refs: list[ArtifactRef]) -> bool:
        first = refs[0]
        others = [ref for ref in refs[1:] if not self._store.same_content(first, ref)]
        if not others:
            return True
        value = self._store.load(first)
        return all(values_equal(value, self._store.load(ref)) for ref in others)

    def _branches_of(self, name: str) -> str:
        tasks = self._launch.inputs.tasks
        shown = ", ".join(tasks[:4]) + (", …" if len(tasks) > 4 else "")
        return f"'{name}' among {shown}"


def values_equal(one: object, other: object) -> bool:
    """Equality of two artifacts; a comparison that raises or gives no bool is no equality.

    Arrays and frames are compared as a whole.
    """
    if type(one) is not type(other):
        return False
    try:
        whole = getattr(one, "equals", None)
        answer = whole(other) if callable(whole) else one == other
        if isinstance(answer, bool):
            return answer
        if getattr(one, "shape", None) != getattr(other, "shape", None):
            return False
        return bool(answer.all())
    except Exception:
        return False


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
