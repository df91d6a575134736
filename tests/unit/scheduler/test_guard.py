"""Failure budgets and canaries: what a foreach tolerates, and what it tries first."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swell.model.cause import Cause
from swell.model.job import FailedInput, StepPlan
from swell.model.record import ErrorInfo, Outcome
from swell.scheduler.events import CancelAttempts, Start, TaskFailedForGood
from swell.scheduler.guard import allowed_failures, failed_input
from swell.scheduler.known import Known
from swell.scheduler.state import Limits
from tests.unit.scheduler.scheduler_shapes import (
    BROKEN,
    OK,
    Branch,
    Driver,
    Each,
    Step,
    shape_of,
)


def failing(step: str, *indices: int):
    """Attempts of ``step`` fail at these innermost indices."""

    def decide(start: Start) -> Outcome:
        return BROKEN if start.step == step and start.splits[-1][1] in indices else OK

    return decide


def played(block: Each, step: str, *indices: int, keep_going: bool = False, **more) -> Driver:
    limits = Limits(max_workers=4, max_num_splits=10_000, keep_going=keep_going)
    return Driver(shape_of(block), limits=limits, decide=failing(step, *indices), **more).run()


def join_of(driver: Driver, name: str = "s0_join") -> Start:
    (join,) = driver.of_step(name)
    return join


@pytest.mark.parametrize(
    ("text", "num", "allowed"),
    [("0", 10, 0), ("5", 10, 5), ("2%", 100, 2), ("2%", 149, 2), ("2%", 10, 0), ("0.5%", 1000, 5),
     ("29%", 100, 29), ("100%", 7, 7)],
)  # fmt: skip
def test_a_share_is_rounded_down(text: str, num: int, allowed: int) -> None:
    assert allowed_failures(text, num) == allowed


# --- budgets -----------------------------------------------------------------------


def test_failures_within_the_budget_let_the_join_see_who_succeeded_and_who_failed() -> None:
    driver = played(Each(5, max_failures="2"), "s0_0", 1, 3)

    assert driver.finish is not None
    assert driver.finish.ok
    join = join_of(driver)
    assert len(join.parents) == 3
    assert join.missed is not None
    assert join.missed.indices == (0, 2, 4)
    assert [(one.index, one.cause, one.message) for one in join.missed.failed] == [
        (1, "user_error", "it raised"),
        (3, "user_error", "it raised"),
    ]
    assert [told.is_tolerated for told in driver.commands_of(TaskFailedForGood)] == [True, True]


def test_one_failure_more_fails_the_run_and_says_the_numbers() -> None:
    driver = played(Each(5, max_failures="1"), "s0_0", 1, 3)

    assert driver.finish is not None
    assert not driver.finish.ok
    assert driver.finish.verdict == ("2 of 5 items of 's0_0' failed, and max_failures=1 allows 1.")
    assert driver.of_step("s0_join") == []


def test_a_join_without_failures_is_told_of_none() -> None:
    assert join_of(played(Each(3, max_failures="50%"), "none")).missed is None


def test_the_join_comes_without_inputs_where_all_may_fail_and_do() -> None:
    join = join_of(played(Each(2, max_failures="100%"), "s0_0", 0, 1))

    assert join.parents == ()
    assert join.missed is not None
    assert len(join.missed.failed) == 2


def test_an_item_whose_second_step_fails_is_one_failure() -> None:
    join = join_of(played(Each(3, (Step(), Step()), max_failures="1"), "s0_1", 2))

    assert join.missed is not None
    (failed,) = join.missed.failed
    assert (failed.index, failed.task.split("/")[0]) == (2, "s0_1")


def test_failures_inside_an_inner_foreach_are_one_failure_of_the_outer_item() -> None:
    def decide(start: Start) -> Outcome:
        outer = start.splits[0][1] if start.splits else None
        return BROKEN if start.step == "s0_0_0" and outer == 1 else OK

    shape = shape_of(Each(3, (Each(4),), max_failures="1"))
    driver = Driver(shape, decide=decide).run()

    assert driver.finish is not None
    assert driver.finish.ok
    join = join_of(driver)
    assert join.missed is not None
    assert [one.index for one in join.missed.failed] == [1]
    assert len(driver.commands_of(TaskFailedForGood)) == 4


def test_an_inner_budget_that_is_used_up_is_a_failure_of_the_outer_item() -> None:
    def decide(start: Start) -> Outcome:
        return BROKEN if start.step == "s0_0_0" and start.splits[0][1] == 1 else OK

    inner = Each(4, max_failures="1")
    driver = Driver(shape_of(Each(3, (inner,), max_failures="1")), decide=decide).run()

    assert driver.finish is not None
    assert driver.finish.ok
    assert len(driver.of_step("s0_0_join")) == 2
    outer = join_of(driver)
    assert outer.missed is not None
    assert outer.missed.indices == (0, 2)


def test_a_branch_inside_an_item_may_fail_within_the_budget() -> None:
    body = (Branch(((Step(),), (Step(),))),)
    driver = played(Each(2, body, max_failures="1"), "s0_0_a0", 0)

    assert driver.finish is not None
    assert driver.finish.ok
    assert len(driver.of_step("s0_0_join")) == 1


def test_a_gang_inside_an_item_fails_as_one() -> None:
    def decide(start: Start) -> Outcome:
        is_bad = start.node is not None and start.splits[0][1] == 0
        return BROKEN if is_bad and start.node is not None and start.node[0] == 1 else OK

    shape = shape_of(Each(2, (Each(3, gang=True),), max_failures="1"))
    driver = Driver(shape, limits=Limits(max_workers=6), decide=decide).run()

    assert driver.finish is not None
    assert driver.finish.ok
    join = join_of(driver)
    assert join.missed is not None
    assert [one.index for one in join.missed.failed] == [0]


def test_retries_come_first_and_only_the_last_failure_counts() -> None:
    plans = {"s0_0": StepPlan("s0_0", attempts=2)}
    driver = played(Each(3, max_failures="1"), "s0_0", 1, plans=plans)

    join = join_of(driver)
    assert join.missed is not None
    assert [(one.index, one.attempts) for one in join.missed.failed] == [(1, 2)]


def test_resume_runs_only_the_failed_ones_again_and_the_join() -> None:
    first = played(Each(4, max_failures="2"), "s0_0", 1, 2)

    second = Driver(first.shape, origin=first.origin()).run()

    assert second.finish is not None
    assert second.finish.ok
    ran = [start for task, start in second.tasks.items() if task not in second.adopted]
    assert [(start.step, start.splits and start.splits[-1][1]) for start in ran] == [
        ("s0_0", 1),
        ("s0_0", 2),
        ("s0_join", ()),
        ("end", ()),
    ]
    assert join_of(second).missed is None


def test_a_driver_that_takes_over_leaves_failures_and_the_join_behind_them_as_they_are() -> None:
    block = Each(3, max_failures="1")
    first = Driver(shape_of(block, Step()), decide=failing("s0_0", 1)).begin()
    while not first.of_step("s1"):
        first.go_on()
    failed = {
        first.key(task): FailedInput(1, f"s0_0/{task}", "user_error", "it raised")
        for task, start in first.tasks.items()
        if start.step == "s0_0" and task not in first.done
    }
    known = first.known(keeps_running=True)
    known = Known(
        known.done, {key: one for key, one in known.open.items() if key not in failed}, failed
    )

    second = Driver(first.shape, known=known, goes_on_from=first).run()

    assert second.finish is not None
    assert second.finish.ok
    ran = [start.step for task, start in second.tasks.items() if task not in second.adopted]
    assert ran == ["s1", "end"]
    assert second.state.counts()["s0_0"].failed == 1


def test_long_texts_of_a_failure_are_cut_for_the_join() -> None:
    error = ErrorInfo("ValueError", "x" * 5_000, "y" * 9_000)
    failed = failed_input(3, "fit/7", 2, Outcome(False, Cause.USER_ERROR, "z" * 5_000, error))

    assert failed.error is not None
    assert (len(failed.error.text), len(failed.message)) == (1_000, 1_000)
    assert len(failed.error.traceback) == 4_001


# --- canaries ------------------------------------------------------------------------


def test_canaries_run_alone_until_all_have_reached_the_join() -> None:
    driver = Driver(shape_of(Each(6, (Step(), Step()), canaries=(0, 5, 2)))).begin()
    driver.end("1")
    driver.end("2")

    def indices() -> list[tuple[str, int]]:
        return sorted((start.step, start.splits[-1][1]) for start in driver.running.values())

    assert indices() == [("s0_0", 0), ("s0_0", 2), ("s0_0", 5)]
    for _ in range(5):
        driver.go_on()
    assert len(indices()) == 1
    assert driver.state.counts()["s0_0"].waiting == 3

    driver.go_on()
    assert indices() == [("s0_0", 1), ("s0_0", 3), ("s0_0", 4)]
    while driver.go_on():
        pass
    assert driver.finish is not None
    assert driver.finish.ok
    assert len(join_of(driver).parents) == 6


def test_a_failed_canary_ends_the_run_when_all_canaries_have_ended() -> None:
    driver = played(Each(10_000, canaries=(0, 9_999, 512)), "s0_0", 0, 512)

    assert driver.finish is not None
    assert driver.finish.verdict == (
        "2 of 3 canaries of 's0_0' failed, 9,997 tasks were not started."
    )
    assert len(driver.of_step("s0_0")) == 3
    assert driver.commands_of(CancelAttempts) == []


def test_a_canary_that_passes_last_does_not_hide_one_that_failed() -> None:
    driver = played(Each(5, canaries=(0, 4, 2)), "s0_0", 0)

    assert driver.finish is not None
    assert not driver.finish.ok
    assert driver.finish.verdict.startswith("1 of 3 canaries of 's0_0' failed, 2 tasks were")


def test_a_failure_budget_does_not_hold_for_canaries() -> None:
    driver = played(Each(5, max_failures="100%", canaries=(4,)), "s0_0", 4)

    assert driver.finish is not None
    assert driver.finish.verdict == "1 canary of 's0_0' failed, 4 tasks were not started."


def test_canaries_of_an_inner_foreach_that_fail_are_a_failure_of_the_outer_item() -> None:
    def decide(start: Start) -> Outcome:
        return BROKEN if start.step == "s0_0_0" and start.splits[0][1] == 1 else OK

    shape = shape_of(Each(3, (Each(5, canaries=(0,)),), max_failures="1"))
    driver = Driver(shape, decide=decide).run()

    assert driver.finish is not None
    assert driver.finish.ok
    assert len(driver.of_step("s0_0_0")) == 11
    outer = join_of(driver)
    assert outer.missed is not None
    assert outer.missed.indices == (0, 2)


def test_with_keep_going_what_does_not_need_the_foreach_is_finished() -> None:
    def decide(start: Start) -> Outcome:
        return BROKEN if start.step == "s0_a0_0" else OK

    bodies = ((Each(5, canaries=(0, 4)),), (Step(), Step()))
    limits = Limits(max_workers=1, keep_going=True)
    driver = Driver(shape_of(Branch(bodies)), limits=limits, decide=decide).run()

    assert driver.finish is not None
    assert not driver.finish.ok
    assert "2 of 2 canaries" in driver.finish.verdict
    assert len(driver.of_step("s0_b1")) == 1


def test_resume_starts_the_rest_once_the_canaries_that_failed_pass() -> None:
    first = played(Each(5, canaries=(0, 4)), "s0_0", 0)

    second = Driver(first.shape, origin=first.origin()).run()

    assert second.finish is not None
    assert second.finish.ok
    assert len(second.of_step("s0_0")) == 5


# --- whatever happens -------------------------------------------------------------------


def _each(inner: st.SearchStrategy) -> st.SearchStrategy:
    def made(num: int, body: list, budget: str | None, wanted: int) -> Each:
        canaries = tuple(range(min(wanted, num - 1))) if num > 1 else ()
        return Each(num, tuple(body), max_failures=budget, canaries=canaries)

    return st.builds(
        made,
        st.integers(0, 4),
        st.lists(inner, min_size=1, max_size=2),
        st.sampled_from([None, "0", "1", "50%", "100%"]),
        st.integers(0, 3),
    )


def _branch(inner: st.SearchStrategy) -> st.SearchStrategy:
    body = st.lists(inner, min_size=1, max_size=2).map(tuple)
    return st.builds(Branch, st.lists(body, min_size=2, max_size=2).map(tuple))


_gang = st.builds(Each, st.integers(1, 3), gang=st.just(True))
_blocks = st.recursive(
    st.one_of(st.just(Step()), _gang), lambda inner: _each(inner) | _branch(inner), max_leaves=5
)


@settings(max_examples=80, deadline=None)
@given(_each(_blocks), st.booleans(), st.integers(0, 2**32), st.sampled_from([0.1, 0.4]))
def test_every_run_ends_and_every_join_knows_all_its_items(
    block: Each, keep_going: bool, seed: int, share: float
) -> None:
    chance = random.Random(seed)
    doomed: dict[str, bool] = {}

    def decide(start: Start) -> Outcome:
        is_inside = bool(start.splits) and not start.step.endswith("_join")
        bad = doomed.setdefault(start.job.task, is_inside and chance.random() < share)
        return BROKEN if bad else OK

    shape = shape_of(block)
    limits = Limits(max_workers=3, max_num_splits=100, keep_going=keep_going)
    driver = Driver(shape, limits=limits, decide=decide, pick=chance.randrange).run()

    assert driver.finish is not None
    told = driver.commands_of(TaskFailedForGood)
    assert driver.finish.ok == ("end" in driver.steps_started())
    assert driver.finish.ok or told
    for join in driver.tasks.values():
        if join.missed is None:
            continue
        num = shape.sizes[join.step.removesuffix("_join")]
        failed = [one.index for one in join.missed.failed]
        assert sorted([*failed, *join.missed.indices]) == list(range(num))
        assert len(join.parents) == len(join.missed.indices)
        budget = shape.graph.nodes[join.step.removesuffix("_join")].max_failures
        assert budget is not None
        assert len(failed) <= allowed_failures(budget, num)

    again = Driver(shape, limits=limits, origin=driver.origin(), pick=chance.randrange).run()
    assert again.finish is not None
    assert again.finish.ok
