"""Retries, fallbacks, failures, interrupts: what RunState does when an attempt ends badly."""

from __future__ import annotations

import pytest

from swell.model.cause import Cause
from swell.model.ids import JobId
from swell.model.job import Fallback, StepPlan
from swell.model.record import Items, Outcome, Split, Transition
from swell.model.resources import Resources
from swell.scheduler.events import (
    CancelAttempts,
    Finish,
    Interrupted,
    RetryLater,
    RunStarted,
    Start,
    StartAttempts,
    TaskFailedForGood,
    Tick,
    WakeAt,
)
from swell.scheduler.retry import Growth
from swell.scheduler.state import Limits
from tests.unit.scheduler.scheduler_shapes import (
    BROKEN,
    CANCELLED,
    KILLED,
    Branch,
    Driver,
    Each,
    Loop,
    Step,
    shape_of,
)

LOST = Outcome(False, Cause.HOST_LOST, "the machine went away")


def plans(**more: object) -> dict[str, StepPlan]:
    """The first step of a shape with this plan."""
    return {"s0": StepPlan("s0", **more)}


def at_s0(driver: Driver) -> Driver:
    """start is done, s0 (task 2) runs."""
    driver.begin().end("1")
    assert list(driver.running) == ["2"]
    return driver


# --- retries ------------------------------------------------------------------


def test_a_retry_without_wait_starts_at_once_as_the_next_attempt() -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=2)))

    driver.end("2", BROKEN)

    again = Start(JobId("2", 1), "s0", ("1",), is_new=False)
    assert driver.running == {"2": again}
    assert driver.commands[-2:] == [
        RetryLater(JobId("2", 0), "s0", 1, driver.now, BROKEN),
        StartAttempts("s0", (again,)),
    ]


def test_waits_grow_by_the_backoff_and_use_no_slot() -> None:
    shape = shape_of(Branch(((Step(),), (Step(),))))
    plan = StepPlan("s0_a0", attempts=4, retry_wait_s=10.0, retry_backoff=3.0)
    driver = Driver(shape, plans={"s0_a0": plan}, limits=Limits(max_workers=1)).begin()
    driver.end("1")
    driver.end("2")
    waits = []
    while driver.finish is None:
        for task, start in list(driver.running.items()):
            driver.end(task, BROKEN if start.step == "s0_a0" else None)
        retries = driver.commands_of(RetryLater)
        if len(retries) > len(waits):
            waits.append(retries[-1].at - driver.now)
            assert driver.wake_at == retries[-1].at
        if not driver.running and driver.finish is None:
            driver.tick()

    assert waits == [10.0, 30.0, 90.0]
    (failed,) = driver.commands_of(TaskFailedForGood)
    assert failed.job.attempt == 3
    assert len(driver.of_step("s0_b0")) == 1


def test_an_early_tick_starts_nothing() -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=2, retry_wait_s=60.0)))
    driver.end("2", BROKEN)

    commands = driver.handle(Tick(driver.now + 59))

    assert commands == [WakeAt(driver.now + 60)]
    assert driver.running == {}


def test_a_retry_that_is_due_goes_before_new_work() -> None:
    driver = Driver(
        shape_of(Each(5)),
        plans={"s0_0": StepPlan("s0_0", attempts=2)},
        limits=Limits(max_workers=1),
    ).begin()
    driver.end("1")
    driver.end("2")

    driver.end("3", BROKEN)

    assert driver.running["3"].job.attempt == 1


OUT_OF_MEMORY = Outcome(False, Cause.OUT_OF_MEMORY, "too much")
GROWS = {"resources": Resources(memory_mb=4000), "memory_growth": 2.0, "max_memory_mb": 9000}


def test_a_task_that_ran_out_of_memory_comes_again_with_more_and_keeps_it() -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=2, retry_wait_s=60.0, **GROWS)))

    driver.end("2", OUT_OF_MEMORY)
    grown = driver.running["2"]
    driver.end("2", BROKEN)
    driver.tick()

    assert (grown.job.attempt, grown.memory_mb, grown.not_counted) == (1, 8000, 1)
    again = driver.running["2"]
    assert (again.job.attempt, again.memory_mb, again.not_counted) == (2, 8000, 1)
    first, second = driver.commands_of(RetryLater)
    assert (first.growth, second.growth) == (Growth(4000, 8000), None)


def test_all_members_of_a_gang_come_again_with_more_memory() -> None:
    shape = shape_of(Each(3, gang=True))
    driver = Driver(shape, plans={"s0_each": StepPlan("s0_each", **GROWS)}).begin()
    driver.end("1")
    driver.end("2")
    first, *others = list(driver.running)

    driver.end(first, OUT_OF_MEMORY)
    for name in others:
        driver.end(name, CANCELLED)

    assert {start.memory_mb for start in driver.running.values()} == {8000}
    assert len(driver.running) == 3


def test_an_uncounted_end_does_not_use_up_an_attempt_but_has_its_own_bound() -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=1, uncounted_attempts=3)))

    for _ in range(3):
        driver.end("2", LOST, uncounted=True)
    assert driver.running["2"].job.attempt == 3
    driver.end("2", LOST, uncounted=True)

    assert driver.finish == Finish(ok=False, why="Task s0/2 failed.")


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(False, Cause.USER_ERROR, "a bad transition", retryable=False),
        Outcome(False, Cause.CANCELLED, "killed on request"),
    ],
    ids=["not retryable", "cancelled"],
)
def test_some_ends_are_never_retried(outcome: Outcome) -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=4)))

    driver.end("2", outcome)

    assert driver.commands[-2:] == [
        TaskFailedForGood(JobId("2", 0), "s0", outcome),
        Finish(ok=False, why="Task s0/2 failed."),
    ]


def test_the_end_of_an_attempt_that_was_superseded_decides_nothing() -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=2)))
    stale = driver.ended_event("2", BROKEN)
    driver.handle(stale)

    assert driver.handle(stale) == []
    assert driver.running["2"].job.attempt == 1


# --- fallbacks ----------------------------------------------------------------


def test_a_task_that_died_gets_fallback_attempts_after_its_last_attempt() -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=2, fallback_attempts=2)))
    driver.end("2", KILLED)
    driver.end("2", KILLED)

    fallback = Fallback(2, "signal", "killed")
    assert driver.running["2"].fallback == fallback
    assert driver.running["2"].job.attempt == 2
    driver.end("2", Outcome(True, Cause.SIGNAL, caught=True))

    assert driver.steps_started()[-1] == "end"


def test_when_fallbacks_fail_too_the_first_failure_is_told() -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=1, fallback_attempts=2)))
    driver.end("2", KILLED)
    driver.end("2", LOST)
    driver.end("2", LOST)

    (failed,) = driver.commands_of(TaskFailedForGood)
    assert failed.job == JobId("2", 0)
    assert (failed.outcome.cause, failed.outcome.message) == (Cause.SIGNAL, "killed")


# --- failing ------------------------------------------------------------------


def test_a_failure_ends_what_runs_and_nothing_new_starts() -> None:
    driver = Driver(shape_of(Each(6)), limits=Limits(max_workers=3)).begin()
    driver.end("1")
    driver.end("2")
    driver.end("4", BROKEN)

    assert driver.commands[-1] == CancelAttempts(
        (JobId("3", 0), JobId("5", 0)), "Task s0_0/4 failed."
    )
    driver.end("3")
    driver.end("5", Outcome(True))
    assert driver.finish == Finish(ok=False, why="Task s0_0/4 failed.")
    assert len(driver.commands_of(TaskFailedForGood)) == 1
    counts = driver.state.counts()["s0_0"]
    assert (counts.failed, counts.cancelled, counts.done) == (1, 1, 1)


def test_keep_going_finishes_what_does_not_depend_on_the_failure() -> None:
    shape = shape_of(Each(3, (Each(2), Step())), Step())
    limits = Limits(max_workers=2, keep_going=True)
    driver = Driver(
        shape,
        limits=limits,
        decide=lambda start: (
            BROKEN
            if start.step == "s0_0_0" and [index for _, index in start.splits] == [1, 0]
            else Outcome(True)
        ),
    ).run()

    assert driver.finish is not None
    assert not driver.finish.ok
    assert len(driver.of_step("s0_0_0")) == 6
    assert [start.splits[0][1] for start in driver.of_step("s0_1")] == [0, 2]
    assert driver.of_step("s0_join") == []


def test_keep_going_goes_on_past_several_failures() -> None:
    limits = Limits(max_workers=2, keep_going=True)
    driver = Driver(
        shape_of(Each(10)), limits=limits, decide=lambda start: at_index(start, {2, 5, 9})
    ).run()

    assert len(driver.commands_of(TaskFailedForGood)) == 3
    assert driver.state.counts()["s0_0"].done == 7
    assert driver.finish is not None
    assert not driver.finish.ok


def at_index(start: Start, broken: set[int]) -> Outcome:
    """BROKEN at these foreach indices."""
    return BROKEN if start.splits and start.splits[-1][1] in broken else Outcome(True)


def test_a_foreach_over_the_limit_fails_before_any_child_naming_the_flag_and_the_number() -> None:
    driver = Driver(shape_of(Each(101)), limits=Limits(max_num_splits=100)).run()

    (failed,) = driver.commands_of(TaskFailedForGood)
    assert failed.outcome.message == (
        "Step 's0' splits into 101 tasks, but at most 100 are allowed. "
        "Allow more with --max-num-splits 101."
    )
    assert driver.of_step("s0_0") == []
    assert driver.finish == Finish(ok=False, why="Task s0/2 failed.")


@pytest.mark.parametrize(
    "transition",
    [
        Transition(("nowhere",)),
        Transition(()),
        Transition(("end",), Split("xs", 2, Items(range=(0, 1)))),
    ],
)
def test_a_transition_that_the_flow_does_not_have_fails_the_task(transition: Transition) -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=3)))

    driver.end("2", Outcome(True, transition=transition))

    (failed,) = driver.commands_of(TaskFailedForGood)
    assert "'s0'" in failed.outcome.message
    assert driver.finish is not None


# --- interrupts ---------------------------------------------------------------


def test_an_interrupt_ends_what_runs_and_is_no_failure_of_a_task() -> None:
    driver = Driver(shape_of(Each(6)), limits=Limits(max_workers=2)).begin()
    driver.end("1")
    driver.end("2")

    driver.handle(Interrupted(driver.now, "Ctrl-C"))
    driver.end("3")
    assert driver.finish is None
    driver.end("4")

    assert driver.finish == Finish(ok=False, interrupted=True, why="Ctrl-C")
    assert driver.commands_of(TaskFailedForGood) == []


def test_a_second_interrupt_asks_once_more_for_the_end_of_what_still_runs() -> None:
    driver = at_s0(Driver(shape_of(Step())))
    driver.handle(Interrupted(driver.now, "Ctrl-C"))

    again = driver.handle(Interrupted(driver.now, "again"))

    assert again == [CancelAttempts((JobId("2", 0),), "again")]


def test_an_interrupt_while_only_retries_wait_finishes_at_once() -> None:
    driver = at_s0(Driver(shape_of(Step()), plans=plans(attempts=2, retry_wait_s=60.0)))
    driver.end("2", BROKEN)

    driver.handle(Interrupted(driver.now, "SIGTERM"))

    assert driver.finish == Finish(ok=False, interrupted=True, why="SIGTERM")


def test_a_run_whose_last_task_ended_well_despite_an_interrupt_is_done() -> None:
    driver = Driver(shape_of()).begin()
    driver.end("1")
    driver.handle(Interrupted(driver.now, "Ctrl-C"))

    driver.end("2", Outcome(True))

    assert driver.finish == Finish(ok=True)


def test_an_interrupt_before_the_run_began_finishes_it() -> None:
    driver = Driver(shape_of())

    driver.handle(Interrupted(driver.now, "Ctrl-C"))

    assert driver.finish == Finish(ok=False, interrupted=True, why="Ctrl-C")
    assert driver.state.handle(RunStarted(driver.now)) == []


# --- gangs --------------------------------------------------------------------


def gang_of_three(**plan: object) -> Driver:
    """A gang of tasks 3, 3_node_1 and 3_node_2 runs."""
    driver = Driver(
        shape_of(Each(3, gang=True)),
        plans={"s0_each": StepPlan("s0_each", **plan)},
        limits=Limits(max_workers=3),
    ).begin()
    driver.end("1")
    driver.end("2")
    assert list(driver.running) == ["3", "3_node_1", "3_node_2"]
    return driver


def test_a_failing_member_ends_its_gang_which_starts_again_whole_with_the_next_attempt() -> None:
    driver = gang_of_three(attempts=2)
    driver.end("3_node_2", Outcome(True))
    driver.end("3_node_1", KILLED)

    (cancel,) = driver.commands_of(CancelAttempts)
    assert cancel.jobs == (JobId("3", 0),)
    assert list(driver.running) == ["3"]
    driver.end("3", CANCELLED)

    assert [start.job for start in driver.running.values()] == [
        JobId("3", 1),
        JobId("3_node_1", 1),
        JobId("3_node_2", 1),
    ]
    while driver.go_on():
        pass
    assert driver.finish == Finish(ok=True)


def test_a_gang_out_of_attempts_fails_once() -> None:
    driver = gang_of_three(attempts=1)
    driver.end("3_node_1", KILLED)
    driver.end("3")
    driver.end("3_node_2")

    (failed,) = driver.commands_of(TaskFailedForGood)
    assert failed.job == JobId("3_node_1", 0)
    assert driver.finish == Finish(ok=False, why="Task s0_each/3_node_1 failed.")


def test_a_gang_that_failed_leaves_the_rest_of_a_run_that_keeps_going() -> None:
    shape = shape_of(Each(3, (Each(2, gang=True),)))
    driver = Driver(
        shape,
        limits=Limits(max_workers=2, keep_going=True),
        decide=lambda start: (
            BROKEN
            if start.node and [index for _, index in start.splits] == [1, 1]
            else Outcome(True)
        ),
    ).run()

    assert driver.finish is not None
    assert not driver.finish.ok
    assert [start.splits[0][1] for start in driver.of_step("s0_0_join")] == [0, 2]
    assert len(driver.of_step("s0_0_each")) == 6


def test_an_interrupt_during_a_gangs_restart_starts_it_no_more() -> None:
    driver = gang_of_three(attempts=2)
    driver.end("3", KILLED)
    driver.handle(Interrupted(driver.now, "Ctrl-C"))
    driver.end("3_node_1")
    driver.end("3_node_2")

    assert driver.finish == Finish(ok=False, interrupted=True, why="Ctrl-C")


def test_retries_count_anew_in_every_round_of_a_loop() -> None:
    failures: set[JobId] = set()

    def fail_first(start: Start) -> Outcome:
        if start.step == "s0" and start.job.attempt == 0:
            failures.add(start.job)
            return BROKEN
        return Outcome(True)

    driver = Driver(shape_of(Loop(3)), plans=plans(attempts=2), decide=fail_first).run()

    assert driver.finish == Finish(ok=True)
    assert len(failures) == 3
