"""Which tasks begin beside those that run here."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swell.compute.packing import Machine, excess_over
from swell.model.cause import Cause
from swell.model.job import MachineNews, StepPlan
from swell.model.record import Outcome
from swell.model.resources import Resources
from swell.scheduler.admission import PASSES
from swell.scheduler.events import HeldUp, Start, Used
from swell.scheduler.state import Limits
from tests.unit.scheduler.scheduler_shapes import (
    BROKEN,
    OK,
    Branch,
    Driver,
    Each,
    Shape,
    Step,
    shape_of,
)
from tests.unit.scheduler.test_run_state_properties import seeds, shapes, workers

MACHINE = Machine(cpu=4.0, memory_mb=8000, devices=("a", "b"), limits=(("api", 2.0),))
WIDE = Limits(max_workers=16, max_num_splits=100_000)


def asking(step: str, backend: str = "local", **asked: object) -> dict[str, StepPlan]:
    """The plan of one step that asks for something."""
    return {step: StepPlan(step, backend, resources=Resources(**asked))}  # type: ignore[arg-type]


def driving(shape: Shape, plans: dict[str, StepPlan], **more: object) -> Driver:
    """A run on MACHINE, begun."""
    return Driver(shape, plans=plans, **{"limits": WIDE, "machine": MACHINE, **more}).begin()  # type: ignore[arg-type]


def running(driver: Driver, step: str) -> list[str]:
    """The tasks of ``step`` that run."""
    return [task for task, start in driver.running.items() if start.step == step]


def opened(num: int, **asked: object) -> Driver:
    """A foreach of ``num`` whose children ask for ``asked``, just opened."""
    driver = driving(shape_of(Each(num)), asking("s0_0", **asked))
    driver.end("1")
    driver.end("2")
    return driver


def test_as_many_begin_as_fit_and_the_rest_says_what_it_waits_for() -> None:
    driver = opened(10, memory_mb=3000)

    counts = driver.state.counts()["s0_0"]

    assert len(running(driver, "s0_0")) == 2
    assert (counts.waiting, counts.waits_for) == (8, "memory")


def test_when_one_ends_the_next_begins_and_at_the_end_nothing_is_said_to_wait() -> None:
    driver = opened(4, memory_mb=3000)
    driver.end(running(driver, "s0_0")[0])
    assert len(running(driver, "s0_0")) == 2
    for _ in range(2):
        driver.end(running(driver, "s0_0")[0])
    counts = driver.state.counts()["s0_0"]
    assert (counts.running, counts.waiting, counts.waits_for) == (1, 0, "")


def test_max_workers_stays_the_upper_bound() -> None:
    driver = driving(shape_of(Each(9)), asking("s0_0", memory_mb=1), limits=Limits(2, 100))
    driver.end("1")
    driver.end("2")
    counts = driver.state.counts()["s0_0"]
    assert (counts.running, counts.waits_for) == (2, "")


def test_a_task_that_can_never_fit_runs_alone() -> None:
    driver = opened(3, memory_mb=60_000)
    for left in (2, 1, 0):
        (only,) = running(driver, "s0_0")
        assert driver.state.counts()["s0_0"].waiting == left
        driver.end(only)


def test_tasks_that_run_together_never_share_a_gpu() -> None:
    driver = opened(4, gpu=1)
    starts = list(driver.running.values())
    assert sorted(start.devices for start in starts) == [("a",), ("b",)]
    first = starts[0]
    driver.end(first.job.task)
    (after,) = (start for start in driver.running.values() if start not in starts)
    assert after.devices == first.devices


def test_the_members_of_a_gang_get_a_gpu_each() -> None:
    driver = driving(shape_of(Each(2, gang=True)), asking("s0_each", gpu=1))
    driver.end("1")
    driver.end("2")
    assert sorted(start.devices for start in driver.running.values()) == [("a",), ("b",)]


def test_a_gang_that_asks_for_more_gpus_than_there_are_fails_the_task_that_opens_it() -> None:
    driver = driving(shape_of(Each(3, gang=True)), asking("s0_each", gpu=1))
    driver.end("1")
    driver.end("2")
    assert driver.finish is not None
    assert not driver.finish.ok
    failed = [command for command in driver.commands if hasattr(command, "outcome")]
    assert failed[-1].outcome.message == (
        "Step 's0_each' opens with 3 tasks that run together and ask for 3 gpu; there are 2."
    )


def test_a_gang_too_large_for_the_machine_waits_until_nothing_runs_here() -> None:
    shape = shape_of(Branch(((Step(),), (Each(4, gang=True),))))
    driver = driving(shape, asking("s0_b0_each", memory_mb=3000))
    driver.end("1")
    driver.end("2")
    (splitting,) = running(driver, "s0_b0")
    driver.end(splitting)
    assert running(driver, "s0_b0_each") == []
    (other,) = running(driver, "s0_a0")
    driver.end(other)
    assert len(running(driver, "s0_b0_each")) == 4


# --- what steps do not say -------------------------------------------------------


def test_a_step_that_says_nothing_asks_for_nothing_at_first() -> None:
    assert len(running(opened(20), "s0_0")) == 16


def test_from_the_second_on_tasks_count_with_the_largest_peak_seen() -> None:
    driver = opened(20)
    tasks = running(driver, "s0_0")
    driver.end(tasks[0], used=Used(1990.0, 0.0, 0.5))
    assert len(running(driver, "s0_0")) == 15
    for task in tasks[1:13]:
        driver.end(task)
    assert len(running(driver, "s0_0")) == 4, "four times 2,000 MB fit in 8,000"


def test_what_a_step_says_is_not_learned_better() -> None:
    driver = opened(20, memory_mb=500)
    driver.end(running(driver, "s0_0")[0], used=Used(4000.0, 0.0, 0.5))
    assert len(running(driver, "s0_0")) == 16


def test_tasks_that_are_seen_computing_count_as_one_cpu_each() -> None:
    driver = opened(20)
    driver.handle(MachineNews(driver.now, ("s0_0",)))
    for task in running(driver, "s0_0")[:13]:
        driver.end(task)
    assert len(running(driver, "s0_0")) == 4
    assert driver.state.counts()["s0_0"].waits_for == "cpu"


@pytest.mark.parametrize(
    ("used", "computes"),
    [(Used(None, 9.0, 10.0), True), (Used(None, 1.0, 10.0), False), (Used(None, 0.5, 0.5), False)],
)
def test_an_end_tells_too_that_tasks_compute_unless_they_were_short(
    used: Used, computes: bool
) -> None:
    driver = opened(40)
    tasks = running(driver, "s0_0")
    driver.end(tasks[0], used=used)
    for task in tasks[1:]:
        driver.end(task)
    assert len(running(driver, "s0_0")) == (4 if computes else 16)


# --- memory that is short ----------------------------------------------------------


def test_while_memory_is_short_one_task_at_a_time_begins_and_this_is_told_once() -> None:
    driver = opened(20, memory_mb=3000)
    driver.handle(MachineNews(driver.now, (), "90 of 8,000 MB are left"))
    first, second = running(driver, "s0_0")
    driver.end(first)
    assert running(driver, "s0_0") == [second]
    driver.end(second)
    assert len(running(driver, "s0_0")) == 1
    assert driver.state.counts()["s0_0"].waits_for == "memory"

    driver.handle(MachineNews(driver.now))

    assert len(running(driver, "s0_0")) == 2
    assert driver.commands_of(HeldUp) == [HeldUp("90 of 8,000 MB are left"), HeldUp("")]


def test_that_memory_is_short_is_not_told_where_nothing_waits() -> None:
    driver = driving(shape_of(Step()), {})
    driver.handle(MachineNews(driver.now, (), "90 of 8,000 MB are left"))
    driver.handle(MachineNews(driver.now))
    assert driver.commands_of(HeldUp) == []


def test_tasks_elsewhere_begin_while_memory_is_short_here() -> None:
    driver = driving(shape_of(Each(5)), asking("s0_0", "batch", memory_mb=60_000))
    driver.end("1")
    driver.handle(MachineNews(driver.now, (), "90 of 8,000 MB are left"))
    driver.end("2")
    assert len(running(driver, "s0_0")) == 5


# --- here and elsewhere ----------------------------------------------------------------


def test_tasks_elsewhere_are_not_packed_but_share_limits_by_name() -> None:
    plans = asking("s0_0", "batch", memory_mb=60_000, named=(("api", 1.0),))
    driver = driving(shape_of(Each(5)), plans)
    driver.end("1")
    driver.end("2")
    counts = driver.state.counts()["s0_0"]
    assert (counts.running, counts.waits_for) == (2, "api")


def test_a_backend_of_which_nothing_runs_gets_the_first_slot() -> None:
    shape = shape_of(Branch(((Each(9),), (Each(9),))))
    plans = asking("s0_a0_0") | asking("s0_b0_0", "batch")
    driver = driving(shape, plans, limits=Limits(max_workers=4, max_num_splits=100))
    while not (running(driver, "s0_a0_0") and running(driver, "s0_b0_0")):
        driver.end(next(iter(driver.running)))
    for _ in range(8):
        step = "s0_a0_0" if running(driver, "s0_a0_0") else "s0_b0_0"
        driver.end(running(driver, step)[0])
        both = [driver.state.counts()[name] for name in ("s0_a0_0", "s0_b0_0")]
        assert all(counts.running or not counts.waiting for counts in both)


# --- the large among the small -----------------------------------------------------------


def test_of_parallel_branches_the_one_that_waits_for_most_of_the_machine_goes_first() -> None:
    shape = shape_of(Branch(((Each(9),), (Each(6),), (Each(8),))))
    share = {"s0_a0_0": 3 / 8, "s0_b0_0": 2 / 8, "s0_c0_0": 1 / 8 + 1 / 4}
    plans = (
        asking("s0_a0_0", memory_mb=3000)
        | asking("s0_b0_0", memory_mb=2000)
        | asking("s0_c0_0", memory_mb=1000, cpu=1)
    )
    driver = driving(shape, plans, limits=Limits(max_workers=3, max_num_splits=100))
    driver.end("1")
    driver.end("2")
    for name in ("s0_a0", "s0_b0", "s0_c0"):
        driver.end(running(driver, name)[0])
    decided = 0
    while any(counts.waiting for name, counts in driver.state.counts().items() if name in share):
        waiting = {name: driver.state.counts()[name].waiting for name in share}
        begun = list(driver.tasks)
        driver.end(next(task for task, start in driver.running.items() if start.step in share))
        (new,) = [driver.tasks[task].step for task in driver.tasks if task not in begun]
        most = max(share, key=lambda name: waiting[name] * share[name])
        assert waiting[new] * share[new] == waiting[most] * share[most]
        decided += 1
    assert decided == 9 + 6 + 8 - 3


def test_a_large_task_is_passed_by_small_ones_a_bounded_number_of_times() -> None:
    shape = shape_of(Branch(((Each(200),), (Step(), Step()))))
    small, large = "s0_a0_0", "s0_b1"
    plans = asking(small, memory_mb=1000) | asking(large, memory_mb=7000)
    driver = driving(shape, plans, limits=Limits(max_workers=50, max_num_splits=1000))
    driver.end("1")
    driver.end("2")
    driver.end(running(driver, "s0_a0")[0])
    driver.end(running(driver, "s0_b0")[0])
    begun = len(driver.of_step(small))

    while not driver.of_step(large):
        driver.end(running(driver, small)[0])

    assert PASSES <= len(driver.of_step(small)) - begun <= PASSES + 8


def test_a_retry_that_does_not_fit_is_passed_over_and_begins_later() -> None:
    shape = shape_of(Branch(((Step(),), (Each(3),))))
    plans = {"s0_a0": StepPlan("s0_a0", resources=Resources(memory_mb=7000), attempts=2)}
    plans |= asking("s0_b0_0", memory_mb=2000)
    driver = driving(shape, plans)
    driver.end("1")
    driver.end("2")
    (large,) = running(driver, "s0_a0")
    driver.end(running(driver, "s0_b0")[0])
    driver.end(large, BROKEN)
    assert driver.running[large].job.attempt == 1, "retries stand before new work"
    driver.end(large)
    assert len(running(driver, "s0_b0_0")) == 3


# --- whatever happens ----------------------------------------------------------------------

asks = st.builds(
    Resources,
    cpu=st.sampled_from([None, 0.5, 2, 9]),
    memory_mb=st.sampled_from([None, 700, 5000, 60_000]),
    gpu=st.sampled_from([None, None, 1]),
    named=st.sampled_from([(), (("api", 0.4),)]),
)


def together(driver: Driver, plans: dict[str, StepPlan]) -> list[tuple[Start, Resources]]:
    """The running tasks of this machine and what they ask for."""
    return [
        (start, plans[start.step].resources)
        for start in driver.running.values()
        if plans[start.step].backend == "local"
    ]


def check_room(driver: Driver, plans: dict[str, StepPlan]) -> None:
    """What runs here fits, save a gang or one task that never could."""
    held = together(driver, plans)
    devices = [device for start, _ in held for device in start.devices]
    assert len(set(devices)) == len(devices) == sum(asked.gpu or 0 for _, asked in held)
    if any(start.node for start, _ in held):
        return
    if any(excess_over(asked, MACHINE) for _, asked in held):
        assert len(held) == 1
        return
    assert sum(asked.cpu or 0 for _, asked in held) <= 4
    assert sum(asked.memory_mb or 0 for _, asked in held) <= 8000


@settings(max_examples=100, deadline=None)
@given(shapes, workers, seeds, st.data())
def test_every_run_gets_to_its_end_and_never_takes_more_than_there_is(
    shape: Shape, max_workers: int, seed: int, data: st.DataObject
) -> None:
    order = random.Random(seed)
    backends = st.sampled_from(["local", "local", "batch"])
    plans = {
        name: StepPlan(name, data.draw(backends), data.draw(asks), attempts=3)
        for name in shape.graph.nodes
    }
    for name, plan in plans.items():
        if shape.graph.nodes[name].is_parallel_step:
            asked = Resources(cpu=plan.resources.cpu)
            plans[name] = StepPlan(name, plan.backend, asked, attempts=3)

    def decide(start: Start) -> object:
        fails = start.job.attempt < 2 and order.random() < 0.2
        return BROKEN if fails else OK

    driver = Driver(
        shape,
        plans=plans,
        limits=Limits(max_workers=max_workers),
        decide=decide,  # type: ignore[arg-type]
        pick=order.randrange,
        machine=MACHINE,
    )
    driver.begin()
    check_room(driver, plans)
    while driver.go_on():
        if order.random() < 0.1 and driver.finish is None:
            short = order.choice(["", "1 MB is left"])
            driver.handle(MachineNews(driver.now, (order.choice(list(plans)),), short))
        if driver.finish is None:
            assert driver.running or driver.wake_at is not None, "something always goes on"
        check_room(driver, plans)

    assert driver.finish is not None
    assert driver.finish.ok


def test_a_run_that_ends_says_no_more_that_memory_is_short() -> None:
    driver = opened(20, memory_mb=3000)
    driver.end(running(driver, "s0_0")[0], BROKEN)
    driver.handle(MachineNews(driver.now, (), "90 of 8,000 MB are left"))
    assert driver.commands_of(HeldUp) == []
    assert driver.cancelled


def test_an_attempt_with_more_memory_than_its_step_asks_for_needs_that_much_room() -> None:
    plans = {
        "s0_0": StepPlan(
            "s0_0", resources=Resources(memory_mb=3000), memory_growth=2.0, max_memory_mb=8000
        )
    }
    driver = driving(shape_of(Each(2)), plans)
    driver.end("1")
    driver.end("2")
    first, second = running(driver, "s0_0")

    driver.end(first, Outcome(False, Cause.OUT_OF_MEMORY, "killed"))

    assert first not in driver.running, "6,000 MB do not fit beside 3,000"
    driver.end(second)
    assert driver.running[first].memory_mb == 6000
    assert len(running(driver, "s0_0")) == 1
