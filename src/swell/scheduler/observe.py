"""What a run tells whoever watches it: notices, in the order things became true."""

from __future__ import annotations

from typing import Protocol

import msgspec

from swell.model.ids import JobId, RunId
from swell.model.record import Outcome
from swell.scheduler.ready import StepCounts
from swell.scheduler.retry import Growth


class RunBegan(msgspec.Struct, frozen=True):
    """The run has its number; ``origin`` is the run it resumes."""

    run: RunId
    at: float
    steps: tuple[str, ...]
    origin: int | None = None


class Told(msgspec.Struct, frozen=True):
    """A sentence for the user: a warning or a hint."""

    at: float
    text: str
    is_warning: bool = False


class TaskBegan(msgspec.Struct, frozen=True):
    """An attempt's process exists."""

    job: JobId
    step: str
    at: float
    pid: int | None = None
    is_fallback: bool = False


class TaskEnded(msgspec.Struct, frozen=True):
    """An attempt ended well, and what it left is durable."""

    job: JobId
    step: str
    at: float
    seconds: float
    is_caught: bool = False


class TasksEnded(msgspec.Struct, frozen=True):
    """Attempts of ``step`` that shared process ``pid`` ended well, and what they left is durable.

    They were so short that no TaskBegan came before.
    """

    step: str
    at: float
    ended: tuple[TaskEnded, ...]
    pid: int | None = None


class TaskRetries(msgspec.Struct, frozen=True):
    """An attempt failed; the next one, ``attempt``, starts at ``next_at``, with more memory
    where there is a ``growth``, and no longer in a process with others where it ``is_alone``."""

    job: JobId
    step: str
    at: float
    attempt: int
    next_at: float
    outcome: Outcome
    growth: Growth | None = None
    is_alone: bool = False


class TaskFailed(msgspec.Struct, frozen=True):
    """A task is out of attempts, or was ended with the run.

    ``attempts`` is how many it had by its step's plan; ``is_meant`` says whether those are
    for failures like this one, ``is_tolerated`` that a failure budget lets the run go on.
    """

    job: JobId
    step: str
    at: float
    outcome: Outcome
    attempts: int = 1
    is_meant: bool = True
    is_tolerated: bool = False


class TasksEnding(msgspec.Struct, frozen=True):
    """``num`` attempts that run are being ended, because of ``why``."""

    at: float
    num: int
    why: str


class ChildrenOpened(msgspec.Struct, frozen=True):
    """A foreach or gang opened ``num`` tasks of ``step``; the ``canaries`` among them, by index,
    go first."""

    task: str
    step: str
    at: float
    num: int
    canaries: tuple[int, ...] = ()


class TasksAdopted(msgspec.Struct, frozen=True):
    """Tasks taken over from the origin run: (id here, id there)."""

    step: str
    at: float
    tasks: tuple[tuple[str, str], ...]


class Output(msgspec.Struct, frozen=True):
    """Bytes a task printed, as read; may end in the middle of a line."""

    job: JobId
    step: str
    at: float
    stream: str
    data: bytes
    pid: int | None = None


class Progress(msgspec.Struct, frozen=True):
    """Where all steps stand; the counts are live and not to be changed."""

    at: float
    counts: dict[str, StepCounts]


class RunFinished(msgspec.Struct, frozen=True):
    """The run is over and durable. ``failures`` are the tasks out of attempts.

    ``left`` attempts go on elsewhere: the driver leaves a run that has not ended.
    """

    run: RunId
    at: float
    seconds: float
    ok: bool
    interrupted: bool
    why: str
    failures: tuple[TaskFailed, ...] = ()
    left: int = 0


Notice = (
    RunBegan
    | Told
    | TaskBegan
    | TaskEnded
    | TasksEnded
    | TaskRetries
    | TaskFailed
    | TasksEnding
    | ChildrenOpened
    | TasksAdopted
    | Output
    | Progress
    | RunFinished
)


class Observer(Protocol):
    """Shows a run to a person or a machine; must not raise.

    ``Output`` and ``Told`` may come from other threads than all other notices.
    """

    @property
    def progress_every_s(self) -> float | None:
        """How often ``Progress`` is wanted, in seconds; None: never."""
        ...

    def notice(self, notice: Notice) -> None:
        """Take one notice."""
        ...
