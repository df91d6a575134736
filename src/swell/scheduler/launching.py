"""From a Start to a Launch: gives each task the Records, frames and limits it needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from swell.model.facts import AttemptEnded, AttemptStarted, Fact, TaskCreated
from swell.model.graph import Graph, NodeType
from swell.model.ids import JobId, RunId
from swell.model.job import Frame, Gang, Inputs, Launch, Member, Opened, Pack, StepPlan
from swell.model.record import Outcome, Transition
from swell.scheduler.book import RecordBook
from swell.scheduler.events import AdoptTasks, Start, StartAttempts
from swell.scheduler.retry import may_grow
from swell.scheduler.stack_text import ItemText, foreach_stack_text, number_text
from swell.scheduler.writer import Entry

PACK_FROM_BYTES = 256 << 10
"""Records of a join together from which they go into one file instead of the Launch."""


class Place(NamedTuple):
    """Where a task is: its step, and the id of the task that opened the foreach around it."""

    step: str
    innermost_split: str | None


class OriginEnd(NamedTuple):
    """How a task of the origin run ended, and its encoded Record."""

    outcome: Outcome
    record: bytes


OriginReader = Callable[[Sequence[str]], list[OriginEnd]]
"""Task ids of the origin run → how they ended, in that order."""

PackRecords = Callable[[str, Sequence[bytes]], str]
"""(name, encoded Records) → path of a file that holds them."""


class Launching:
    """Belongs to the deciding thread. ``read_origin`` is there when a run is resumed.
    ``item_text`` tells foreach items in the facts on tasks. With ``takes_over`` what is
    adopted are tasks of this very run, whose facts are stored already."""

    def __init__(
        self,
        run: RunId,
        graph: Graph,
        plans: Mapping[str, StepPlan],
        book: RecordBook,
        pack: PackRecords,
        read_origin: OriginReader | None = None,
        item_text: ItemText = number_text,
        *,
        takes_over: bool = False,
    ) -> None:
        self._run = run
        self._graph = graph
        self._plans = plans
        self._book = book
        self._pack = pack
        self._read_origin = read_origin
        self._item_text = item_text
        self._takes_over = takes_over
        self._opened: dict[str, Opened] = {}
        self._places: dict[str, Place] = {}
        self._place_of_block: dict[Place, Place] = {}
        self._splits_of_join = {
            node.matching_join: name
            for name, node in graph.nodes.items()
            if node.matching_join and node.type is NodeType.FOREACH
        }

    def plan(self, step: str) -> StepPlan:
        """The plan of ``step``."""
        return self._plans[step]

    def committed(self, tasks: Collection[str]) -> None:
        """What ``tasks`` left can be read from the store from now on."""
        self._book.committed(tasks)

    def ended(self, start: Start, record: bytes, transition: Transition | None) -> None:
        """A task ended ok: keep what those behind it will read."""
        task = start.job.task
        self._book.put(task, record)
        split = transition.split if transition is not None else None
        if split is not None:
            self._opened[task] = Opened(start.step, split.var, split.num, split.items)

    def launch(
        self, command: StartAttempts, now: float
    ) -> tuple[list[Launch], tuple[TaskCreated, ...]]:
        """The Launches of ``command``, and the facts on tasks that are new."""
        plan = self._plans[command.step]
        inputs_of: dict[tuple[tuple[str, ...], str], Inputs] = {}
        launches = []
        facts = []
        for start in command.starts:
            read = _read_by(start)
            inputs = inputs_of.get(read)
            if inputs is None:
                inputs = inputs_of[read] = self._inputs(start)
            stack = self._stack(start)
            launches.append(_launch(plan, start, inputs, stack))
            if start.is_new:
                facts.append(self._created(start, stack, now))
            else:
                self._note_place(start)
        return launches, tuple(facts)

    def pack(
        self, command: StartAttempts, now: float, seconds: float
    ) -> tuple[Pack, tuple[TaskCreated, ...]]:
        """The same for attempts that are to share a process for ``seconds``, and that differ in
        nothing but what they read and their place."""
        places: dict[tuple[tuple[str, ...], str], int] = {}
        inputs: list[Inputs] = []
        members = []
        facts = []
        for start in command.starts:
            read = _read_by(start)
            place = places.get(read)
            if place is None:
                place = places[read] = len(inputs)
                inputs.append(self._inputs(start))
            stack = self._stack(start)
            members.append(Member(start.job, stack, start.rounds, place))
            if start.is_new:
                facts.append(self._created(start, stack, now))
            else:
                self._note_place(start)
        plan = self._plans[command.step]
        common = _launch(plan, command.starts[0], Inputs(), ())
        spares = plan.uncounted_attempts > 0
        return Pack(common, tuple(inputs), tuple(members), seconds, spares), tuple(facts)

    def adopt(self, command: AdoptTasks, now: float) -> tuple[Entry, tuple[tuple[str, str], ...]]:
        """Facts on tasks taken over from the origin, and their (new id, old id); neither where
        they are this run's own."""
        assert self._read_origin is not None, "tasks were adopted in a run that resumes nothing"
        origins = [one.origin for one in command.adopted]
        ends = self._read_origin(origins)
        facts: list[Fact] = []
        tasks = []
        for one, end in zip(command.adopted, ends, strict=True):
            start = one.start
            job = JobId(start.job.task, 0)
            self.ended(start, end.record, end.outcome.transition)
            tasks.append(start.job.task)
            if self._takes_over:
                self._note_place(start)
                continue
            facts.append(
                self._created(start, self._stack(start), now, f"{start.step}/{one.origin}")
            )
            facts.append(AttemptStarted(self._run, job, now))
            facts.append(AttemptEnded(self._run, job, now, end.outcome, end.record))
        if self._takes_over:
            return Entry((), tasks=tuple(tasks)), ()
        pairs = tuple((one.start.job.task, one.origin) for one in command.adopted)
        return Entry(tuple(facts), tasks=tuple(tasks)), pairs

    # --- the parts of a Launch ------------------------------------------------

    def _inputs(self, start: Start) -> Inputs:
        node = self._graph.nodes[start.step]
        records = (
            self._book.get(start.parents) if start.fallback is None or not node.is_join else []
        )
        names = tuple(self._names_of(start.parents))
        opened = self._closed_foreach(start) if node.is_join else None
        missed = start.missed
        indices = missed.indices if missed is not None else ()
        failed = missed.failed if missed is not None else ()
        if sum(map(len, records)) > PACK_FROM_BYTES and len(records) > 1:
            path = self._pack(f"{start.step}-{start.job.task}", records)
            return Inputs(names, (), path, opened, indices, failed)
        return Inputs(names, tuple(records), None, opened, indices, failed)

    def _closed_foreach(self, start: Start) -> Opened | None:
        """The foreach that a join closes: the innermost one around its parents."""
        if start.missed is not None:
            return self._opened[start.missed.split]
        if start.step not in self._splits_of_join or not start.parents:
            return None
        innermost = self._places[start.parents[0]].innermost_split
        return self._opened[innermost] if innermost is not None else None

    def _names_of(self, tasks: Sequence[str]) -> Iterator[str]:
        return (f"{self._places[task].step}/{task}" for task in tasks)

    def _note_place(self, start: Start) -> None:
        place = Place(start.step, start.splits[-1][0] if start.splits else None)
        self._places[start.job.task] = self._place_of_block.setdefault(place, place)

    def _stack(self, start: Start) -> tuple[Frame, ...]:
        return tuple(self._opened[task].frame(index) for task, index in start.splits)

    def _created(
        self, start: Start, stack: tuple[Frame, ...], now: float, origin: str | None = None
    ) -> TaskCreated:
        task = start.job.task
        self._note_place(start)
        node = start.node
        return TaskCreated(
            run=self._run,
            step=start.step,
            task=task,
            created_at=now,
            parents=tuple(self._names_of(start.parents)),
            indices=tuple(frame.index for frame in stack),
            rounds=start.rounds,
            stack_text=foreach_stack_text(stack, self._item_text),
            path_text=",".join(f"{frame.step}:{frame.index}" for frame in stack),
            origin_task=origin,
            gang_size=node[1] if node is not None else None,
            gang_control=node is not None and node[0] == 0,
        )


def _read_by(start: Start) -> tuple[tuple[str, ...], str]:
    """What tells whether two starts read the same."""
    return start.parents, start.missed.split if start.missed is not None else ""


def _launch(plan: StepPlan, start: Start, inputs: Inputs, stack: tuple[Frame, ...]) -> Launch:
    grown = start.memory_mb
    wish = plan.resources
    resources = wish if grown is None else replace(wish, memory_mb=grown)
    return Launch(
        job=start.job,
        step=start.step,
        attempts=plan.attempts + start.not_counted,
        inputs=inputs,
        stack=stack,
        rounds=start.rounds,
        gang=Gang(*start.node) if start.node is not None else None,
        fallback=start.fallback,
        timeout_s=plan.timeout_s,
        fresh_because=plan.fresh_because,
        resources=resources,
        threads=plan.threads,
        retry_on=plan.retry_on,
        may_grow=may_grow(plan, resources.memory_mb),
        devices=start.devices,
    )
