"""Graphs made of nested blocks, and a driver that plays the tasks; for scheduler tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from swell.compute.packing import Machine
from swell.model.cause import Cause
from swell.model.graph import Graph, Node, NodeType
from swell.model.ids import JobId
from swell.model.job import StepPlan
from swell.model.record import Items, Outcome, Split, Transition
from swell.scheduler.events import (
    AdoptTasks,
    AttemptFinished,
    CancelAttempts,
    Command,
    Finish,
    OriginTask,
    RunStarted,
    Start,
    StartAttempts,
    TaskKey,
    Tick,
    Used,
    WakeAt,
)
from swell.scheduler.known import NOTHING_KNOWN, Known, OpenTask
from swell.scheduler.state import UNBOUNDED, Limits, RunState


@dataclass(frozen=True)
class Step:
    """An ordinary step."""


@dataclass(frozen=True)
class Loop:
    """A switch that goes to itself for ``rounds`` rounds, then on."""

    rounds: int


@dataclass(frozen=True)
class Each:
    """A foreach of ``num`` around ``body``, with its join; ``gang`` takes one step. It may allow
    ``max_failures``, and let the items at ``canaries`` go first."""

    num: int
    body: tuple[Block, ...] = (Step(),)
    gang: bool = False
    max_failures: str | None = None
    canaries: tuple[int, ...] = ()


@dataclass(frozen=True)
class Branch:
    """A static split into ``bodies``, with its join."""

    bodies: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True)
class Switch:
    """A choice between ``bodies``, which meet in an ordinary step."""

    bodies: tuple[tuple[Block, ...], ...]
    chosen: int = 0


Block = Step | Loop | Each | Branch | Switch


@dataclass
class Shape:
    """A graph, and what its steps do: foreach sizes, choices of switches, rounds of loops."""

    graph: Graph
    sizes: dict[str, int] = field(default_factory=dict)
    canaries: dict[str, tuple[int, ...]] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)
    loops: dict[str, tuple[int, str]] = field(default_factory=dict)

    def transition(self, start: Start) -> Transition:
        """Where an attempt goes when it ends ok."""
        node = self.graph.nodes[start.step]
        if start.step in self.sizes:
            num, first = self.sizes[start.step], self.canaries.get(start.step, ())
            split = Split("xs", num, Items(range=(0, 1)), node.num_parallel, first)
            return Transition(node.targets, split)
        if start.step in self.loops:
            rounds, exit_step = self.loops[start.step]
            again = start.rounds[0] + 1 < rounds
            return Transition((start.step if again else exit_step,))
        if start.step in self.choices:
            return Transition((self.choices[start.step],))
        return Transition(node.targets)


class _Builder:
    def __init__(self) -> None:
        self.nodes: dict[str, dict] = {}
        self.shape = Shape(Graph("F", {}, "start", "end"))

    def node(self, name: str, type: NodeType, targets: Iterable[str], **more: object) -> str:
        self.nodes[name] = {"name": name, "type": type, "targets": tuple(targets), **more}
        return name

    def chain(self, blocks: Iterable[Block], name: str, after: str) -> str:
        """Steps for ``blocks``, the last of which goes to ``after``; the first one's name."""
        following = after
        for number, block in reversed(list(enumerate(blocks))):
            following = self.block(block, f"{name}{number}", following)
        return following

    def block(self, block: Block, name: str, after: str) -> str:
        if isinstance(block, Step):
            return self.node(name, NodeType.LINEAR, [after])
        if isinstance(block, Loop):
            self.shape.loops[name] = (block.rounds, after)
            return self.node(name, NodeType.SWITCH, [name, after], condition="c")
        if isinstance(block, Switch):
            # A switch may not lead directly into a join: its branches meet in a step.
            meet = self.node(f"{name}_meet", NodeType.LINEAR, [after])
            targets = [
                self.chain(body or (Step(),), f"{name}_{letter}", meet)
                for letter, body in zip("abc", block.bodies, strict=False)
            ]
            self.shape.choices[name] = targets[block.chosen % len(targets)]
            return self.node(name, NodeType.SWITCH, targets, condition="c")
        join = self.node(f"{name}_join", NodeType.JOIN, [after], is_join=True)
        if isinstance(block, Branch):
            targets = [
                self.chain(body or (Step(),), f"{name}_{letter}", join)
                for letter, body in zip("abc", block.bodies, strict=False)
            ]
            return self.node(name, NodeType.SPLIT, targets, matching_join=join)
        self.shape.sizes[name] = block.num
        self.shape.canaries[name] = block.canaries
        if block.gang:
            inner = self.node(f"{name}_each", NodeType.LINEAR, [join], is_parallel_step=True)
        else:
            inner = self.chain(block.body or (Step(),), f"{name}_", join)
        return self.node(
            name,
            NodeType.FOREACH,
            [inner],
            matching_join=join,
            num_parallel=block.gang,
            allow_empty=True,
            foreach_var="xs",
            max_failures=block.max_failures,
        )


def shape_of(*blocks: Block) -> Shape:
    """start → blocks → end."""
    builder = _Builder()
    builder.node("end", NodeType.END, [])
    first = builder.chain(blocks, "s", "end")
    builder.node("start", NodeType.START, [first])
    nodes = {name: Node(**fields) for name, fields in builder.nodes.items()}
    graph = Graph("F", nodes, "start", "end", order=_order(nodes))
    builder.shape.graph = graph
    return builder.shape


def single_step() -> Shape:
    """One step that is both the first and the last."""
    node = Node("start", NodeType.END)
    return Shape(Graph("F", {"start": node}, "start", "start", order=("start",)))


def _order(nodes: Mapping[str, Node]) -> tuple[str, ...]:
    incoming = dict.fromkeys(nodes, 0)
    for node in nodes.values():
        for target in node.targets:
            incoming[target] += target != node.name
    ready = deque(name for name, count in incoming.items() if count == 0)
    order = []
    while ready:
        name = ready.popleft()
        order.append(name)
        for target in nodes[name].targets:
            if target != name:
                incoming[target] -= 1
                if incoming[target] == 0:
                    ready.append(target)
    return tuple(order)


OK = Outcome(True)
CANCELLED = Outcome(False, Cause.CANCELLED, "ended on request", retryable=False)
BROKEN = Outcome(False, Cause.USER_ERROR, "it raised")
KILLED = Outcome(False, Cause.SIGNAL, "killed")

Decide = Callable[[Start], Outcome]


def always_ok(start: Start) -> Outcome:
    """Every attempt ends well."""
    return OK


class Driver:
    """Stands in for the loop: performs commands in memory and plays the attempts.

    Checks on the way what must hold always. ``pick`` chooses which running attempt ends
    next; ``now`` is moved by WakeAt only.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        limits: Limits | None = None,
        plans: Mapping[str, StepPlan] | None = None,
        origin: Mapping[TaskKey, OriginTask] | None = None,
        decide: Decide = always_ok,
        pick: Callable[[int], int] = lambda count: 0,
        known: Known = NOTHING_KNOWN,
        goes_on_from: Driver | None = None,
        machine: Machine = UNBOUNDED,
    ) -> None:
        self.shape = shape
        self.limits = limits or Limits(max_workers=4, max_num_splits=1_000)
        self.state = RunState(shape.graph, plans or {}, self.limits, origin or {}, known, machine)
        self.before = goes_on_from.tasks if goes_on_from is not None else {}
        self.decide = decide
        self.pick = pick
        self.now = 1_000.0
        self.wake_at: float | None = None
        self.running: dict[str, Start] = {}
        self.cancelled: set[JobId] = set()
        self.tasks: dict[str, Start] = {}
        self.adopted: dict[str, str] = {}
        self.done: dict[str, Outcome] = {}
        self.commands: list[Command] = []
        self.finish: Finish | None = None
        self.failed = False
        self.shares = False

    # --- performing --------------------------------------------------------

    def handle(self, event: object) -> list[Command]:
        """Give the state one event and perform what it answers."""
        return self.perform(self.state.handle(event))

    def perform(self, commands: list[Command]) -> list[Command]:
        for command in commands:
            self.commands.append(command)
            assert self.finish is None, "nothing comes after Finish"
            if isinstance(command, StartAttempts):
                self._start(command)
            elif isinstance(command, AdoptTasks):
                for adopted in command.adopted:
                    self._check_new(adopted.start)
                    self.adopted[adopted.start.job.task] = adopted.origin
                    if self.before:
                        assert adopted.origin == adopted.start.job.task, "ids stay as they were"
                    self.done[adopted.start.job.task] = OK
            elif isinstance(command, CancelAttempts):
                self.cancelled.update(command.jobs)
            elif isinstance(command, WakeAt):
                self.wake_at = command.at
            elif isinstance(command, Finish):
                assert not self.running, "Finish comes when nothing runs"
                self.finish = command
        self._check_counts()
        return commands

    def _start(self, command: StartAttempts) -> None:
        for start in command.starts:
            assert start.step == command.step
            task = start.job.task
            assert task not in self.running, "one attempt of a task at a time"
            assert task not in self.done, "a task that ended ok never runs again"
            if start.is_new:
                self._check_new(start)
            else:
                first = self.tasks.setdefault(task, self.before.get(task, start))
                assert (start.parents, start.splits) == (first.parents, first.splits)
            self.running[task] = start
        gang = command.starts[0].node
        alone = gang is not None and len(self.running) == gang[1]
        self.shares = self.shares or command.pack_s is not None
        assert len(self.running) <= self.limits.max_workers or alone or self.shares

    def _check_new(self, start: Start) -> None:
        task = start.job.task
        assert task not in self.tasks, "a task is created once"
        assert start.job.attempt == 0
        assert all(parent in self.done for parent in start.parents), "parents ended ok before"
        self.tasks[task] = start

    def _check_counts(self) -> None:
        counts = self.state.counts()
        assert all(min(_as_tuple(count)) >= 0 for count in counts.values())
        assert self.state.in_flight == len(self.running)
        # Of tasks that share a process all but one count as waiting.
        slots = sum(count.running + self.shares * count.waiting for count in counts.values())
        assert slots >= len(self.running)
        assert sum(count.adopted for count in counts.values()) == len(self.adopted)

    # --- playing -----------------------------------------------------------

    def begin(self) -> Driver:
        """The run starts."""
        self.handle(RunStarted(self.now))
        return self

    def end(
        self,
        task: str,
        outcome: Outcome | None = None,
        *,
        uncounted: bool = False,
        used: Used | None = None,
    ) -> None:
        """The running attempt of ``task`` ends, having ``used`` of its machine."""
        self.handle(self.ended_event(task, outcome, uncounted=uncounted, used=used))

    def ended_event(
        self,
        task: str,
        outcome: Outcome | None = None,
        *,
        uncounted: bool = False,
        used: Used | None = None,
    ) -> AttemptFinished:
        """The event of that end, for batches; the attempt no longer runs."""
        start = self.running.pop(task)
        if outcome is None:
            outcome = CANCELLED if start.job in self.cancelled else self.decide(start)
        if outcome.ok and outcome.transition is None:
            outcome = Outcome(True, transition=self.shape.transition(start), caught=outcome.caught)
        if outcome.ok and start.node is None:
            self.done[task] = outcome
        elif outcome.ok:
            self._gang_member_done(start, outcome)
        return AttemptFinished(self.now, start.job, outcome, uncounted, used)

    def _gang_member_done(self, start: Start, outcome: Outcome) -> None:
        """A gang is done when all its members are, in one attempt."""
        assert start.node is not None
        ended = self.__dict__.setdefault("_gang_ends", {})
        members = ended.setdefault((start.node[2], start.job.attempt), {})
        members[start.job.task] = outcome
        if len(members) == start.node[1]:
            self.done.update(members)

    def tick(self) -> None:
        """Let the time come that the state asked to be woken at."""
        assert self.wake_at is not None
        self.now, self.wake_at = max(self.now, self.wake_at), None
        self.handle(Tick(self.now))

    def go_on(self) -> bool:
        """End one running attempt, or let time pass; False when the run is over."""
        if self.finish is not None:
            return False
        if self.running:
            names = list(self.running)
            self.end(names[self.pick(len(names)) % len(names)])
        else:
            self.tick()
        return True

    def run(self) -> Driver:
        """From the start to the finish."""
        self.begin()
        while self.go_on():
            pass
        return self

    # --- looking -----------------------------------------------------------

    def steps_started(self) -> list[str]:
        """The step of each task, in order of creation."""
        return [start.step for start in self.tasks.values()]

    def of_step(self, step: str) -> list[Start]:
        """First starts of a step's tasks, in order of creation."""
        return [start for start in self.tasks.values() if start.step == step]

    def commands_of(self, kind: type) -> list:
        """All commands of one kind."""
        return [command for command in self.commands if isinstance(command, kind)]

    def key(self, task: str) -> TaskKey:
        """A task's place in the flow."""
        start = self.tasks[task]
        return TaskKey(start.step, tuple(index for _, index in start.splits), start.rounds)

    def known(self, *, keeps_running: bool) -> Known:
        """What a driver that takes this run over knows of it; with or without attempts that
        went on meanwhile."""
        open_tasks = {
            self.key(task): OpenTask(task, start.job.attempt + (not keeps_running))
            for task, start in self.tasks.items()
            if task not in self.done
        }
        return Known(self.origin(), open_tasks)

    def origin(self) -> dict[TaskKey, OriginTask]:
        """What a later run may adopt of this one."""
        return {
            self.key(task): OriginTask(task, self.shape.transition(self.tasks[task]))
            for task in self.done
        }


def _as_tuple(counts: object) -> tuple[int, ...]:
    values = (getattr(counts, name) for name in counts.__struct_fields__)
    return tuple(value for value in values if isinstance(value, int))
