"""Drive a simulated foreach of a million tasks through the scheduler's mind, alone.

Run: ``python bench/scheduler_alone.py [TASKS [WORKERS]]``. Prints events handled a second
(ends of attempts, in batches as the loop hands them over, and one by one; by processor
time, so that neighbours do not count), the bytes held per unfinished task while all wait,
and the peak of a whole run, the join's list of parents included.
"""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc

from swell.model.graph import Graph, Node, NodeType
from swell.model.job import StepPlan
from swell.model.record import Items, Outcome, Split, Transition
from swell.scheduler.events import AttemptFinished, Command, Finish, RunStarted, StartAttempts
from swell.scheduler.state import Limits, RunState

GRAPH = Graph(
    "Wide",
    {
        "start": Node("start", NodeType.FOREACH, ("work",), foreach_var="xs", matching_join="join"),
        "work": Node("work", NodeType.LINEAR, ("join",)),
        "join": Node("join", NodeType.JOIN, ("end",), is_join=True),
        "end": Node("end", NodeType.END),
    },
    "start",
    "end",
    order=("start", "work", "join", "end"),
)


class Simulation:
    """A wide foreach whose attempts all end ok, as fast as they can be handed over."""

    def __init__(self, tasks: int, workers: int) -> None:
        self.tasks = tasks
        self.limits = Limits(max_workers=workers, max_num_splits=tasks)
        split = Split("xs", tasks, Items(range=(0, 1)))
        self.outcomes = {
            "start": Outcome(True, transition=Transition(("work",), split)),
            "work": Outcome(True, transition=Transition(("join",))),
            "join": Outcome(True, transition=Transition(("end",))),
            "end": Outcome(True, transition=Transition()),
        }

    def begin(self) -> tuple[RunState, list[Command]]:
        """A new run and its first commands."""
        plans = {name: StepPlan(name) for name in GRAPH.nodes}
        state = RunState(GRAPH, plans, self.limits)
        return state, state.handle(RunStarted(0.0))

    def ends(self, commands: list[Command]) -> list[AttemptFinished]:
        """What was started, as ended."""
        return [
            AttemptFinished(0.0, start.job, self.outcomes[command.step])
            for command in commands
            if isinstance(command, StartAttempts)
            for start in command.starts
        ]

    def run_in_batches(self) -> int:
        """Hand over all that ended at once; the number of events."""
        state, commands = self.begin()
        count = 0
        while not isinstance(commands[-1], Finish):
            events = self.ends(commands)
            count += len(events)
            commands = state.handle_all(events)
        return count

    def run_one_by_one(self) -> int:
        """Hand over each end by itself; the number of events."""
        state, commands = self.begin()
        running = self.ends(commands)
        count = 0
        while running:
            commands = state.handle(running.pop())
            count += 1
            running += self.ends(commands)
        return count

    def bytes_held(self) -> int:
        """Bytes the state holds when the foreach is open and no child has ended."""
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        state, commands = self.begin()
        commands = state.handle_all(self.ends(commands))
        del commands
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        return held

    def peak_bytes(self) -> int:
        """The most bytes that the state and its commands held at once in a whole run."""
        gc.collect()
        tracemalloc.start()
        self.run_in_batches()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak


def main() -> None:
    """Print the four numbers."""
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    simulation = Simulation(tasks, workers)
    for name, run in [
        ("in batches", simulation.run_in_batches),
        ("one by one", simulation.run_one_by_one),
    ]:
        began = time.process_time()
        count = run()
        print(f"{name}: {count / (time.process_time() - began):,.0f} events a second")
    held = simulation.bytes_held()
    print(f"held: {held / tasks:.1f} bytes per unfinished task ({tasks:,} tasks)")
    print(f"peak of a run: {simulation.peak_bytes() / tasks:.1f} bytes per task")


if __name__ == "__main__":
    main()
