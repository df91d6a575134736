"""What happens to a run, and what is to be done: the words of the scheduler."""

from __future__ import annotations

import msgspec

from swell.model.ids import JobId
from swell.model.job import FailedInput, Fallback, MachineNews
from swell.model.record import Outcome, Transition
from swell.scheduler.retry import Growth

# --- events: what happened ---------------------------------------------------


class RunStarted(msgspec.Struct, frozen=True):
    """The run exists and its parameters are stored. ``at`` is Unix seconds, as everywhere."""

    at: float


class AttemptFinished(msgspec.Struct, frozen=True):
    """An attempt ended. Where it left no Outcome, the loop made one from the evidence.

    ``uncounted`` marks ends that do not use up the user's retries (host or driver lost,
    spot, image).
    """

    at: float
    job: JobId
    outcome: Outcome
    uncounted: bool = False
    used: Used | None = None


class Used(msgspec.Struct, frozen=True):
    """What an ended attempt took of its machine: MB of memory at its peak, processor seconds,
    and for how long it ran; None: not known."""

    added_mb: float | None
    cpu_s: float | None
    seconds: float


class Returned(msgspec.Struct, frozen=True):
    """Attempts that were to share a process were not begun: it ended before their turn."""

    at: float
    jobs: tuple[JobId, ...]


class Interrupted(msgspec.Struct, frozen=True):
    """The run is to end now: a signal, a closed terminal, a request."""

    at: float
    why: str


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""

    at: float


class LeftAlone(msgspec.Struct, frozen=True):
    """Start nothing more; what runs goes on, and another driver may take the run over."""

    at: float


Event = RunStarted | AttemptFinished | Returned | Interrupted | LeftAlone | Tick | MachineNews


# --- commands: what is to be done --------------------------------------------


class Missed(msgspec.Struct, frozen=True):
    """Of the foreach that task ``split`` opened, and that a join closes: ``indices`` of those
    that arrived, and the ``failed`` ones, within its budget."""

    split: str
    indices: tuple[int, ...]
    failed: tuple[FailedInput, ...]


class Start(msgspec.Struct, frozen=True):
    """One attempt to start.

    ``is_new`` marks a task's first attempt: the task itself is to be recorded.
    ``splits`` are the open foreaches around it, outermost first, each as (id of the
    split task, index of this task in it); ``rounds`` its rounds of recursion.
    ``parents`` are the ids of the tasks it reads, for joins in split order.
    ``node`` is set for members of a gang: (node index, number of nodes, control task).
    ``memory_mb`` is set where it gets more memory than its step's plan says; ``not_counted``
    are attempts before it that used up none of the plan's. ``missed`` is set for a join where
    children of its foreach failed. ``devices`` are GPUs that no other task has meanwhile.
    """

    job: JobId
    step: str
    parents: tuple[str, ...]
    splits: tuple[tuple[str, int], ...] = ()
    rounds: tuple[int, ...] = ()
    is_new: bool = True
    node: tuple[int, int, str] | None = None
    fallback: Fallback | None = None
    memory_mb: int | None = None
    not_counted: int = 0
    missed: Missed | None = None
    devices: tuple[str, ...] = ()


class StartAttempts(msgspec.Struct, frozen=True):
    """Attempts of one step that are to start together.

    With ``pack_s`` one process runs them in turn, and takes new ones for so many seconds.
    """

    step: str
    starts: tuple[Start, ...]
    pack_s: float | None = None


class Adopted(msgspec.Struct, frozen=True):
    """A task taken over from the origin run by reference: ``origin`` is its id there."""

    start: Start
    origin: str


class AdoptTasks(msgspec.Struct, frozen=True):
    """Tasks of one step that resume takes over instead of running them."""

    step: str
    adopted: tuple[Adopted, ...]


class CancelAttempts(msgspec.Struct, frozen=True):
    """Attempts to end now."""

    jobs: tuple[JobId, ...]
    why: str


class RetryLater(msgspec.Struct, frozen=True):
    """An attempt failed and another follows at ``at``; ``attempt`` is the next one's number.
    ``is_alone``: the next one has its process to itself, other than the one before."""

    job: JobId
    step: str
    attempt: int
    at: float
    outcome: Outcome
    growth: Growth | None = None
    is_alone: bool = False


class TaskFailedForGood(msgspec.Struct, frozen=True):
    """A task is out of attempts; ``is_tolerated`` where the run goes on by a failure budget."""

    job: JobId
    step: str
    outcome: Outcome
    is_tolerated: bool = False


class SplitOpened(msgspec.Struct, frozen=True):
    """A foreach or gang opened ``num`` children of ``step``; told to the user. ``canaries`` are
    the indices of those that go first."""

    task: str
    step: str
    num: int
    canaries: tuple[int, ...] = ()


class HeldUp(msgspec.Struct, frozen=True):
    """Tasks are ready and nothing begins for want of memory, as ``why`` says; '' takes it back."""

    why: str


class WakeAt(msgspec.Struct, frozen=True):
    """Send a Tick at ``at`` (Unix seconds) or soon after; replaces an earlier one."""

    at: float


class Finish(msgspec.Struct, frozen=True):
    """Nothing runs and nothing more will: the run is over. ``verdict`` is what a foreach says
    of its failure budget or canaries, where the run failed by them."""

    ok: bool
    interrupted: bool = False
    why: str = ""
    verdict: str = ""


Command = (
    StartAttempts
    | AdoptTasks
    | CancelAttempts
    | RetryLater
    | TaskFailedForGood
    | SplitOpened
    | HeldUp
    | WakeAt
    | Finish
)


# --- what resume knows of the origin -----------------------------------------


class TaskKey(msgspec.Struct, frozen=True, order=True):
    """A task's place in any run of its flow: step, foreach indices, rounds of recursion."""

    step: str
    indices: tuple[int, ...] = ()
    rounds: tuple[int, ...] = ()


class OriginTask(msgspec.Struct, frozen=True):
    """A task of the origin run that ended ok, and where it went."""

    task: str
    transition: Transition | None
