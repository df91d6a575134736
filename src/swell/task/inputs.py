"""What a task reads: its parent's artifacts, or the inputs of a join; loaded when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, overload

from swell.errors import ExceptionWrapper, SwellError, Untrusted
from swell.model.job import FailedInput, Frame, Inputs
from swell.model.record import ArtifactRef, ItemRef, Record
from swell.model.wire import decode_record, decode_ref


class Loader(Protocol):
    """The part of the datastore that reading needs."""

    def load(self, ref: ArtifactRef) -> object: ...

    def load_many(self, refs: Sequence[ArtifactRef]) -> list[object]: ...

    def load_item(self, ref: ItemRef) -> object: ...

    def open_pack(self, path: str) -> Sequence[bytes]: ...


class Input:
    """One input of a join: artifacts as attributes, ``index``, ``input``, ``foreach_stack()``.

    Changes to it are not stored.
    """

    def __init__(
        self, task: str, encoded: bytes, stack: tuple[Frame, ...], loader: Loader, flow: str
    ) -> None:
        self.__task = task
        self.__encoded = encoded
        self.__stack = stack
        self.__loader = loader
        self.__flow = flow
        self.__record: Record | None = None

    def __getattr__(self, name: str) -> object:
        ref = _refs_of(self).get(name)
        if ref is None:
            raise no_artifact(self.__task, name, self.__flow)
        try:
            value = self.__loader.load(ref)
        except Untrusted as error:
            raise error.located(f"Artifact {self.__task}/{name}") from None
        self.__dict__[name] = value
        return value

    @property
    def index(self) -> int | None:
        """Index in the innermost foreach; None outside."""
        return self.__stack[-1].index if self.__stack else None

    @property
    def input(self) -> object:
        """Item of the innermost foreach; None outside."""
        return load_item(self.__loader, self.__stack[-1]) if self.__stack else None

    def foreach_stack(self) -> list[tuple[int, int, object]]:
        """(index, number of splits, value) of each foreach, outermost first."""
        return [
            (frame.index, frame.num_splits, load_item(self.__loader, frame))
            for frame in self.__stack
        ]

    def __reduce__(self) -> tuple[object, ...]:
        raise SwellError(
            f"Input {self.__task} of a join was to be stored.",
            remedy="Store the artifacts wanted from it instead, such as input.x.",
        )

    def __repr__(self) -> str:
        return f"<input {self.__task}>"

    def _decoded(self) -> Record:
        if self.__record is None:
            self.__record = decode_record(self.__encoded)
        return self.__record


def load_item(loader: Loader, frame: Frame) -> object:
    """The item of one foreach around a task. Raises StoreError."""
    try:
        return loader.load_item(frame.item)
    except Untrusted as error:
        where = f"Item {frame.index} of the foreach over '{frame.var}' in step '{frame.step}'"
        raise error.located(where) from None


def _refs_of(one: Input) -> Mapping[str, ArtifactRef]:
    return one._decoded().artifacts


def refs_of(one: object) -> Mapping[str, ArtifactRef]:
    """The artifacts of an input of a join. Raises SwellError for anything else."""
    if not isinstance(one, Input):
        raise SwellError(
            f"merge_artifacts was given a {type(one).__name__}, which is not an input of a join.",
            remedy="Call self.merge_artifacts(inputs) with the join's second argument.",
        )
    return _refs_of(one)


def no_artifact(task: str, name: str, flow: str) -> AttributeError:
    """The error for an artifact that an input of a join does not have."""
    return AttributeError(f"Input {task} of this join has no artifact '{name}' ({flow}).")


def step_of(one: Input) -> str:
    """The step an input comes from."""
    return str(one.__dict__["_Input__task"]).split("/")[0]


class Failure:
    """An item of a foreach whose tasks failed within its ``max_failures``, as its join sees it.

    ``index`` and ``input`` are the item's, ``task`` is the task that failed ('step/task'),
    ``cause`` a word such as 'user_error' or 'out_of_memory', ``attempts`` how often it was tried.
    ``error`` has the exception's text, ``type`` and ``stacktrace``.
    """

    def __init__(self, failed: FailedInput, frame: Frame, loader: Loader) -> None:
        self.__failed = failed
        self.__frame = frame
        self.__loader = loader

    @property
    def index(self) -> int:
        """The item's index."""
        return self.__failed.index

    @property
    def input(self) -> object:
        """The item, loaded now."""
        return load_item(self.__loader, self.__frame)

    item = input

    @property
    def task(self) -> str:
        """The task that failed, as 'step/task'."""
        return self.__failed.task

    @property
    def cause(self) -> str:
        """Why, in a word."""
        return self.__failed.cause

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        return self.__failed.attempts

    @property
    def error(self) -> ExceptionWrapper:
        """What it raised; where its process died, the cause and the sentence on it."""
        error = self.__failed.error
        if error is None:
            return ExceptionWrapper(self.__failed.message, self.__failed.cause, "")
        return ExceptionWrapper(error.text, error.type, error.traceback)

    def __reduce__(self) -> tuple[object, ...]:
        raise SwellError(
            f"The failure of {self.task} was to be stored.",
            remedy="Store what is wanted from it instead, such as failure.error or failure.index.",
        )

    def __repr__(self) -> str:
        return f"<failure of {self.task}: {self.error!r}>"


class JoinInputs:
    """The inputs of a join: iterable, by index or slice, by step name; ``len`` works.

    After a foreach they come in index order. Where it has a failure budget, they are those
    that succeeded, and ``failures()`` the others.
    """

    def __init__(self, inputs: Inputs, stack: tuple[Frame, ...], loader: Loader, flow: str) -> None:
        self.__inputs = inputs
        self.__stack = stack
        self.__loader = loader
        self.__flow = flow
        self.__encoded: Sequence[bytes] | None = None
        self.__made: dict[int, Input] = {}

    def __len__(self) -> int:
        return len(self.__inputs.tasks)

    @overload
    def __getitem__(self, index: int) -> Input: ...

    @overload
    def __getitem__(self, index: slice) -> list[Input]: ...

    def __getitem__(self, index: int | slice) -> Input | list[Input]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"inputs[{index}]: this join has {len(self)} inputs.")
        made = self.__made.get(position)
        if made is None:
            made = self.__made[position] = Input(
                self.__inputs.tasks[position],
                self.__records()[position],
                self.__stack_of(position),
                self.__loader,
                self.__flow,
            )
        return made

    def __iter__(self) -> Iterator[Input]:
        return (self[position] for position in range(len(self)))

    def __getattr__(self, name: str) -> Input:
        if name.startswith("_"):
            raise AttributeError(name)
        for position in reversed(range(len(self))):
            if self.__inputs.tasks[position].split("/")[0] == name:
                return self[position]
        steps = sorted({task.split("/")[0] for task in self.__inputs.tasks})
        raise AttributeError(
            f"No input of this join comes from a step '{name}'; they come from "
            f"{', '.join(steps) or 'no step'}."
        )

    def succeeded(self) -> list[Input]:
        """The inputs themselves, as a list: what failed is not among them."""
        return list(self)

    def failures(self) -> list[Failure]:
        """The items that failed within the foreach's ``max_failures``, in index order."""
        opened = self.__inputs.opened
        if opened is None:
            return []
        return [
            Failure(failed, opened.frame(failed.index), self.__loader)
            for failed in self.__inputs.failed
        ]

    def values(self, name: str) -> list[object]:
        """Artifact ``name`` of all inputs, in split order, read together.

        Raises AttributeError if an input has none.
        """
        found: list[object] = [None] * len(self)
        wanted: list[tuple[int, ArtifactRef]] = []
        for position, encoded in enumerate(self.__records()):
            made = self.__made.get(position)
            if made is not None and name in made.__dict__:
                found[position] = made.__dict__[name]
                continue
            ref = decode_ref(encoded, name)
            if ref is None:
                raise no_artifact(self.__inputs.tasks[position], name, self.__flow)
            wanted.append((position, ref))
        try:
            loaded = self.__loader.load_many([ref for _, ref in wanted])
        except Untrusted:
            # One by one, to say which.
            loaded = [getattr(self[position], name) for position, _ in wanted]
        for (position, _), value in zip(wanted, loaded, strict=True):
            found[position] = value
            made = self.__made.get(position)
            if made is not None:
                made.__dict__[name] = value
        return found

    def __records(self) -> Sequence[bytes]:
        if self.__encoded is None:
            pack = self.__inputs.pack
            self.__encoded = self.__loader.open_pack(pack) if pack else self.__inputs.records
        return self.__encoded

    def __stack_of(self, position: int) -> tuple[Frame, ...]:
        opened = self.__inputs.opened
        if opened is None:
            return self.__stack
        indices = self.__inputs.indices
        return (*self.__stack, opened.frame(indices[position] if indices else position))
