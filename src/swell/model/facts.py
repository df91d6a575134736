"""Facts on runs, tasks and attempts, as a metadata store keeps and returns them.

Times are Unix seconds (float). Task ids are text, unique within a run.
"""

from __future__ import annotations

import enum

import msgspec

from swell.model.cause import Cause
from swell.model.ids import JobId, RunId
from swell.model.record import Outcome, Record, Split, Usage

SCRIPT_ARTIFACT = "_script"
"""The artifact of a run's parameters that holds the text of its script."""
WITHS_FACT = "with"
"""The named fact that holds what was given to ``--with``, as a JSON list."""
QUEUES_FACT = "queues"
"""The named fact of a run's parameters that says to which queues its jobs go, one a word."""
PACKAGES_FACT = "packages"
"""The named fact of a run's parameters that holds versions by package, as a JSON object."""

ASKED_FACT = "asked"
"""The named fact of a run's parameters that holds Resources by step, as a JSON object."""
MEMORY_FACT = "memory"
"""The named fact of an attempt that was given more memory than its step asks: MB."""
CODE_FACT = "code-package"
"""The named fact of an attempt elsewhere that says where the code is that it ran, as JSON."""
RETRY_FACT = "retry-at"
"""The named fact of a failed attempt that another follows: when that was to be, in Unix seconds.

Of a gang whose members do not fail at once it may be missing.
"""


class RunStatus(enum.Enum):
    """How far a run has come."""

    RUNNING = "running"
    """Its driver works, or was killed without a word: compare ``heartbeat_at``."""
    DONE = "done"
    """The terminal step ended well."""
    FAILED = "failed"
    """A task ran out of attempts."""
    INTERRUPTED = "interrupted"
    """Ended by a signal or on request."""
    DETACHED = "detached"
    """Its driver left; what it had submitted elsewhere goes on, and ``attach`` takes it over."""


class NewRun(msgspec.Struct, frozen=True):
    """A run about to begin; the store gives it the flow's next number."""

    flow: str
    user: str
    created_at: float
    script: str
    system_tags: tuple[str, ...]
    user_tags: tuple[str, ...] = ()
    origin_run: int | None = None
    host: str = ""
    pid: int = 0
    graph: bytes = b""


class RunFact(msgspec.Struct, frozen=True):
    """A run as stored. ``graph`` is the encoded Graph the run was checked with."""

    id: RunId
    user: str
    created_at: float
    script: str
    system_tags: frozenset[str]
    user_tags: frozenset[str]
    status: RunStatus
    origin_run: int | None = None
    finished_at: float | None = None
    heartbeat_at: float | None = None
    host: str = ""
    pid: int = 0
    graph: bytes = b""


class TaskCreated(msgspec.Struct, frozen=True):
    """A task came into being.

    ``indices`` are its foreach indices, outermost first; ``rounds`` its rounds of
    recursion; ``stack_text`` one 'var=value' a foreach. ``parents`` are paths
    'step/task' of the tasks it reads. ``origin_task`` ('step/task' of the origin run) is
    set on tasks adopted by resume.
    """

    run: RunId
    step: str
    task: str
    created_at: float
    parents: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    rounds: tuple[int, ...] = ()
    path_text: str = ""
    stack_text: tuple[str, ...] = ()
    origin_task: str | None = None
    gang_size: int | None = None
    gang_control: bool = False


class AttemptStarted(msgspec.Struct, frozen=True):
    """An attempt's process exists."""

    run: RunId
    job: JobId
    at: float
    pid: int | None = None
    note: str = ""


class AttemptEnded(msgspec.Struct, frozen=True):
    """An attempt ended; its Blobs were durable before this fact is committed.

    ``record`` is the encoded Record, stored and returned as it is. ``metadata`` maps
    name → (type, value).
    """

    run: RunId
    job: JobId
    at: float
    outcome: Outcome
    record: bytes
    usage: Usage = Usage()
    metadata: dict[str, tuple[str, str]] = {}


class RunEnded(msgspec.Struct, frozen=True):
    """The driver is done with the run, or left it (DETACHED): then it is not finished."""

    run: RunId
    at: float
    status: RunStatus


class RunTaken(msgspec.Struct, frozen=True):
    """Another driver drives the run from now on: process ``pid`` of ``host``."""

    run: RunId
    at: float
    host: str
    pid: int


Fact = TaskCreated | AttemptStarted | AttemptEnded | RunEnded | RunTaken


class StepFact(msgspec.Struct, frozen=True):
    """A step of which a run has tasks."""

    run: RunId
    name: str
    created_at: float
    tasks: int


class TaskFact(msgspec.Struct, frozen=True):
    """A task and its latest attempt (None while none has begun).

    ``attempt`` is the latest attempt's number; ``ok``, ``caught``, ``cause`` and
    ``ended_at`` are that attempt's, None while it runs.
    """

    created: TaskCreated
    attempt: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    ok: bool | None = None
    caught: bool = False
    cause: Cause | None = None


class AttemptFact(msgspec.Struct, frozen=True):
    """One attempt without its artifacts; ``outcome`` is None while it runs."""

    run: RunId
    step: str
    job: JobId
    started_at: float | None
    pid: int | None
    ended_at: float | None = None
    outcome: Outcome | None = None
    usage: Usage = Usage()
    metadata: dict[str, tuple[str, str]] = {}


class Left(msgspec.Struct, frozen=True):
    """What one attempt that ended refers to: its Record, and the foreach it opened, if any."""

    step: str
    job: JobId
    record: Record
    split: Split | None = None


class StoredRecord(msgspec.Struct, frozen=True):
    """The Record of one attempt."""

    step: str
    job: JobId
    record: Record
