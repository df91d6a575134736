"""What holds for every flow, every order of ends and every outcome."""

from __future__ import annotations

import gc
import random
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from swell.model.cause import Cause
from swell.model.job import StepPlan
from swell.model.record import Outcome
from swell.scheduler.events import (
    Finish,
    Interrupted,
    RunStarted,
    Start,
    StartAttempts,
    TaskFailedForGood,
    TaskKey,
)
from swell.scheduler.state import Limits, RunState
from tests.unit.scheduler.scheduler_shapes import (
    Block,
    Branch,
    Driver,
    Each,
    Loop,
    Shape,
    Step,
    Switch,
    shape_of,
)

_leaf = st.one_of(
    st.just(Step()),
    st.builds(Loop, st.integers(1, 3)),
    st.builds(Each, st.integers(1, 4), gang=st.just(True)),
)


def _around(inner: st.SearchStrategy[Block]) -> st.SearchStrategy[Block]:
    body = st.lists(inner, min_size=1, max_size=2).map(tuple)
    bodies = st.lists(body, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Each, st.integers(0, 3), body),
        st.builds(Branch, bodies),
        st.builds(Switch, bodies, st.integers(0, 2)),
    )


blocks = st.recursive(_leaf, _around, max_leaves=8)
shapes = st.lists(blocks, max_size=3).map(lambda chosen: shape_of(*chosen))
workers = st.integers(1, 6)
seeds = st.integers(0, 2**32)
few = settings(max_examples=50, deadline=None)


def keys_of(driver: Driver) -> list[TaskKey]:
    """The places of all tasks of a played run."""
    return sorted(map(driver.key, driver.tasks))


def picking(seed: int) -> random.Random:
    """A source of orders that hypothesis can replay."""
    return random.Random(seed)


@few
@given(shapes, workers, seeds)
def test_every_task_runs_once_whatever_the_order_of_ends(
    shape: Shape, max_workers: int, seed: int
) -> None:
    limits = Limits(max_workers=max_workers)
    in_order = Driver(shape, limits=limits).run()
    shuffled = Driver(shape, limits=limits, pick=picking(seed).randrange).run()

    assert in_order.finish == shuffled.finish == Finish(ok=True)
    assert keys_of(in_order) == keys_of(shuffled)
    assert len(set(keys_of(in_order))) == len(in_order.tasks)


@few
@given(shapes, workers, seeds)
def test_joins_see_all_inputs_in_order(shape: Shape, max_workers: int, seed: int) -> None:
    driver = Driver(
        shape, limits=Limits(max_workers=max_workers), pick=picking(seed).randrange
    ).run()

    for start in driver.tasks.values():
        node = shape.graph.nodes[start.step]
        if not node.is_join or not start.parents:
            continue
        split = next(
            other for other in shape.graph.nodes.values() if other.matching_join == node.name
        )
        parents = [driver.key(parent) for parent in start.parents]
        here = driver.key(start.job.task).indices
        if split.name in shape.sizes:
            size = shape.sizes[split.name]
            assert [key.indices for key in parents] == [(*here, index) for index in range(size)]
        else:
            assert [key.indices for key in parents] == [here] * len(split.targets)
            prefixes = [target.rstrip("0") for target in split.targets]
            assert all(
                key.step.startswith(prefix) for key, prefix in zip(parents, prefixes, strict=True)
            )


@few
@given(shapes, workers, seeds, st.booleans(), st.sampled_from([0.02, 0.1, 0.4]))
def test_a_run_with_failures_always_ends_and_starts_nothing_after_the_first(
    shape: Shape, max_workers: int, seed: int, keep_going: bool, share: float
) -> None:
    chance = picking(seed)
    causes = [Cause.USER_ERROR, Cause.SIGNAL, Cause.HOST_LOST, Cause.CANCELLED]

    def decide(start: Start) -> Outcome:
        bad = chance.random() < share
        return Outcome(False, chance.choice(causes), "bad luck") if bad else Outcome(True)

    plans = {
        name: StepPlan(
            name,
            attempts=chance.choice([1, 1, 3]),
            fallback_attempts=chance.choice([0, 0, 2]),
            retry_wait_s=chance.choice([None, 0.0, 5.0]),
            retry_backoff=2.0,
        )
        for name in shape.graph.nodes
    }
    limits = Limits(max_workers=max_workers, keep_going=keep_going)
    driver = Driver(shape, limits=limits, plans=plans, decide=decide, pick=chance.randrange).run()

    failures = driver.commands_of(TaskFailedForGood)
    assert driver.finish is not None
    assert driver.finish.ok == (not failures)
    if failures and not keep_going:
        after = driver.commands[driver.commands.index(failures[0]) :]
        assert not any(isinstance(command, StartAttempts) for command in after)
    counts = driver.state.counts().values()
    assert sum(count.running for count in counts) == 0
    if keep_going:
        assert sum(count.waiting for count in counts) == 0
        assert sum(count.done for count in counts) + sum(
            count.failed + count.cancelled for count in counts
        ) == len(driver.tasks)


@few
@given(shapes, workers, seeds, st.integers(0, 60))
def test_resume_after_any_prefix_ends_with_the_same_tasks(
    shape: Shape, max_workers: int, seed: int, ends: int
) -> None:
    limits = Limits(max_workers=max_workers)
    whole = Driver(shape, limits=limits).run()
    first = Driver(shape, limits=limits, pick=picking(seed).randrange).begin()
    for _ in range(ends):
        first.go_on()
    first.handle(Interrupted(first.now, "Ctrl-C"))
    while first.go_on():
        pass

    again = Driver(shape, limits=limits, origin=first.origin()).run()

    assert again.finish == Finish(ok=True)
    assert keys_of(again) == keys_of(whole)
    assert sorted(again.adopted.values()) == sorted(first.done)


@few
@given(shapes, seeds)
def test_events_in_batches_lead_to_the_same_tasks(shape: Shape, seed: int) -> None:
    chance = picking(seed)
    one_by_one = Driver(shape).run()
    batched = Driver(shape)
    batched.begin()
    while batched.running:
        names = chance.sample(list(batched.running), chance.randint(1, len(batched.running)))
        batched.perform(batched.state.handle_all([batched.ended_event(name) for name in names]))

    assert batched.finish == Finish(ok=True)
    assert keys_of(batched) == keys_of(one_by_one)


# --- memory -------------------------------------------------------------------


def test_a_waiting_child_of_a_wide_foreach_costs_less_than_100_bytes() -> None:
    width = 100_000
    shape = shape_of(Each(width))
    state = RunState(shape.graph, {}, Limits(max_workers=16, max_num_splits=width))
    driver = Driver(shape)
    driver.state = state
    driver.begin()
    driver.end("1")
    split = driver.ended_event("2")
    gc.collect()
    tracemalloc.start()
    state.handle(split)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert held / width < 100


def test_a_half_done_nested_foreach_costs_less_than_100_bytes_an_unfinished_task() -> None:
    outer, inner = 300, 100
    shape = shape_of(Each(outer, (Each(inner), Step())))
    state = RunState(shape.graph, {}, Limits(max_workers=16, max_num_splits=1_000))
    unfinished = outer * inner // 2
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    commands = state.handle(RunStarted(0.0))
    running: list[Start] = []
    ended = 0
    player = Driver(shape)
    while ended < outer * inner // 2:
        running += [
            start
            for command in commands
            if isinstance(command, StartAttempts)
            for start in command.starts
        ]
        start = running.pop()
        player.running[start.job.task] = start
        commands = state.handle(player.ended_event(start.job.task))
        player.done.clear()
        ended += 1
    del commands, running
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert held / unfinished < 100


@few
@given(shapes, workers, seeds, st.integers(0, 60), st.booleans())
def test_a_driver_that_takes_a_run_over_goes_on_with_the_same_tasks_under_the_same_ids(
    shape: Shape, max_workers: int, seed: int, ends: int, keeps_running: bool
) -> None:
    limits = Limits(max_workers=max_workers)
    whole = Driver(shape, limits=limits).run()
    first = Driver(shape, limits=limits, pick=picking(seed).randrange).begin()
    for _ in range(ends):
        first.go_on()

    known = first.known(keeps_running=keeps_running)
    again = Driver(shape, limits=limits, known=known, goes_on_from=first).run()

    assert again.finish == Finish(ok=True)
    assert keys_of(again) == keys_of(whole)
    for task, start in first.tasks.items():
        assert first.key(task) == again.key(start.job.task)
