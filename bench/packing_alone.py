"""The scheduler's admission in virtual time: mixed sizes against the best order found, and speed.

Run: ``python bench/packing_alone.py``. Nothing is started: tasks end when a clock of numbers
says so. Prints for mixed sizes the makespan by the real admission, that of the best of many
orders (greedy in each, improved by swapping), and the bound that no order can beat; then
decisions a second with 100,000 tasks waiting.
"""

from __future__ import annotations

import heapq
import random
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from swell.compute.packing import Holding, Machine
from swell.model.graph import Graph, Node, NodeType
from swell.model.ids import JobId
from swell.model.job import StepPlan
from swell.model.record import Items, Outcome, Split, Transition
from swell.model.resources import Resources
from swell.scheduler.admission import Admission
from swell.scheduler.events import AttemptFinished, Command, RunStarted, StartAttempts
from swell.scheduler.ready import ReadyWork
from swell.scheduler.state import Limits, RunState

MACHINE = Machine(cpu=8.0, memory_mb=24_000)
STEPS, EACH = 12, 5
ORDERS, SWAPS = 300, 1500
WAITING = 100_000


class Task(NamedTuple):
    """What one task asks for and how long it runs."""

    memory_mb: int
    cpu: int
    seconds: float


def mixed_tasks(seed: int) -> list[list[Task]]:
    """The tasks of each step: 1 to 8 GB, 1 or 2 cpu, the same within a step; 10 to 60 s."""
    chance = random.Random(seed)
    found = []
    for _ in range(STEPS):
        memory_mb, cpu = chance.randint(1, 8) * 1000, chance.randint(1, 2)
        found.append([Task(memory_mb, cpu, chance.uniform(10, 60)) for _ in range(EACH)])
    return found


def admitted(steps: Sequence[Sequence[Task]]) -> float:
    """The makespan as the scheduler starts them."""
    tasks = {f"work{number}": list(some) for number, some in enumerate(steps)}
    return _play(_state(tasks), tasks)


def greedy(order: Sequence[Task]) -> float:
    """The makespan when tasks start in this order, each as soon as it and those before fit."""
    memory, cpu, now, end = MACHINE.memory_mb or 0, MACHINE.cpu or 0.0, 0.0, 0.0
    running: list[tuple[float, int, Task]] = []
    waiting = list(order)
    while waiting or running:
        left = []
        for task in waiting:
            if task.memory_mb <= memory and task.cpu <= cpu:
                memory -= task.memory_mb
                cpu -= task.cpu
                heapq.heappush(running, (now + task.seconds, id(task), task))
            else:
                left.append(task)
        waiting = left
        now, _, ended = heapq.heappop(running)
        memory += ended.memory_mb
        cpu += ended.cpu
        end = max(end, now)
    return end


def best_found(steps: Sequence[Sequence[Task]], seed: int) -> float:
    """The shortest makespan of many orders: random ones, largest first, and swaps in the best."""
    chance = random.Random(seed)
    tasks = [task for some in steps for task in some]
    by_work = sorted(tasks, key=lambda task: -task.seconds * max(task.memory_mb / 3, task.cpu))
    orders = [by_work, sorted(tasks, key=lambda task: -task.seconds)]
    orders += [chance.sample(tasks, len(tasks)) for _ in range(ORDERS)]
    best = min(orders, key=greedy)
    shortest = greedy(best)
    for _ in range(SWAPS):
        one, other = chance.sample(range(len(tasks)), 2)
        tried = list(best)
        tried[one], tried[other] = tried[other], tried[one]
        if (length := greedy(tried)) <= shortest:
            best, shortest = tried, length
    return shortest


def bound(steps: Sequence[Sequence[Task]]) -> float:
    """What no order can beat: all work divided by all there is, and the longest task."""
    tasks = [task for some in steps for task in some]
    by_memory = sum(task.memory_mb * task.seconds for task in tasks) / (MACHINE.memory_mb or 1)
    by_cpu = sum(task.cpu * task.seconds for task in tasks) / (MACHINE.cpu or 1)
    return max(by_memory, by_cpu, *(task.seconds for task in tasks))


def _graph(names: Sequence[str]) -> Graph:
    """start splits into one foreach a name, which meet in ``meet``."""
    opens = tuple(f"open_{name}" for name in names)
    nodes = {"start": Node("start", NodeType.SPLIT, opens, matching_join="meet")}
    for name in names:
        nodes[f"open_{name}"] = Node(
            f"open_{name}",
            NodeType.FOREACH,
            (name,),
            foreach_var="xs",
            matching_join=f"close_{name}",
        )
        nodes[name] = Node(name, NodeType.LINEAR, (f"close_{name}",))
        nodes[f"close_{name}"] = Node(f"close_{name}", NodeType.JOIN, ("meet",), is_join=True)
    nodes["meet"] = Node("meet", NodeType.JOIN, ("end",), is_join=True)
    nodes["end"] = Node("end", NodeType.END)
    closes = [f"close_{name}" for name in names]
    order = ("start", *opens, *names, *closes, "meet", "end")
    return Graph("Mixed", nodes, "start", "end", order=order)


def _state(tasks: dict[str, list[Task]]) -> RunState:
    plans = {
        name: StepPlan(name, resources=Resources(cpu=some[0].cpu, memory_mb=some[0].memory_mb))
        for name, some in tasks.items()
    }
    graph = _graph(list(tasks))
    limits = Limits(max_workers=10_000, max_num_splits=1_000_000)
    return RunState(graph, plans, limits, machine=MACHINE)


def _play(state: RunState, tasks: dict[str, list[Task]]) -> float:
    """Let tasks end in the order of their times; all other steps take none."""
    running: list[tuple[float, int, AttemptFinished]] = []
    now, count = 0.0, 0
    seconds = {name: iter([task.seconds for task in some]) for name, some in tasks.items()}
    commands = state.handle(RunStarted(0.0))
    while True:
        for command in commands:
            if not isinstance(command, StartAttempts):
                continue
            for start in command.starts:
                count += 1
                at = now + next(seconds[command.step]) if command.step in seconds else now
                end = AttemptFinished(at, start.job, _outcome(command.step, tasks))
                heapq.heappush(running, (at, count, end))
        if not running:
            return now
        now, _, event = heapq.heappop(running)
        commands = state.handle(event)


def _outcome(step: str, tasks: dict[str, list[Task]]) -> Outcome:
    names = list(tasks)
    if step == "start":
        return Outcome(True, transition=Transition(tuple(f"open_{name}" for name in names)))
    if step.startswith("open_"):
        name = step.removeprefix("open_")
        split = Split("xs", len(tasks[name]), Items(range=(0, 1)))
        return Outcome(True, transition=Transition((name,), split))
    after = {"meet": ("end",), "end": ()}.get(step)
    if after is None:
        after = ("meet",) if step.startswith("close_") else (f"close_{step}",)
    return Outcome(True, transition=Transition(after))


def decisions_a_second(waiting: int = WAITING, at_once: int = 64) -> float:
    """Ends handed over ``at_once``, as the loop does under load, each of which lets the next of
    ``waiting`` tasks of four sizes begin: all that the mind does, by processor time."""
    tasks = {f"work{n}": [Task(10 * (n + 1), 0, 1.0)] * (waiting // 4) for n in range(4)}
    state = _state(tasks)
    outcomes = {name: _outcome(name, tasks) for name in _graph(list(tasks)).nodes}
    running: deque[tuple[str, JobId]] = deque()
    begun = _starts(state.handle(RunStarted(0.0)))
    while begun:
        opening = [one for one in begun if one[0] not in tasks]
        running += [one for one in begun if one[0] in tasks]
        ends = [AttemptFinished(0.0, job, outcomes[step]) for step, job in opening]
        begun = _starts(state.handle_all(ends)) if ends else []
    decided = 0
    began = time.process_time()
    while len(running) >= at_once and decided < waiting // 2:
        ended = [running.popleft() for _ in range(at_once)]
        ends = [AttemptFinished(0.0, job, outcomes[step]) for step, job in ended]
        running += _starts(state.handle_all(ends))
        decided += at_once
    return decided / (time.process_time() - began)


def admissions_a_second(times: int = 200_000) -> float:
    """The admission alone: a task ends, and of four sizes that wait the first that fits begins."""
    names = [f"work{number}" for number in range(4)]
    plans = {
        name: StepPlan(name, resources=Resources(memory_mb=1000 * (number + 1), cpu=0.1))
        for number, name in enumerate(names)
    }
    steps = ReadyWork(_graph(names), plans).steps
    admission = Admission(steps, MACHINE)
    held: deque[Holding] = deque()
    decided = 0
    began = time.process_time()
    while decided < times:
        if held:
            admission.release(held.popleft())
        admission.begin_round()
        for name in names:
            held += admission.admit(steps[name], None, 10)
            decided += 1
        admission.end_round(is_whole=True)
    return decided / (time.process_time() - began)


def _starts(commands: Sequence[Command]) -> list[tuple[str, JobId]]:
    return [
        (command.step, start.job)
        for command in commands
        if isinstance(command, StartAttempts)
        for start in command.starts
    ]


def main() -> None:
    """Print what was found."""
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
        steps = mixed_tasks(seed)
        real, best = admitted(steps), best_found(steps, seed)
        print(
            f"mixed {seed}: {real:.1f} s admitted, {best:.1f} s best found, "
            f"{bound(steps):.1f} s bound, ratio {real / best:.3f}"
        )
    print(f"decisions: {decisions_a_second():,.0f} a second with {WAITING:,} waiting")
    print(f"admission alone: {admissions_a_second():,.0f} a second")


if __name__ == "__main__":
    main()
