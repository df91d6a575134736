"""Tasks that share a process: what RunState does when one of them ends badly."""

from __future__ import annotations

import pytest

from swell.model.cause import Cause
from swell.model.job import StepPlan
from swell.model.record import Outcome
from swell.scheduler.events import RetryLater, StartAttempts, TaskFailedForGood
from swell.scheduler.state import Limits
from tests.unit.scheduler.scheduler_shapes import Driver, Each, shape_of

OUT_OF_MEMORY = Outcome(False, Cause.OUT_OF_MEMORY, "the kernel ended it")


@pytest.fixture
def driver() -> Driver:
    """A foreach of nine in packs, the first of which, a lone task, has ended."""
    plans = {"s0_0": StepPlan("s0_0", pack_s=2.0)}
    driver = Driver(shape_of(Each(9)), plans=plans, limits=Limits(max_workers=1)).begin()
    driver.end("1")
    driver.end("2")
    (first,) = driver.running
    driver.end(first)
    return driver


def test_one_behind_others_that_runs_out_of_memory_comes_again_in_a_process_of_its_own(
    driver: Driver,
) -> None:
    _first, second, *others = driver.running

    driver.end(second, OUT_OF_MEMORY)

    assert driver.commands_of(TaskFailedForGood) == []
    (retry,) = driver.commands_of(RetryLater)
    assert (retry.job.task, retry.is_alone) == (second, True)
    for task in list(driver.running):
        driver.end(task)
    last = driver.commands_of(StartAttempts)[-1]
    assert [start.job.task for start in last.starts] == [second]
    assert last.pack_s is None
    driver.end(second, OUT_OF_MEMORY)
    assert driver.commands_of(TaskFailedForGood)[0].job.task == second
    assert len(others) == 6


def test_the_first_of_a_process_that_runs_out_of_memory_has_failed(driver: Driver) -> None:
    first, *_ = driver.running

    driver.end(first, OUT_OF_MEMORY)

    assert driver.commands_of(RetryLater) == []
    assert driver.commands_of(TaskFailedForGood)[0].job.task == first
