"""What a backend is given to run, and what it reports."""

from __future__ import annotations

import enum
import math

import msgspec

from swell.model.batch import BatchOptions
from swell.model.cause import Evidence
from swell.model.ids import JobId
from swell.model.record import ErrorInfo, ItemRef, Items, Usage
from swell.model.resources import Resources

LOCAL_BACKEND = "local"
"""The backend of steps that run on this machine."""


class StepPlan(msgspec.Struct, frozen=True):
    """What decorators decided for a step, before the run.

    ``attempts`` counts attempts with user code; ``fallback_attempts`` those that only
    record a failure (``@catch``). ``retry_wait_s`` is the wait before the first retry,
    times ``retry_backoff`` for each further one; None leaves it to the backend.
    ``uncounted_attempts`` bounds repeats that are nobody's fault (host or driver lost, spot,
    image); 0 forbids them.
    ``retry_on`` are causes and names of exceptions that further attempts are for; none: any.
    After an attempt that ran out of memory the next has ``memory_growth`` times as much, up
    to ``max_memory_mb``; None: not said, and once a run begins, no growth and no bound.
    ``fresh_because`` forces a fresh interpreter and says why. ``pack_s`` lets tasks share a
    process, each of which takes new ones for so many seconds. ``batch`` is what only AWS
    Batch understands. ``packages`` (name, version) and ``python`` are what the step wants on
    another machine; ``warnings_here`` become ``warnings`` where it runs on this one.
    ``sets_threads`` says that the step's own variables say how many threads its libraries use.
    """

    step: str
    backend: str = LOCAL_BACKEND
    resources: Resources = Resources()
    attempts: int = 1
    fallback_attempts: int = 0
    retry_wait_s: float | None = None
    retry_backoff: float = 1.0
    uncounted_attempts: int = 10
    timeout_s: float | None = None
    fresh_because: str | None = None
    warnings: tuple[str, ...] = ()
    batch: BatchOptions | None = None
    packages: tuple[tuple[str, str], ...] = ()
    python: str | None = None
    warnings_here: tuple[str, ...] = ()
    pack_s: float | None = None
    sets_threads: bool = False
    retry_on: tuple[str, ...] = ()
    memory_growth: float | None = None
    max_memory_mb: int | None = None

    @property
    def threads(self) -> int | None:
        """In how many threads the step's libraries compute: as it has processors; None leaves
        them alone."""
        cpu = self.resources.cpu
        return None if cpu is None or self.sets_threads else max(1, math.ceil(cpu))


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One foreach around a task: the split step, its variable, size, this task's item."""

    step: str
    var: str
    num_splits: int
    index: int
    item: ItemRef


class Gang(msgspec.Struct, frozen=True, array_like=True):
    """A task's place among ``num_nodes`` tasks that run together; node 0 is control."""

    node_index: int
    num_nodes: int
    control_task: str
    main_ip: str = "127.0.0.1"


class Fallback(msgspec.Struct, frozen=True, array_like=True):
    """An attempt that runs no user code: it records that the attempts before it died."""

    attempts_made: int
    cause: str
    message: str


class Opened(msgspec.Struct, frozen=True, array_like=True):
    """A foreach that a task opened: its step, variable, size and items."""

    step: str
    var: str
    num_splits: int
    items: Items

    def frame(self, index: int) -> Frame:
        """The frame of child ``index``."""
        return Frame(self.step, self.var, self.num_splits, index, self.items.ref(index))


class FailedInput(msgspec.Struct, frozen=True, array_like=True):
    """A child of a foreach that failed within its budget: its index, the task that failed
    ('step/task'), why, and in how many attempts."""

    index: int
    task: str
    cause: str
    message: str
    error: ErrorInfo | None = None
    attempts: int = 1


class Inputs(msgspec.Struct, frozen=True, array_like=True):
    """What a task reads: the encoded Records of its parents.

    ``tasks`` are the parents as 'step/task', for joins in split order. ``records`` holds
    their Records by value; where they are many, ``pack`` is the path of one file of them
    (see ``datastore.packs``). ``opened`` is the foreach that a join closes; None for the
    join of static branches. Where children of it failed within its budget, ``failed`` are
    these, and ``indices`` those of ``tasks``; else both are empty.
    """

    tasks: tuple[str, ...] = ()
    records: tuple[bytes, ...] = ()
    pack: str | None = None
    opened: Opened | None = None
    indices: tuple[int, ...] = ()
    failed: tuple[FailedInput, ...] = ()


class Launch(msgspec.Struct, frozen=True, array_like=True):
    """All that one attempt is given besides what its whole run shares (RunContext).

    ``stack`` lists the foreaches around the task, outermost first; ``rounds`` the
    rounds of recursive switches on the way. ``threads`` is how many its numerical libraries
    may use, None leaves them alone; ``devices`` are the GPUs it alone may use.
    ``attempts`` are those with user code that the task may have in all, ``retry_on`` as in
    StepPlan; ``may_grow`` says that one which runs out of memory is followed by one with more,
    or by one that does not share its process.
    """

    job: JobId
    step: str
    attempts: int
    inputs: Inputs
    stack: tuple[Frame, ...] = ()
    rounds: tuple[int, ...] = ()
    gang: Gang | None = None
    fallback: Fallback | None = None
    timeout_s: float | None = None
    fresh_because: str | None = None
    resources: Resources = Resources()
    threads: int | None = None
    devices: tuple[str, ...] = ()
    retry_on: tuple[str, ...] = ()
    may_grow: bool = False


class Member(msgspec.Struct, frozen=True, array_like=True):
    """What one attempt of a Pack has of its own; ``inputs`` is a place in the Pack's."""

    job: JobId
    stack: tuple[Frame, ...]
    rounds: tuple[int, ...] = ()
    inputs: int = 0


class Pack(msgspec.Struct, frozen=True, array_like=True):
    """Attempts of one step that one process runs, one after the other.

    It begins none once ``seconds`` have passed: those that are left are RETURNED. What the
    attempts share stands once, in ``common`` and ``inputs``; ``launch`` gives each as if it
    were alone. ``spares``: one behind the first that runs out of memory comes again alone.
    """

    common: Launch
    inputs: tuple[Inputs, ...]
    members: tuple[Member, ...]
    seconds: float
    spares: bool = False

    def launch(self, index: int) -> Launch:
        """The Launch of member ``index``."""
        member = self.members[index]
        return msgspec.structs.replace(
            self.common,
            job=member.job,
            inputs=self.inputs[member.inputs],
            stack=member.stack,
            rounds=member.rounds,
            may_grow=self.common.may_grow or (self.spares and index > 0),
        )


class RunContext(msgspec.Struct, frozen=True):
    """What all tasks of a run share; sent once. ``parameters`` is an encoded Record.

    ``datastore`` is where tasks write Blobs: ``home``, the folder that references without a
    store mean, or the URL of an object store.

    ``withs`` and ``configs`` (JSON) are what a process that imports the script anew needs
    to see the flow as the driver does. ``canary`` is for foreaches that say none themselves.
    """

    flow: str
    run: str
    user: str
    namespace: str | None
    tags: tuple[str, ...]
    origin_run: str | None
    datastore: str
    metadata: str
    parameters: bytes
    script: str
    max_num_splits: int = 100
    project: dict[str, str | bool] = {}
    withs: tuple[str, ...] = ()
    configs: bytes = b"{}"
    home: str = ""
    canary: int = 0


class JobState(enum.Enum):
    """What a backend can know of a job. There is no success here: see Outcome."""

    PENDING = "pending"
    """Accepted, not yet running."""
    RUNNING = "running"
    """Its process exists."""
    EXITED = "exited"
    """Its process ended."""
    LOST = "lost"
    """It cannot be found any more."""
    RETURNED = "returned"
    """It was not begun: the process it was to share ended before its turn."""


class JobUpdate(msgspec.Struct, frozen=True):
    """A backend's report on one job. ``at`` is Unix seconds.

    ``result`` holds the encoded AttemptResult, if the attempt left a whole one;
    ``evidence`` and ``usage`` come with EXITED and LOST. ``pid`` comes with RUNNING.
    ``began_at`` comes with the end of a job that was not worth a RUNNING of its own; then
    ``pid`` comes with it too.
    """

    job: JobId
    state: JobState
    at: float
    pid: int | None = None
    result: bytes | None = None
    evidence: Evidence | None = None
    usage: Usage | None = None
    note: str = ""
    began_at: float | None = None


class MachineNews(msgspec.Struct, frozen=True):
    """What changed on this machine while tasks run; ``at`` is Unix seconds.

    ``computing`` are steps that say no cpu and whose tasks were seen to use one.
    ``memory_short`` says in words that memory is short, '' that it is not.
    """

    at: float
    computing: tuple[str, ...] = ()
    memory_short: str = ""


class Intent(msgspec.Struct, frozen=True):
    """A submission that was written down before it was made."""

    name: str
    jobs: tuple[JobId, ...]
    backend: str
    engine_id: str | None = None
    made_at: float = 0.0
