"""What RunState starts, in which order and with which parents, for every graph shape."""

from __future__ import annotations

import pytest

from swell.model.ids import JobId
from swell.scheduler.events import Finish, Start, StartAttempts
from swell.scheduler.state import Limits
from tests.unit.scheduler.scheduler_shapes import (
    Branch,
    Driver,
    Each,
    Loop,
    Shape,
    Step,
    Switch,
    shape_of,
    single_step,
)

SHAPES = {
    "single": single_step(),
    "linear": shape_of(Step(), Step()),
    "branch": shape_of(Branch(((Step(),), (Step(), Step())))),
    "nested branches": shape_of(Branch(((Branch(((), ())),), (Step(),), ()))),
    "foreach": shape_of(Each(5)),
    "wide foreach": shape_of(Each(500)),
    "nested foreach": shape_of(Each(2, (Each(3, (Each(2), Step())),))),
    "parallel": shape_of(Each(3, gang=True)),
    "parallel in foreach": shape_of(Each(3, (Step(), Each(2, gang=True)))),
    "switch": shape_of(Switch(((Step(),), (Step(), Step())), chosen=1)),
    "switch in foreach": shape_of(Each(3, (Switch(((), ())),))),
    "foreach in switch": shape_of(Switch(((Each(3),), ()))),
    "branch in switch in branch": shape_of(Branch(((Switch(((Branch(((), ())),), ())),), ()))),
    "recursion": shape_of(Loop(4)),
    "recursion in foreach": shape_of(Each(3, (Loop(3),))),
    "two loops one after the other": shape_of(Loop(2), Loop(3)),
    "empty foreach": shape_of(Each(0, (Step(), Each(2)))),
    "empty foreach in foreach": shape_of(Each(2, (Each(0), Step()))),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape_runs_each_of_its_tasks_once_and_finishes_well(shape: Shape) -> None:
    driver = Driver(shape).run()

    assert driver.finish == Finish(ok=True)
    assert len(driver.of_step(shape.graph.end)) == 1
    assert set(driver.done) == set(driver.tasks)
    keys = [driver.key(task) for task in driver.tasks]
    assert len(set(keys)) == len(keys)
    counts = driver.state.counts()
    assert sum(count.done for count in counts.values()) == len(driver.tasks)
    assert sum(count.total for count in counts.values()) == len(driver.tasks)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_finished_run_is_adopted_whole_and_starts_nothing(shape: Shape) -> None:
    first = Driver(shape).run()

    again = Driver(shape, origin=first.origin()).run()

    assert again.finish == Finish(ok=True)
    assert again.commands_of(StartAttempts) == []
    assert sorted(again.adopted.values()) == sorted(first.tasks)


def test_the_first_task_is_1_and_reads_no_task() -> None:
    driver = Driver(shape_of()).begin()

    assert driver.running == {"1": Start(JobId("1", 0), "start", ())}


def test_siblings_of_a_foreach_have_consecutive_ids_in_index_order() -> None:
    driver = Driver(shape_of(Each(3, (Step(), Step())))).run()

    assert [start.job.task for start in driver.of_step("s0_0")] == ["3", "4", "5"]
    assert [start.splits for start in driver.of_step("s0_0")] == [
        (("2", 0),),
        (("2", 1),),
        (("2", 2),),
    ]


def test_a_foreach_join_reads_in_index_order_whatever_the_order_of_ends() -> None:
    driver = Driver(shape_of(Each(4)), pick=lambda count: count - 1).run()

    (join,) = driver.of_step("s0_join")
    assert join.parents == ("3", "4", "5", "6")
    assert join.splits == ()


def test_a_branch_join_reads_in_the_order_of_the_split_and_static_splits_are_no_index() -> None:
    driver = Driver(
        shape_of(Branch(((Step(), Step()), (Step(),)))), pick=lambda count: count - 1
    ).run()

    (join,) = driver.of_step("s0_join")
    (first,), (second,) = driver.of_step("s0_a1"), driver.of_step("s0_b0")
    assert join.parents == (first.job.task, second.job.task)
    assert first.splits == ()


def test_the_join_of_an_inner_foreach_keeps_the_index_of_the_outer_one() -> None:
    driver = Driver(shape_of(Each(2, (Each(3, (Each(2),)),)))).run()

    innermost = driver.of_step("s0_0_0_")
    assert innermost == []
    (last,) = [key for key in map(driver.key, driver.tasks) if key.indices == (1, 2, 1)]
    assert last.step == "s0_0_0_0"
    inner_joins = driver.of_step("s0_0_0_join")
    assert sorted(driver.key(start.job.task).indices for start in inner_joins) == [
        (outer, inner) for outer in range(2) for inner in range(3)
    ]
    assert [start.splits[0][0] for start in driver.of_step("s0_0_join")] == ["2", "2"]


def test_an_empty_foreach_starts_its_join_at_once_without_parents() -> None:
    driver = Driver(shape_of(Each(0, (Step(), Each(2))), Step())).run()

    (join,) = driver.of_step("s0_join")
    assert join.parents == ()
    assert driver.steps_started() == ["start", "s0", "s0_join", "s1", "end"]


def test_only_the_chosen_branch_of_a_switch_runs() -> None:
    driver = Driver(shape_of(Switch(((Step(),), (Step(),)), chosen=1))).run()

    assert driver.steps_started() == ["start", "s0", "s0_b0", "s0_meet", "end"]


def test_rounds_count_the_tasks_of_a_recursive_step_from_0_and_end_with_it() -> None:
    driver = Driver(shape_of(Loop(3), Step())).run()

    assert [(start.step, start.rounds) for start in driver.tasks.values()] == [
        ("start", ()),
        ("s0", (0,)),
        ("s0", (1,)),
        ("s0", (2,)),
        ("s1", ()),
        ("end", ()),
    ]


def test_gang_members_start_together_and_are_named_after_the_control_task() -> None:
    driver = Driver(shape_of(Each(3, gang=True))).begin()
    driver.end("1")
    driver.end("2")

    (gang,) = [each for each in driver.commands_of(StartAttempts) if each.step == "s0_each"]
    assert [start.job.task for start in gang.starts] == ["3", "3_node_1", "3_node_2"]
    assert [start.node for start in gang.starts] == [(0, 3, "3"), (1, 3, "3"), (2, 3, "3")]
    assert [start.splits for start in gang.starts] == [(("2", node),) for node in range(3)]
    for task in ["3_node_2", "3", "3_node_1"]:
        driver.end(task)
    assert driver.running["6"].parents == ("3", "3_node_1", "3_node_2")


# --- order and slots ----------------------------------------------------------


def test_what_was_begun_is_finished_before_new_siblings_start() -> None:
    driver = Driver(shape_of(Each(3, (Step(), Step()))), limits=Limits(max_workers=1)).run()

    assert driver.steps_started()[2:8] == ["s0_0", "s0_1"] * 3


def test_no_more_attempts_run_than_workers_and_a_wide_foreach_is_given_out_in_batches() -> None:
    driver = Driver(shape_of(Each(100)), limits=Limits(max_workers=8)).begin()
    driver.end("1")
    driver.end("2")

    assert len(driver.running) == 8
    events = [driver.ended_event(task) for task in list(driver.running)]
    (refill,) = driver.perform(driver.state.handle_all(events))
    assert isinstance(refill, StartAttempts)
    assert len(refill.starts) == 8


def test_nothing_starts_before_a_gang_that_is_next() -> None:
    shape = shape_of(Branch(((Each(9),), (Step(), Each(3, gang=True)))))
    driver = Driver(shape, limits=Limits(max_workers=3)).begin()
    while driver.state.counts()["s0_b1_each"].waiting == 0:
        driver.end(next(iter(driver.running)))
    begun = driver.steps_started()
    assert 0 < begun.count("s0_a0_0") < 9
    while "s0_b1_each" not in driver.steps_started():
        driver.end(next(iter(driver.running)))

    assert driver.steps_started() == [*begun, *["s0_b1_each"] * 3]


def test_a_gang_larger_than_the_workers_starts_when_nothing_else_runs() -> None:
    shape = shape_of(Branch(((Each(9, gang=True),), (Step(), Step()))))
    driver = Driver(shape, limits=Limits(max_workers=2)).begin()
    while "s0_a0_each" not in driver.steps_started():
        driver.end(next(iter(driver.running)))

    assert {start.step for start in driver.running.values()} == {"s0_a0_each"}
    assert len(driver.running) == 9
    while driver.go_on():
        pass
    assert driver.finish == Finish(ok=True)
