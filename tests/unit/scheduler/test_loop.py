"""The hands of the scheduler, without a process: what is launched, stored, told, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from swell.compute.packing import Machine
from swell.errors import ComputeError, MetadataError
from swell.model.cause import Cause, Evidence
from swell.model.facts import RETRY_FACT, Fact, RunStatus
from swell.model.ids import JobId
from swell.model.job import JobState, JobUpdate, Launch, MachineNews, StepPlan
from swell.model.record import Outcome, Record
from swell.model.resources import Resources
from swell.scheduler.events import Interrupted
from swell.scheduler.loop import OutOfTouch
from swell.scheduler.observe import (
    ChildrenOpened,
    RunFinished,
    TaskBegan,
    TaskEnded,
    TaskFailed,
    TaskRetries,
    Told,
)
from swell.scheduler.state import Limits
from swell.seams.metastore import Metastore
from swell.testing.scripted_backend import Answer, going_to, result
from tests.unit.scheduler.loop_stage import Stage, artifact, read
from tests.unit.scheduler.scheduler_shapes import Branch, Each, Loop, Step, shape_of

Make = Callable[..., Stage]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Make]:
    made: list[Stage] = []

    def make(*blocks: object, answer: object = None, **options: object) -> Stage:
        one = Stage(tmp_path, shape_of(*blocks), answer, **options)  # type: ignore[arg-type]
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


def failing(message: str = "it raised") -> Answer:
    return result(Outcome(False, Cause.USER_ERROR, message))


def test_a_task_reads_what_its_parent_left(stage: Make) -> None:
    run = stage(Step(), Step())

    end = run.drive()

    assert end.ok
    read_by = {launch.step: read(launch) for launch in run.backend.launches}
    assert read_by == {"start": [], "s0": ["start/1"], "s1": ["s0/2"], "end": ["s1/3"]}


def test_a_join_reads_all_its_branches_in_split_order(stage: Make) -> None:
    run = stage(Each(5))

    assert run.drive().ok

    (join,) = [launch for launch in run.backend.launches if len(launch.inputs.tasks) == 5]
    assert read(join) == list(join.inputs.tasks)
    assert [int(task.split("/")[1]) for task in join.inputs.tasks] == [3, 4, 5, 6, 7]
    assert join.inputs.opened is not None
    assert join.inputs.opened.num_splits == 5
    children = [launch for launch in run.backend.launches if launch.stack]
    assert [launch.stack[-1].index for launch in children] == [0, 1, 2, 3, 4]


def test_a_join_of_static_branches_closes_no_foreach(stage: Make) -> None:
    run = stage(Branch(((Step(),), (Step(),))))

    assert run.drive().ok

    (join,) = [launch for launch in run.backend.launches if len(launch.inputs.tasks) == 2]
    assert join.inputs.opened is None


def test_everything_told_as_done_is_in_the_store(stage: Make) -> None:
    run = stage(Each(3), Loop(3))

    assert run.drive().ok

    stored = {task.created.task for task in run.store.tasks(run.run) if task.ok}
    told = {notice.job.task for notice in run.watcher.of(TaskEnded)}  # type: ignore[union-attr]
    assert told == stored
    assert len(run.watcher.of(TaskBegan)) == len(told)
    (opened,) = run.watcher.of(ChildrenOpened)
    assert opened.num == 3  # type: ignore[union-attr]
    fact = run.store.run(run.run)
    assert fact is not None
    assert fact.status is RunStatus.DONE


def test_a_task_is_told_as_done_only_when_it_is_durable(stage: Make) -> None:
    """The notice comes with the commit: a store that keeps nothing tells nothing."""

    class Full:
        def __init__(self, store: Metastore) -> None:
            self._store = store

        def commit(self, facts: Sequence[Fact]) -> None:
            raise MetadataError("The disk is full.")

        def __getattr__(self, name: str) -> object:
            return getattr(self._store, name)

    run = stage(Step(), metastore=Full)

    end = run.drive()

    assert not end.ok
    assert isinstance(end.store_error, MetadataError)
    assert run.watcher.of(TaskEnded) == []


def test_a_failure_ends_its_siblings_and_the_run(stage: Make) -> None:
    def answer(launch: Launch) -> Answer:
        if launch.stack:
            return failing() if launch.stack[-1].index == 1 else None
        return run.ends_well(launch)

    run = stage(Each(3), answer=answer)

    end = run.drive()

    assert not end.ok
    assert [failure.job for failure in end.failures] == [JobId("4", 0)]
    assert sorted(run.backend.cancelled) == [JobId("3", 0), JobId("5", 0)]
    causes = {task.created.task: task.cause for task in run.store.tasks(run.run) if not task.ok}
    assert causes == {"3": Cause.CANCELLED, "4": Cause.USER_ERROR, "5": Cause.CANCELLED}
    (told,) = run.watcher.of(TaskFailed)
    assert told.outcome.message == "it raised"  # type: ignore[union-attr]
    assert (JobId("4", 0), "it raised") in run.lines.said


def test_a_death_becomes_a_cause_found_from_the_evidence(stage: Make) -> None:
    run = stage(answer=lambda launch: Evidence(signal=11))

    end = run.drive()

    (failure,) = end.failures
    assert failure.outcome.cause is Cause.SIGNAL
    assert "SIGSEGV" in failure.outcome.message


def test_a_retry_waits_by_the_clock_and_not_in_the_thread_that_decides(stage: Make) -> None:
    def answer(launch: Launch) -> Answer:
        if launch.step == "s0" and launch.job.attempt == 0:
            return failing()
        return run.ends_well(launch)

    plans = {"s0": StepPlan("s0", attempts=2, retry_wait_s=0.05)}
    run = stage(Step(), answer=answer, plans=plans)
    begun_at = run.clock.now

    assert run.drive().ok

    (retry,) = run.watcher.of(TaskRetries)
    assert retry.next_at - retry.at == pytest.approx(0.05, abs=0.01)  # type: ignore[union-attr]
    assert run.clock.now >= begun_at + 0.05
    attempts = [launch.job for launch in run.backend.launches if launch.step == "s0"]
    assert attempts == [JobId("2", 0), JobId("2", 1)]
    assert read(run.backend.launches[-1]) == ["s0/2"]


def test_a_failed_attempt_says_with_its_end_whether_another_follows(stage: Make) -> None:
    """Those who wait for the task's end would else not know it from the end of an attempt."""
    plans = {"s0": StepPlan("s0", attempts=2, retry_wait_s=0.05)}
    run = stage(
        Step(),
        answer=lambda launch: failing() if launch.step == "s0" else run.ends_well(launch),
        plans=plans,
    )

    assert not run.drive().ok

    first, second = run.store.attempts(run.run, "s0")
    (retry,) = run.watcher.of(TaskRetries)
    assert first.metadata == {RETRY_FACT: (RETRY_FACT, str(retry.next_at))}  # type: ignore[union-attr]
    assert second.metadata == {}


def test_a_lost_host_uses_up_no_attempt_of_the_user(stage: Make) -> None:
    def answer(launch: Launch) -> Answer:
        if launch.step == "s0" and launch.job.attempt < 3:
            return Evidence(host_lost=True, reason="gone")
        return run.ends_well(launch)

    run = stage(Step(), answer=answer)

    assert run.drive().ok
    assert sum(launch.step == "s0" for launch in run.backend.launches) == 4


def test_an_interrupt_ends_what_runs_and_marks_the_run(stage: Make) -> None:
    def answer(launch: Launch) -> Answer:
        if launch.step == "s0":
            run.inbox.put(Interrupted(run.clock.now, "Ctrl-C"))
            return None
        return run.ends_well(launch)

    run = stage(Step(), answer=answer)

    end = run.drive()

    assert (end.ok, end.interrupted, end.why) == (False, True, "Ctrl-C")
    assert run.backend.cancelled == [JobId("2", 0)]
    fact = run.store.run(run.run)
    assert fact is not None
    assert fact.status is RunStatus.INTERRUPTED
    (finished,) = run.watcher.of(RunFinished)
    assert finished.interrupted  # type: ignore[union-attr]


def test_no_more_attempts_run_at_once_than_there_are_workers(stage: Make) -> None:
    run = stage(Each(50), limits=Limits(max_workers=3, max_num_splits=50))
    running = 0
    peak = 0
    submit, end = run.backend.submit, run.backend.end

    def counted_submit(launches: Sequence[Launch]) -> None:
        nonlocal running, peak
        running += len(launches)
        peak = max(peak, running)
        submit(launches)

    def counted_end(job: JobId, answer: object) -> None:
        nonlocal running
        running -= 1
        end(job, answer)  # type: ignore[arg-type]

    run.backend.submit = counted_submit  # type: ignore[method-assign]
    run.backend.end = counted_end  # type: ignore[method-assign]

    assert run.drive().ok
    assert peak <= 3


def test_records_of_a_wide_join_go_into_one_file(stage: Make) -> None:
    def answer(launch: Launch) -> Answer:
        record = Record({"by": artifact("large", 16_000)})
        return going_to(run.shape.transition(launch), record)  # type: ignore[arg-type]

    run = stage(Each(40), answer=answer)

    assert run.drive().ok
    assert len(run.packed) == 1
    (join,) = [launch for launch in run.backend.launches if len(launch.inputs.tasks) == 40]
    assert join.inputs.records == ()
    assert join.inputs.pack is not None


def test_an_update_on_a_job_nobody_waits_for_is_ignored(stage: Make) -> None:
    run = stage(Step())
    run.inbox.put_updates([JobUpdate(JobId("99", 0), JobState.EXITED, run.clock.now)])

    assert run.drive().ok


def test_what_nobody_can_watch_any_more_is_left_alone_and_said_why(stage: Make) -> None:
    why = ComputeError("The engine does not answer.")
    detached = []

    def loses_touch(launch: Launch) -> Answer | None:
        if launch.step != "s0":
            return run.ends_well(launch)
        run.inbox.put(OutOfTouch(1.0, why))
        return None

    run = stage(Step(), Step(), answer=loses_touch)
    run.backend.detach = lambda: detached.append(True)

    end = run.drive()

    assert (end.ok, end.left, end.store_error) == (False, 1, why)
    assert detached == [True]
    assert run.backend.cancelled == []
    assert run.store.run(run.run).status is RunStatus.DETACHED


def test_a_launch_names_the_gpus_that_are_the_task_s_alone(stage: Make) -> None:
    plans = {"s0_0": StepPlan("s0_0", resources=Resources(gpu=1))}
    run = stage(Each(4), plans=plans, machine=Machine(devices=("x", "y")))

    assert run.drive().ok

    given = [launch.devices for launch in run.backend.launches if launch.step == "s0_0"]
    assert sorted(given[:2]) == [("x",), ("y",)]
    assert all(len(devices) == 1 for devices in given)
    assert {launch.devices for launch in run.backend.launches if launch.step != "s0_0"} == {()}


def test_that_nothing_begins_for_want_of_memory_is_told_and_that_it_goes_on(stage: Make) -> None:
    def short_after(launch: Launch) -> Answer:
        if launch.step == "s0":
            run.inbox.put(MachineNews(run.clock(), (), "9 of 8,000 MB are left"))
        if launch.step == "s0_0" and len(run.backend.launches) == 4:
            run.inbox.put(MachineNews(run.clock()))
        return run.ends_well(launch)

    run = stage(Each(3), answer=short_after)

    assert run.drive().ok

    assert [notice.text for notice in run.watcher.of(Told)] == [  # type: ignore[union-attr]
        "Memory is short: 9 of 8,000 MB are left. Until there is more, tasks here start one at "
        "a time.",
        "Memory is there again: tasks start as before.",
    ]
