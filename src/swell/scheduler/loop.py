"""The hands of the scheduler: performs its commands and feeds it what happens.

One thread decides. Backends, the fact writer and signal handlers only put into the inbox.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from swell.errors import SwellError
from swell.model.cause import Evidence
from swell.model.facts import (
    AttemptEnded,
    AttemptStarted,
    RunEnded,
    RunStatus,
    TaskCreated,
)
from swell.model.graph import Graph
from swell.model.ids import JobId, RunId
from swell.model.job import JobState, JobUpdate, MachineNews
from swell.model.record import Usage
from swell.model.verdict import judge
from swell.model.wire import EMPTY_RECORD, decode_result
from swell.scheduler.events import (
    AdoptTasks,
    AttemptFinished,
    CancelAttempts,
    Command,
    Event,
    Finish,
    HeldUp,
    Interrupted,
    LeftAlone,
    RetryLater,
    Returned,
    RunStarted,
    SplitOpened,
    Start,
    StartAttempts,
    TaskFailedForGood,
    Tick,
    Used,
    WakeAt,
)
from swell.scheduler.failures import FailureTally, slim
from swell.scheduler.gathering import Gathered, noted_of
from swell.scheduler.launching import Launching
from swell.scheduler.observe import (
    ChildrenOpened,
    Observer,
    Progress,
    RunFinished,
    TaskBegan,
    TaskEnded,
    TaskFailed,
    TaskRetries,
    TasksAdopted,
    TasksEnding,
    Told,
)
from swell.scheduler.ready import StepCounts
from swell.scheduler.retry import UNCOUNTED, retry_is_meant
from swell.scheduler.state import RunState
from swell.scheduler.writer import Entry, FactWriter, WriteFailed, Written
from swell.seams.backend import Backend, LeavableBackend, PackingBackend
from swell.seams.clock import Clock

HEARTBEAT_S = 10.0
WHOLE_FAILURES = 200
"""Of further failures the traceback is not kept, but for one example of each cause."""


class TaskLog(Protocol):
    """The log of the run's tasks, as far as the loop writes to it; must not raise."""

    def say(self, job: JobId, text: str) -> None:
        """A line about an attempt that it did not print itself."""
        ...

    def end(self, job: JobId) -> None:
        """No more output comes from this attempt."""
        ...


class OutOfTouch(msgspec.Struct, frozen=True):
    """What runs elsewhere cannot be watched any more, because of ``error``: it is left alone."""

    at: float
    error: SwellError


Arrival = JobUpdate | MachineNews | Written | WriteFailed | Interrupted | LeftAlone | OutOfTouch
"""What may come into the deciding thread."""


class Inbox:
    """The one queue into the deciding thread; safe from threads and signal handlers."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Arrival] = queue.SimpleQueue()

    def put_updates(self, updates: Sequence[JobUpdate]) -> None:
        """For backends."""
        for update in updates:
            self._queue.put(update)

    def put(
        self, item: MachineNews | Written | WriteFailed | Interrupted | LeftAlone | OutOfTouch
    ) -> None:
        """For the fact writer, for who looks at the machine and for whoever interrupts."""
        self._queue.put(item)

    def take(self, timeout_s: float) -> list[Arrival]:
        """All that is there, waiting at most ``timeout_s`` for the first."""
        try:
            items = [self._queue.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        while True:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                return items


class RunEnd(msgspec.Struct, frozen=True):
    """How a run ended, and where its steps stood; ``store_error``: the store gave up;
    ``verdict``: what a foreach says of its failure budget or canaries, where they ended it.
    ``tally`` has the failures by cause.

    ``left`` attempts go on elsewhere: the driver left the run, which has not ended.
    """

    ok: bool
    interrupted: bool
    why: str
    failures: tuple[TaskFailed, ...]
    store_error: Exception | None = None
    counts: dict[str, StepCounts] = {}
    left: int = 0
    verdict: str = ""
    tally: FailureTally = msgspec.field(default_factory=FailureTally)


class RunLoop:
    """Drives one run to its end; ``drive`` is called once, by the thread that decides.

    With ``leaves`` it leaves the run as soon as all that runs goes on without a driver.
    """

    def __init__(
        self,
        run: RunId,
        graph: Graph,
        state: RunState,
        backends: Mapping[str, Backend],
        launching: Launching,
        writer: FactWriter,
        inbox: Inbox,
        observer: Observer,
        task_log: TaskLog,
        *,
        leaves: bool = False,
        clock: Clock = time.time,
    ) -> None:
        self._leaves = leaves
        self._left_alone = False
        self._run = run
        self._graph = graph
        self._state = state
        self._backends = backends
        self._launching = launching
        self._writer = writer
        self._inbox = inbox
        self._observer = observer
        self._task_log = task_log
        self._clock = clock
        self._flying: dict[JobId, Start] = {}
        self._begun_at: dict[JobId, float] = {}
        self._wake_at: float | None = None
        self._finish: Finish | None = None
        self._failures: list[TaskFailed] = []
        self._tally = FailureTally()
        self._gathered = Gathered()
        self._store_error: Exception | None = None

    def drive(self) -> RunEnd:
        """Run until nothing more will happen; everything reported is durable then."""
        started_at = self._clock()
        next_beat = started_at + HEARTBEAT_S
        next_progress = started_at
        self._decide([RunStarted(started_at)])
        while self._finish is None:
            now = self._clock()
            events = self._events_of(self._inbox.take(self._patience_s(now, next_progress)))
            now = self._clock()
            if self._wake_at is not None and now >= self._wake_at:
                self._wake_at = None
                events.append(Tick(now))
            self._decide(events)
            if now >= next_beat:
                next_beat = now + HEARTBEAT_S
                self._writer.beat(now)
            every_s = self._observer.progress_every_s
            if every_s is not None and now >= next_progress:
                next_progress = now + every_s
                self._observer.notice(Progress(now, self._state.counts()))
            if self._finish is None and self._may_leave():
                return self._leave(started_at)
        return self._end(started_at, self._finish)

    def can_be_left(self) -> bool:
        """Whether something runs that would go on without a driver; safe from other threads."""
        return any(self._goes_on(start) for start in list(self._flying.values()))

    def _goes_on(self, start: Start) -> bool:
        backend = self._backends[self._launching.plan(start.step).backend]
        return isinstance(backend, LeavableBackend)

    def _may_leave(self) -> bool:
        wanted = self._left_alone or self._leaves
        return wanted and bool(self._flying) and all(map(self._goes_on, self._flying.values()))

    def _leave(self, started_at: float) -> RunEnd:
        """Let go of what runs elsewhere; the run has not ended."""
        now = self._clock()
        left = len(self._flying)
        for backend in self._backends.values():
            if isinstance(backend, LeavableBackend):
                backend.detach()
        self._events_of(self._inbox.take(0.0))
        self._commit_gathered()
        self._writer.put(Entry((RunEnded(self._run, now, RunStatus.DETACHED),)))
        self._writer.close()
        self._events_of(self._inbox.take(0.0))
        counts = self._state.counts()
        self._observer.notice(Progress(now, counts))
        self._observer.notice(
            RunFinished(
                self._run, now, now - started_at, True, False, "", tuple(self._failures), left
            )
        )
        return RunEnd(
            ok=self._store_error is None,
            interrupted=False,
            why="",
            failures=tuple(self._failures),
            store_error=self._store_error,
            counts=counts,
            left=left,
        )

    def _patience_s(self, now: float, next_progress: float) -> float:
        limits = [HEARTBEAT_S]
        if self._wake_at is not None:
            limits.append(max(0.0, self._wake_at - now))
        if self._observer.progress_every_s is not None:
            limits.append(max(0.0, next_progress - now))
        return min(limits)

    def _end(self, started_at: float, finish: Finish) -> RunEnd:
        now = self._clock()
        status = (
            RunStatus.DONE
            if finish.ok
            else RunStatus.INTERRUPTED
            if finish.interrupted
            else RunStatus.FAILED
        )
        self._writer.put(Entry((RunEnded(self._run, now, status),)))
        self._writer.close()
        self._events_of(self._inbox.take(0.0))
        end = RunEnd(
            ok=finish.ok and self._store_error is None,
            interrupted=finish.interrupted and self._store_error is None,
            why=finish.why,
            failures=tuple(self._failures),
            store_error=self._store_error,
            counts=self._state.counts(),
            verdict=finish.verdict,
            tally=self._tally,
        )
        self._observer.notice(Progress(now, self._state.counts()))
        self._observer.notice(
            RunFinished(
                self._run,
                now,
                now - started_at,
                end.ok,
                end.interrupted,
                end.why,
                end.failures,
            )
        )
        return end

    # --- what happened -------------------------------------------------------

    def _events_of(self, items: Sequence[Arrival]) -> list[Event]:
        events: list[Event] = []
        returned: list[JobId] = []
        for item in items:
            match item:
                case JobUpdate(state=JobState.RUNNING):
                    self._note_running(item)
                case JobUpdate(state=JobState.EXITED | JobState.LOST):
                    event = self._note_ended(item)
                    if event is not None:
                        events.append(event)
                case JobUpdate(state=JobState.RETURNED):
                    if self._flying.pop(item.job, None) is not None:
                        returned.append(item.job)
                case Written():
                    self._launching.committed(item.tasks)
                    for notice in item.notices:
                        self._observer.notice(notice)
                case WriteFailed():
                    self._store_error = item.error
                    events.append(Interrupted(self._clock(), f"the store failed: {item.error}"))
                case LeftAlone():
                    self._left_alone = True
                    events.append(item)
                case OutOfTouch():
                    self._store_error = item.error
                    self._left_alone = True
                    events.append(LeftAlone(item.at))
                case Interrupted() | MachineNews():
                    events.append(item)
        if returned:
            events.append(Returned(self._clock(), tuple(returned)))
        return events

    def _commit_gathered(self, commands: Sequence[Command] = ()) -> None:
        """What was gathered is on its way before any of the ``commands`` is performed."""
        if not self._gathered.is_empty:
            self._gathered.note_retries(commands)
            self._writer.put(self._gathered.take())

    def _note_running(self, update: JobUpdate) -> None:
        start = self._flying.get(update.job)
        if start is None:
            return
        self._begun_at[update.job] = update.at
        self._gathered.facts.append(
            AttemptStarted(self._run, update.job, update.at, update.pid, update.note)
        )
        is_fallback = start.fallback is not None
        self._observer.notice(TaskBegan(update.job, start.step, update.at, update.pid, is_fallback))

    def _note_ended(self, update: JobUpdate) -> AttemptFinished | None:
        start = self._flying.pop(update.job, None)
        if start is None:
            return None
        told_at = self._begun_at.pop(update.job, None)
        if told_at is not None:
            began_at = told_at
        elif update.began_at is not None:
            began_at = update.began_at
            self._gathered.facts.append(AttemptStarted(self._run, update.job, began_at, update.pid))
        else:
            began_at = update.at
        result = decode_result(update.result) if update.result is not None else None
        outcome = judge(
            result.outcome if result is not None else None,
            update.evidence or Evidence(),
            began_at=began_at,
            ended_at=update.at,
        )
        record = bytes(result.record) if result is not None else EMPTY_RECORD
        if outcome.ok:
            self._launching.ended(start, record, outcome.transition)
        else:
            self._task_log.say(update.job, outcome.message)
        self._task_log.end(update.job)
        usage = update.usage or Usage()
        self._gathered.facts.append(
            AttemptEnded(
                self._run,
                update.job,
                update.at,
                outcome,
                record,
                usage.completed(outcome.used),
                noted_of(start, result),
            )
        )
        if result is not None and result.blobs:
            self._gathered.blobs += result.blobs
        if outcome.ok:
            seconds = update.at - began_at
            notice = TaskEnded(update.job, start.step, update.at, seconds, outcome.caught)
            is_told = told_at is not None or update.began_at is None
            self._gathered.end(notice, is_told=is_told, pid=update.pid)
        uncounted = outcome.cause in UNCOUNTED
        used = Used(usage.added_mb, usage.cpu_s, update.at - began_at)
        return AttemptFinished(update.at, update.job, outcome, uncounted, used)

    # --- what is to be done ----------------------------------------------------

    def _decide(self, events: Sequence[Event]) -> None:
        try:
            commands = self._state.handle_all(events) if events else []
            self._commit_gathered(commands)
            for command in commands:
                self._perform(command)
        except SwellError as error:
            # The run cannot go on, but its processes are still ours to end.
            self._store_error = error
            self._commit_gathered()
            stop = Interrupted(self._clock(), str(error))
            for command in self._state.handle(stop):
                self._perform(command)

    def _perform(self, command: Command) -> None:
        now = self._clock()
        match command:
            case StartAttempts():
                self._start(command, now)
            case AdoptTasks():
                entry, pairs = self._launching.adopt(command, now)
                self._writer.put(entry)
                if pairs:
                    self._observer.notice(TasksAdopted(command.step, now, pairs))
            case CancelAttempts():
                self._observer.notice(TasksEnding(now, len(command.jobs), command.why))
                for backend in self._backends.values():
                    backend.cancel(command.jobs, command.why)
            case RetryLater():
                self._observer.notice(
                    TaskRetries(
                        command.job,
                        command.step,
                        now,
                        command.attempt,
                        command.at,
                        command.outcome,
                        command.growth,
                        command.is_alone,
                    )
                )
            case TaskFailedForGood():
                plan, outcome = self._launching.plan(command.step), command.outcome
                failure = TaskFailed(
                    command.job,
                    command.step,
                    now,
                    outcome,
                    plan.attempts,
                    retry_is_meant(plan, outcome),
                    command.is_tolerated,
                )
                self._tally.add(failure)
                is_whole = len(self._failures) < WHOLE_FAILURES
                self._failures.append(failure if is_whole else slim(failure))
                self._observer.notice(failure)
            case SplitOpened():
                self._observer.notice(
                    ChildrenOpened(command.task, command.step, now, command.num, command.canaries)
                )
            case HeldUp():
                self._observer.notice(Told(now, _held_up_words(command.why)))
            case WakeAt():
                self._wake_at = command.at
            case Finish():
                self._finish = command

    def _start(self, command: StartAttempts, now: float) -> None:
        backend = self._backends[self._launching.plan(command.step).backend]
        if command.pack_s is not None and isinstance(backend, PackingBackend):
            pack, facts = self._launching.pack(command, now, command.pack_s)
            self._take_off(command, facts)
            backend.submit_pack(pack)
        else:
            launches, facts = self._launching.launch(command, now)
            self._take_off(command, facts)
            backend.submit(launches)

    def _take_off(self, command: StartAttempts, facts: tuple[TaskCreated, ...]) -> None:
        for start in command.starts:
            self._flying[start.job] = start
        if facts:
            self._writer.put(Entry(facts))


def _held_up_words(why: str) -> str:
    if not why:
        return "Memory is there again: tasks start as before."
    return f"Memory is short: {why}. Until there is more, tasks here start one at a time."
