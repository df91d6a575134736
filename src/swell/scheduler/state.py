"""Decides what a run does next: events in, commands out; no I/O, no clock.

What starts next is `starting`'s to say. Open splits count who has reached their join
(`scopes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from swell.compute.packing import Machine
from swell.errors import InternalError
from swell.model.cause import Cause
from swell.model.graph import Graph
from swell.model.ids import JobId
from swell.model.job import MachineNews, StepPlan
from swell.model.record import Outcome, Transition
from swell.scheduler.attempts import Work, node_of
from swell.scheduler.events import (
    AttemptFinished,
    CancelAttempts,
    Command,
    Event,
    Finish,
    Interrupted,
    LeftAlone,
    OriginTask,
    RetryLater,
    Returned,
    RunStarted,
    TaskFailedForGood,
    TaskKey,
    WakeAt,
)
from swell.scheduler.guard import failed_input, judge
from swell.scheduler.known import NOTHING_KNOWN, Known
from swell.scheduler.ready import Block, StepCounts, StepState
from swell.scheduler.retry import NextAttempt, next_attempt
from swell.scheduler.scopes import gang_member_name
from swell.scheduler.starting import Starting
from swell.scheduler.transitions import refusal
from swell.scheduler.unfolding import Unfolding

UNBOUNDED = Machine()
"""A machine of which nothing is known."""
_NO_ORIGIN: Mapping[TaskKey, OriginTask] = MappingProxyType({})


class Limits(msgspec.Struct, frozen=True):
    """``max_workers`` attempts in flight at once; ``max_num_splits`` children of a foreach.

    ``keep_going`` finishes what does not depend on a failure.
    """

    max_workers: int = 16
    max_num_splits: int = 100
    keep_going: bool = False


class RunState:
    """One run of ``graph``; ``plans`` by step, ``origin`` what resume takes over, ``known``
    what another driver made of this very run, ``machine`` what tasks here share.

    Belongs to one thread. A task is adopted only if all it reads was adopted: what ran
    again never meets old results computed without it.
    """

    def __init__(
        self,
        graph: Graph,
        plans: Mapping[str, StepPlan],
        limits: Limits,
        origin: Mapping[TaskKey, OriginTask] = _NO_ORIGIN,
        known: Known = NOTHING_KNOWN,
        machine: Machine = UNBOUNDED,
    ) -> None:
        self._graph = graph
        self._limits = limits
        self._unfolding = Unfolding(graph, plans, known.done or origin, known)
        self._adoption = self._unfolding.adoption
        self._adopts = self._adoption.knows_any
        self._starting = Starting(self._unfolding.ready, limits.max_workers, known.open, machine)
        self._running = self._starting.running
        self._now = 0.0
        self._wake_at: float | None = None
        self._begun = False
        self._stopping = False
        self._left_alone = False
        self._interrupted = False
        self._finished = False
        self._why = ""
        self._verdict = ""
        self._told: list[Command] = []

    # --- for the loop ------------------------------------------------------

    def handle(self, event: Event) -> list[Command]:
        """What ``event`` leads to."""
        return self.handle_all((event,))

    def handle_all(self, events: Sequence[Event]) -> list[Command]:
        """What ``events`` lead to, taken in order; starts are grouped over all of them.

        Adoptions come first, parents before children. Empty once Finish was given.
        """
        if self._finished:
            return []
        for event in events:
            if event.at > self._now:
                self._now = event.at
            if isinstance(event, AttemptFinished):
                self._attempt_finished(event)
            elif isinstance(event, RunStarted):
                self._begin()
            elif isinstance(event, Interrupted):
                self._interrupt(event.why)
            elif isinstance(event, Returned):
                self._take_back(event)
            elif isinstance(event, LeftAlone):
                self._left_alone = True
            elif isinstance(event, MachineNews):
                self._starting.note_machine(event)
            else:
                self._wake_at = None
        if not self._stopping and not self._left_alone:
            if self._adopts and self._adoption.is_searching:
                self._unfolding.adopt_some()
                self._heed_refusal()
            self._starting.start_ready(self._now)
        return self._take_commands()

    def counts(self) -> dict[str, StepCounts]:
        """Live counts per step, in topological order; not to be changed."""
        return {name: step.counts for name, step in self._unfolding.steps.items()}

    @property
    def in_flight(self) -> int:
        """How many attempts run."""
        return len(self._running)

    def _take_commands(self) -> list[Command]:
        commands: list[Command] = []
        if self._adopts and self._adoption.has_commands:
            commands += self._adoption.take_commands(self._unfolding.steps)
        if self._unfolding.opened:
            commands += self._unfolding.opened
            self._unfolding.opened = []
        if self._told:
            commands += self._told
            self._told = []
        commands += self._starting.take_commands()
        commands += self._wake()
        if not self._running:
            commands += self._finish_if_over()
        return commands

    # --- beginning and end --------------------------------------------------

    def _begin(self) -> None:
        if self._begun or self._stopping:
            return
        self._begun = True
        self._unfolding.begin()

    def _interrupt(self, why: str) -> None:
        """End the run; when it is ending already, ask once more, which is answered by force."""
        self._interrupted = True
        if self._stopping:
            self._cancel(list(self._running), why)
        self._stop(why)

    def _stop(self, why: str) -> None:
        """Start nothing more and end what runs."""
        self._why = self._why or why
        if self._stopping:
            return
        self._stopping = True
        self._unfolding.stop()
        self._starting.stop()
        self._cancel(list(self._running), why)

    def _cancel(self, names: Sequence[str], why: str) -> None:
        jobs = tuple([JobId(name, self._running[name].attempt) for name in names])
        if jobs:
            self._told.append(CancelAttempts(jobs, why))

    def _finish_if_over(self) -> list[Command]:
        """Finish, when nothing runs and nothing more will."""
        if self._unfolding.reached_end:
            finish = Finish(ok=True)
        elif self._stopping:
            finish = Finish(False, self._interrupted, self._why, self._verdict)
        elif self._more_will_start or not self._begun or self._left_alone:
            return []
        elif self._why:
            finish = Finish(False, why=self._why, verdict=self._verdict)
        else:
            raise InternalError(f"Nothing is left to run, but '{self._graph.end}' never ran.")
        self._finished = True
        return [finish]

    @property
    def _more_will_start(self) -> bool:
        return self._adoption.is_searching or self._starting.next_retry_at is not None

    def _wake(self) -> list[Command]:
        is_searching = self._adopts and self._adoption.is_searching
        at = self._now if is_searching else self._starting.next_retry_at
        if at is None or at == self._wake_at:
            return []
        self._wake_at = at
        return [WakeAt(at)]

    # --- ending ------------------------------------------------------------

    def _attempt_finished(self, event: AttemptFinished) -> None:
        job, outcome = event.job, event.outcome
        work = self._running.get(job.task)
        if work is None or work.attempt != job.attempt:
            return  # superseded: it never decides
        self._starting.ended(work, event)
        block, transition = work.block, outcome.transition
        step = block.step
        if outcome.ok and (transition is None or transition != step.always):
            problem = self._refusal(step, transition)
            if problem:
                outcome = Outcome(False, Cause.USER_ERROR, problem, retryable=False)
                event = AttemptFinished(event.at, job, outcome)
        if work.gang is not None:
            self._member_finished(work, event)
        elif outcome.ok:
            step.counts.done += 1
            if step.plan.pack_s is not None:
                self._starting.took(step, outcome.ended_at - outcome.started_at)
            self._go_on(block, work.index, transition)
        else:
            self._task_failed(work, event)

    def _take_back(self, event: Returned) -> None:
        for job in event.jobs:
            work = self._running.get(job.task)
            if work is not None and work.attempt == job.attempt:
                self._starting.returned(work, starts_again=not self._stopping)

    def _go_on(self, block: Block, index: int, transition: Transition | None) -> None:
        """A task ended ok; when the run is ending, only the end step's still matters."""
        if not self._stopping or block.step.name == self._graph.end:
            self._unfolding.follow(block, index, transition)
            if self._unfolding.refused:
                self._end_for(self._unfolding.refused)

    def _refusal(self, step: StepState, transition: Transition | None) -> str:
        if self._stopping or step.name == self._graph.end:
            return ""
        return refusal(step.node, transition, self._limits.max_num_splits) or self._no_room(
            transition
        )

    def _no_room(self, transition: Transition | None) -> str:
        """Why a gang could never start: it asks for GPUs, or named amounts, that are not there."""
        split = transition.split if transition is not None else None
        if transition is None or split is None or not split.is_gang:
            return ""
        name = transition.targets[0]
        excess = self._starting.admission.gang_excess(self._unfolding.steps[name], split.num)
        return "".join(
            f"Step '{name}' opens with {split.num} tasks that run together and ask for "
            f"{one.asked:g} {one.what}; there are {one.there:g}."
            for one in excess[:1]
        )

    def _task_failed(self, work: Work, event: AttemptFinished) -> None:
        counts = work.block.step.counts
        following = next_attempt(
            work.block.step.plan,
            work.tries,
            event.outcome,
            uncounted=event.uncounted,
            fallback=work.fallback,
            memory_mb=work.memory_mb,
            is_behind=work.is_behind,
        )
        if self._stopping and (following or event.outcome.cause is Cause.CANCELLED):
            counts.cancelled += 1
        elif following is not None:
            work.try_again(following)
            self._wait(work, event, following)
        else:
            counts.failed += 1
            self._failed_for_good(work, event)
            self._lose(work.block, work.index)

    def _lose(self, block: Block, index: int) -> None:
        if self._stopping:
            return
        self._unfolding.lose(block.scope, index)
        self._heed_refusal()

    def _heed_refusal(self) -> None:
        if self._unfolding.refused:
            self._end_for(self._unfolding.refused)

    def _wait(self, work: Work, event: AttemptFinished, following: NextAttempt) -> None:
        at = self._now + following.wait_s
        step, outcome = work.block.step.name, event.outcome
        growth, is_alone = following.growth, following.is_alone
        retry = RetryLater(event.job, step, work.attempt, at, outcome, growth, is_alone)
        self._told.append(retry)
        self._starting.start_again(work, at, self._now)

    def _failed_for_good(self, work: Work, event: AttemptFinished) -> None:
        """Tell it; ends the run unless what does not depend on it is to go on.

        A fallback attempt that failed too is told as the failure it was to record.
        """
        step, job, outcome = work.block.step.name, event.job, event.outcome
        if work.fallback is not None:
            job = JobId(job.task, work.fallback.attempts_made - 1)
            outcome = Outcome(False, Cause(work.fallback.cause), work.fallback.message)
        failure = failed_input(work.index, f"{step}/{job.task}", job.attempt + 1, outcome)
        verdict = judge(work.block.scope, work.index, failure)
        self._told.append(TaskFailedForGood(job, step, outcome, verdict.is_tolerated))
        if verdict.why:
            self._end_for(verdict.why)
        elif verdict.ends_run:
            self._end_for(f"Task {step}/{job.task} failed.", is_verdict=False)

    def _end_for(self, why: str, *, is_verdict: bool = True) -> None:
        """Something failed that ends the run, now or when all that does not need it is done."""
        if is_verdict:
            self._verdict = self._verdict or why
        if self._limits.keep_going:
            self._why = self._why or why
        else:
            self._stop(why)

    def _member_finished(self, work: Work, event: AttemptFinished) -> None:
        gang = work.gang
        assert gang is not None
        node = node_of(event.job.task)
        gang.left -= 1
        gang.causes[node] = event.outcome.cause if not event.outcome.ok else Cause.OK
        gang.transitions[node] = event.outcome.transition
        if not event.outcome.ok and gang.failure is None:
            self._first_member_failed(work, event)
        if gang.left == 0:
            self._gang_ended(work)

    def _first_member_failed(self, work: Work, event: AttemptFinished) -> None:
        gang, step = work.gang, work.block.step
        assert gang is not None
        following = next_attempt(
            step.plan,
            work.tries,
            event.outcome,
            uncounted=event.uncounted,
            fallback=work.fallback,
            memory_mb=work.memory_mb,
        )
        if self._stopping and (following or event.outcome.cause is Cause.CANCELLED):
            return
        gang.failure, gang.following = event, following
        if following is None:
            self._failed_for_good(work, event)
        if not self._stopping:
            members = [gang_member_name(work.id, node) for node in range(gang.size)]
            left = [name for name in members if name in self._running]
            self._cancel(left, f"member {event.job.task} of its gang failed")

    def _gang_ended(self, work: Work) -> None:
        gang, block = work.gang, work.block
        assert gang is not None
        counts = block.step.counts
        counts.running -= gang.size
        if gang.following is not None and gang.failure is not None and not self._stopping:
            failure, following = gang.failure, gang.following
            work.try_again(following)
            self._wait(work, failure, following)
            return
        done = sum(cause is Cause.OK for cause in gang.causes)
        failed = int(gang.failure is not None and gang.following is None)
        counts.done += done
        counts.failed += failed
        counts.cancelled += gang.size - done - failed
        for node in range(gang.size):
            if done == gang.size:
                self._go_on(block, node, gang.transitions[node])
            else:
                self._lose(block, node)
