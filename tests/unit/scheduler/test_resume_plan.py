"""Which tasks of an earlier run are taken over, and how RunState goes on from them."""

from __future__ import annotations

import msgspec
import pytest

from swell.errors import UsageError
from swell.model.cause import Cause
from swell.model.facts import AttemptFact, TaskCreated, TaskFact
from swell.model.graph import Graph, Node, NodeType
from swell.model.ids import JobId, RunId
from swell.model.record import Outcome, Transition
from swell.scheduler.events import (
    AdoptTasks,
    Finish,
    OriginTask,
    Start,
    StartAttempts,
    TaskKey,
    WakeAt,
)
from swell.scheduler.resume import latest_outcomes, tasks_to_adopt
from swell.scheduler.state import Limits
from tests.unit.scheduler.scheduler_shapes import (
    BROKEN,
    Branch,
    Decide,
    Driver,
    Each,
    Loop,
    Shape,
    Step,
    shape_of,
)

RUN = RunId("F", 1)


def failing_at(step: str, *indices: int) -> Decide:
    """Attempts of ``step`` at ``indices`` fail."""
    return lambda start: (
        BROKEN
        if start.step == step and tuple(index for _, index in start.splits) == indices
        else Outcome(True)
    )


def facts_of(driver: Driver) -> list[TaskFact]:
    """What a store would keep of a played run."""
    return [
        TaskFact(
            TaskCreated(
                RUN,
                start.step,
                task,
                0.0,
                indices=tuple(index for _, index in start.splits),
                rounds=start.rounds,
                gang_size=start.node[1] if start.node else None,
            ),
            attempt=0,
            ok=task in driver.done,
        )
        for task, start in driver.tasks.items()
    ]


def adopted_from(driver: Driver, graph: Graph, step: str | None = None) -> dict[str, str]:
    """Task → step of what a resumed run takes over."""
    found = tasks_to_adopt(graph, facts_of(driver), driver.done, step)
    return {origin.task: key.step for key, origin in found.items()}


def resume(driver: Driver, shape: Shape, step: str | None = None, **more: object) -> Driver:
    """The run that resumes a played one."""
    origin = tasks_to_adopt(shape.graph, facts_of(driver), driver.done, step)
    return Driver(shape, origin=origin, **more).run()


# --- what is taken over -------------------------------------------------------


def test_only_what_ended_ok_is_taken_over() -> None:
    shape = shape_of(Each(3))
    driver = Driver(shape, decide=failing_at("s0_0", 1)).run()

    adopted = adopted_from(driver, shape.graph)
    assert set(adopted) == set(driver.done)
    assert "4" not in adopted


def test_a_named_step_and_all_after_it_run_again() -> None:
    shape = shape_of(Step(), Step(), Step())
    driver = Driver(shape).run()

    assert list(adopted_from(driver, shape.graph, "s1").values()) == ["start", "s0"]


def test_a_step_beside_the_named_one_is_taken_over() -> None:
    shape = shape_of(Branch(((Step(),), (Step(),))))
    driver = Driver(shape).run()

    assert set(adopted_from(driver, shape.graph, "s0_a0").values()) == {"start", "s0", "s0_b0"}


def test_an_unknown_step_is_an_error_that_lists_the_steps() -> None:
    with pytest.raises(UsageError) as caught:
        tasks_to_adopt(shape_of(Step()).graph, [], {}, "nowhere")

    assert "'nowhere'" in caught.value.message
    assert "start, s0, end" in caught.value.remedy


def test_a_caught_failure_counts_as_ok() -> None:
    shape = shape_of(Step())
    caught = Outcome(True, Cause.USER_ERROR, "it raised", caught=True)
    driver = Driver(shape, decide=lambda start: caught if start.step == "s0" else Outcome(True))

    assert "s0" in adopted_from(driver.run(), shape.graph).values()


def test_a_step_that_is_gone_is_left_out_and_a_new_name_runs() -> None:
    driver = Driver(shape_of(Step(), Step()), decide=failing_at("end")).run()
    nodes = {
        "start": Node("start", NodeType.START, ("s0",)),
        "s0": Node("s0", NodeType.LINEAR, ("renamed",)),
        "renamed": Node("renamed", NodeType.LINEAR, ("end",)),
        "end": Node("end", NodeType.END),
    }
    shape = Shape(Graph("F", nodes, "start", "end", order=tuple(nodes)))

    again = resume(driver, shape)

    assert list(again.adopted.values()) == ["1", "2"]
    assert again.steps_started() == ["start", "s0", "renamed", "end"]
    assert again.finish == Finish(ok=True)


def test_a_step_that_splits_now_and_did_not_before_runs_again() -> None:
    driver = Driver(shape_of(Step())).run()

    assert adopted_from(driver, shape_of(Each(2)).graph) == {"1": "start", "3": "end"}
    again = resume(driver, shape_of(Each(2)))
    assert list(again.adopted) == ["1"]
    assert again.finish == Finish(ok=True)


def test_an_unfinished_gang_runs_again_whole() -> None:
    shape = shape_of(Each(3, gang=True))
    driver = Driver(shape, decide=failing_at("s0_each", 2)).run()
    facts = [
        msgspec.structs.replace(fact, ok=True) if fact.created.task == "3" else fact
        for fact in facts_of(driver)
    ]
    outcomes = {**driver.done, "3": Outcome(True, transition=Transition(("s0_join",)))}

    origin = tasks_to_adopt(shape.graph, facts, outcomes)
    again = Driver(shape, origin=origin).run()

    assert {key.step for key in origin} == {"start", "s0"}
    assert len(again.commands_of(StartAttempts)[0].starts) == 3
    assert again.finish == Finish(ok=True)


def test_the_latest_attempt_of_a_task_counts_and_a_running_one_has_no_outcome() -> None:
    bad, good = BROKEN, Outcome(True)
    facts = [
        AttemptFact(RUN, "s", JobId("1", 0), 0.0, None, 1.0, bad),
        AttemptFact(RUN, "s", JobId("1", 1), 0.0, None, 1.0, good),
        AttemptFact(RUN, "s", JobId("2", 0), 0.0, None, 1.0, good),
        AttemptFact(RUN, "s", JobId("2", 1), 0.0, None),
    ]

    assert latest_outcomes(facts) == {"1": good}


# --- going on -----------------------------------------------------------------


def test_a_resumed_foreach_runs_only_the_children_that_are_missing() -> None:
    shape = shape_of(Each(5, (Step(), Step())))
    driver = Driver(shape, decide=failing_at("s0_1", 2), limits=Limits(keep_going=True)).run()

    again = resume(driver, shape)

    ran = [task for task in again.tasks if task not in again.adopted]
    assert [again.key(task) for task in ran] == [
        TaskKey("s0_1", (2,)),
        TaskKey("s0_join"),
        TaskKey("end"),
    ]
    assert again.finish == Finish(ok=True)


def test_a_loop_goes_on_after_its_last_good_round() -> None:
    shape = shape_of(Loop(5))
    failing = Driver(
        shape, decide=lambda start: BROKEN if start.rounds == (3,) else Outcome(True)
    ).run()

    again = resume(failing, shape)

    ran = [again.tasks[task].rounds for task in again.tasks if task not in again.adopted]
    assert ran == [(3,), (4,), ()]


def test_what_reads_a_task_that_runs_again_runs_again_too() -> None:
    shape = shape_of(Step(), Step(), Step())
    origin = Driver(shape).run().origin()
    del origin[TaskKey("s0")]

    again = Driver(shape, origin=origin).run()

    assert list(again.adopted.values()) == ["1"]
    assert again.finish == Finish(ok=True)


def test_children_are_adopted_in_bulk_after_their_parents() -> None:
    shape = shape_of(Each(50, (Step(), Step())))
    driver = Driver(shape).run()

    again = Driver(shape, origin=driver.origin()).begin()

    assert [(each.step, len(each.adopted)) for each in again.commands_of(AdoptTasks)] == [
        ("start", 1),
        ("s0", 1),
        ("s0_0", 50),
        ("s0_1", 50),
        ("s0_join", 1),
        ("end", 1),
    ]


def test_a_chain_of_thousands_of_steps_is_adopted_without_recursion() -> None:
    shape = shape_of(Loop(5_000))
    origin = {
        TaskKey("start"): OriginTask("1", Transition(("s0",))),
        **{
            TaskKey("s0", (), (k,)): OriginTask(str(k + 2), Transition(("s0",)))
            for k in range(4_999)
        },
    }

    driver = Driver(shape, origin=origin).run()

    assert len(driver.adopted) == 5_000
    assert driver.finish == Finish(ok=True)


def test_very_many_adoptions_come_in_portions() -> None:
    shape = shape_of(Each(25_000))
    origin = {
        TaskKey("start"): OriginTask("1", Transition(("s0",))),
        TaskKey("s0"): OriginTask("2", shape.transition(Start(JobId("2", 0), "s0", ("1",)))),
        **{
            TaskKey("s0_0", (k,)): OriginTask(str(k + 3), Transition(("s0_join",)))
            for k in range(25_000)
        },
    }

    driver = Driver(shape, origin=origin).begin()
    assert len(driver.adopted) < 15_000
    assert driver.commands[-1] == WakeAt(driver.now)
    while driver.go_on():
        pass

    assert len(driver.adopted) == 25_002
    assert driver.finish == Finish(ok=True)


def _split_of(shape: Shape) -> Transition:
    driver = Driver(shape).begin()
    driver.end("1")
    return shape.transition(driver.running["2"])
