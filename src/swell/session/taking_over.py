"""Takes over a run that another driver began: what ended, what may still run elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from swell.compute.output import OutputSink, TaskOutput
from swell.errors import CommandException, UsageError
from swell.model.cause import Cause
from swell.model.facts import (
    MEMORY_FACT,
    AttemptFact,
    RunFact,
    RunStatus,
    RunTaken,
    TaskCreated,
    TaskFact,
)
from swell.model.graph import Graph
from swell.model.ids import JobId, RunId
from swell.model.job import FailedInput, Intent, Launch, StepPlan
from swell.model.remote import RunKeys, unpack_submission
from swell.model.wire import decode_graph
from swell.scheduler.events import TaskKey
from swell.scheduler.guard import failed_input
from swell.scheduler.known import Known, OpenTask
from swell.scheduler.resume import latest_outcomes, tasks_to_adopt
from swell.scheduler.retry import UNCOUNTED, Tries, next_attempt
from swell.seams.metastore import Metastore
from swell.seams.storage import Storage
from swell.session.datastores import Datastores
from swell.session.flow import SettledFlow
from swell.session.liveness import is_lost
from swell.session.run_order import BATCH_BACKEND

NO_PLANS: Mapping[str, StepPlan] = MappingProxyType({})
_ID = ".id"


def is_without_driver(run: RunFact) -> bool:
    """Whether its driver left it or was lost."""
    return run.status is RunStatus.DETACHED or is_lost(run)


def find_run_to_take(metastore: Metastore, flow: SettledFlow, number: str) -> RunFact:
    """The run ``number`` of ``flow``, which has no driver and has not ended.

    Raises UsageError for what is no number, CommandException where it cannot be taken over.
    """
    text = number.removeprefix(f"{flow.name}/")
    if not text.isdecimal():
        raise UsageError(
            f"'{number}' is not the number of a run.", remedy="Give the number alone, such as 15."
        )
    run = metastore.run(RunId(flow.name, int(text)))
    if run is None:
        raise CommandException(
            f"{flow.name} has no run {text}.", remedy="'swell runs' lists those there are."
        )
    if run.status is RunStatus.RUNNING and not is_lost(run):
        raise CommandException(
            f"Run {text} has a driver: process {run.pid} on {run.host}.",
            remedy=f"Watch it with 'logs {text}/STEP --follow', or end that process first.",
        )
    if run.status not in (RunStatus.RUNNING, RunStatus.DETACHED):
        raise CommandException(
            f"Run {text} has ended: it is {run.status.value}.",
            remedy=f"'resume --origin-run-id {text}' makes a new run of what failed.",
        )
    if decode_graph(run.graph) != flow.graph:
        raise CommandException(
            f"The steps of {flow.name} are not those that run {text} began with.",
            remedy=f"'resume --origin-run-id {text}' makes a new run with the code as it is now.",
        )
    return run


def take(metastore: Metastore, run: RunFact) -> None:
    """Be the driver of ``run`` from now on."""
    metastore.commit([RunTaken(run.id, time.time(), os.uname().nodename, os.getpid())])


def find_what_is_known(
    metastore: Metastore,
    run: RunFact,
    graph: Graph,
    plans: Mapping[str, StepPlan],
    data: Datastores,
) -> tuple[Known, tuple[Intent, ...]]:
    """What the run's other driver made of it, and its submissions that may still run.

    Asks the object store alone. Raises StoreError.
    """
    attempts = metastore.attempts(run.id)
    submitted: dict[str, Sequence[Launch]] = {}
    made_at: dict[str, float] = {}
    if data.url is not None:
        keys = RunKeys(f"runs/{run.id.flow}/{run.id.number}")
        submitted = read_submissions(data.own, keys, made_at)
    ended = {fact.job for fact in attempts if fact.outcome is not None}
    waiting = {
        name: tuple(launch.job for launch in launches if launch.job not in ended)
        for name, launches in submitted.items()
    }
    intents = tuple(
        Intent(name, jobs, BATCH_BACKEND, made_at=made_at[name])
        for name, jobs in waiting.items()
        if jobs
    )
    in_flight = {job for intent in intents for job in intent.jobs}
    known = what_is_known(
        graph,
        metastore.tasks(run.id),
        attempts,
        [launch for launches in submitted.values() for launch in launches],
        in_flight,
        plans,
    )
    return known, intents


def read_submissions(
    storage: Storage, keys: RunKeys, made_at: dict[str, float]
) -> dict[str, Sequence[Launch]]:
    """All submissions of a run by name; ``made_at`` is filled with when they were written."""
    found: dict[str, Sequence[Launch]] = {}
    for entry in storage.list(keys.submissions):
        name = entry.key.removeprefix(keys.submissions)
        if not name.endswith(_ID):
            made_at[name] = entry.modified_at
            found[name] = unpack_submission(storage.read(entry.key))
    return found


def what_is_known(
    graph: Graph,
    tasks: Sequence[TaskFact],
    attempts: Sequence[AttemptFact],
    submitted: Sequence[Launch],
    in_flight: set[JobId],
    plans: Mapping[str, StepPlan] = NO_PLANS,
) -> Known:
    """From facts and submissions to what a second driver needs; pure. ``plans`` say which
    failures were the last ones, where a foreach allows some.

    A gang goes on only where none of its members has ended: else it begins anew.
    """
    done = tasks_to_adopt(graph, tasks, latest_outcomes(attempts))
    by_task: dict[str, list[AttemptFact]] = {}
    for fact in attempts:
        by_task.setdefault(fact.job.task, []).append(fact)
    running = {job.task: job.attempt for job in in_flight}
    broken = _broken_gangs(submitted, in_flight)
    memory = _memory_of_attempts(attempts, submitted)
    open_tasks: dict[TaskKey, OpenTask] = {}
    failed: dict[TaskKey, FailedInput] = {}
    for launch in submitted:
        key = _key_of(launch)
        if key not in done and launch.job in in_flight:
            open_tasks[key] = OpenTask(
                launch.job.task,
                launch.job.attempt,
                is_stored=False,
                memory_mb=launch.resources.memory_mb,
            )
    for task in tasks:
        created = task.created
        key = TaskKey(created.step, created.indices, created.rounds)
        if key in done:
            continue
        made = by_task.get(created.task, [])
        had = memory.get(created.task, {})
        is_over = created.task not in running and made
        if is_over and _failed_for_good(graph, plans.get(created.step), made, had):
            failed[key] = _failure_of(created, made)
            continue
        following = max((fact.job.attempt + 1 for fact in made), default=0)
        attempt = running.get(created.task, following)
        if created.task in broken:
            attempt = max(following, running.get(created.task, -1) + 1)
        memory_mb = had[max(had)] if had else None
        open_tasks[key] = OpenTask(created.task, attempt, _tries(made, had), memory_mb=memory_mb)
    return Known(done, open_tasks, failed)


def _failed_for_good(
    graph: Graph, plan: StepPlan | None, made: Sequence[AttemptFact], memory: Mapping[int, int]
) -> bool:
    """Whether the last attempt was the last one, in a foreach that allows failures."""
    last, step = made[-1].outcome, made[-1].step
    around = graph.nodes[step].split_parents if step in graph.nodes else ()
    if plan is None or last is None or last.ok or plan.fallback_attempts:
        return False
    if last.cause in (Cause.CANCELLED, Cause.DRIVER_LOST):
        return False
    if not any(graph.nodes[name].max_failures is not None for name in around):
        return False
    return (
        next_attempt(
            plan,
            _tries(made[:-1], memory),
            last,
            uncounted=last.cause in UNCOUNTED,
            memory_mb=memory.get(made[-1].job.attempt),
        )
        is None
    )


def _failure_of(created: TaskCreated, made: Sequence[AttemptFact]) -> FailedInput:
    outcome = made[-1].outcome
    assert outcome is not None
    index = created.indices[-1] if created.indices else 0
    return failed_input(index, f"{created.step}/{created.task}", len(made), outcome)


def _key_of(launch: Launch) -> TaskKey:
    return TaskKey(launch.step, tuple(frame.index for frame in launch.stack), launch.rounds)


def _broken_gangs(submitted: Sequence[Launch], in_flight: set[JobId]) -> set[str]:
    """Members of gangs of which some have ended and some have not."""
    members: dict[tuple[str, int], list[Launch]] = {}
    for launch in submitted:
        if launch.gang is not None:
            gang = (launch.gang.control_task, launch.job.attempt)
            members.setdefault(gang, []).append(launch)
    return {
        launch.job.task
        for launches in members.values()
        if 0 < sum(launch.job in in_flight for launch in launches) < len(launches)
        for launch in launches
    }


def _memory_of_attempts(
    attempts: Sequence[AttemptFact], submitted: Sequence[Launch]
) -> dict[str, dict[int, int]]:
    """Task → number of an attempt → the memory it was given, where that is known."""
    found: dict[str, dict[int, int]] = {}
    for launch in submitted:
        if launch.resources.memory_mb is not None:
            job = launch.job
            found.setdefault(job.task, {})[job.attempt] = launch.resources.memory_mb
    for fact in attempts:
        if MEMORY_FACT in fact.metadata:
            job = fact.job
            found.setdefault(job.task, {})[job.attempt] = int(fact.metadata[MEMORY_FACT][1])
    return found


def _tries(attempts: Sequence[AttemptFact], memory: Mapping[int, int]) -> Tries:
    """``memory`` is what attempts were given, by number: more than the one before means that
    its end for want of it was not counted."""
    failed = [
        (fact.job.attempt, fact.outcome.cause)
        for fact in attempts
        if fact.outcome is not None and not fact.outcome.ok
    ]
    uncounted = sum(cause in UNCOUNTED for _, cause in failed)
    on_purpose = sum(cause is Cause.CANCELLED for _, cause in failed)
    grown = sum(
        cause is Cause.OUT_OF_MEMORY and memory.get(number + 1, 0) > memory.get(number, 0)
        for number, cause in failed
    )
    counted = len(failed) - uncounted - on_purpose - grown
    return Tries(counted=counted, uncounted=uncounted, grown=grown)


def skipping_what_is_stored(sink: OutputSink, folder: str) -> OutputSink:
    """``sink`` without what the other driver stored in the log at ``folder``: output of
    attempts that went on is read from its beginning again."""
    from swell.datastore.log_reader import LogReader

    reader = LogReader(folder)
    left: dict[tuple[JobId, str], int] = {}

    def take_rest(output: TaskOutput) -> None:
        job, stream = output.launch.job, output.stream
        known = left.get((job, stream))
        if known is None:
            known = reader.size(job.task, job.attempt, stream)
        skipped = min(known, len(output.data))
        left[job, stream] = known - skipped
        if skipped < len(output.data):
            sink(output._replace(data=output.data[skipped:]))

    return take_rest
