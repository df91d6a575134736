"""Work that may start, per step: the deepest step first, then the oldest task.

Steps of parallel branches are as deep as each other: of them the one goes first whose tasks
that wait ask for the most. So all end at about the same time, and small ones fill the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping

import msgspec

from swell.model.graph import Graph, Node, NodeType
from swell.model.job import StepPlan
from swell.model.record import Transition
from swell.scheduler.events import TaskKey
from swell.scheduler.scopes import Scope


class StepCounts(msgspec.Struct):
    """How many tasks of one step are where.

    ``waiting``: ready, or between two attempts. Members of a gang run until all have
    ended. ``cancelled``: ended, or given up before a retry, because the run ends.
    ``waits_for`` is what keeps those that wait: 'memory', 'cpu', 'gpu', a limit's name, 'room'
    on this machine; '' where nothing but their turn does.
    """

    waiting: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    adopted: int = 0
    cancelled: int = 0
    waits_for: str = ""

    @property
    def total(self) -> int:
        """All tasks that came into being."""
        ended = self.done + self.failed + self.adopted + self.cancelled
        return self.waiting + self.running + ended


class Block:
    """Tasks of one step that were opened together: indices ``index`` to ``end`` of a scope.

    The id of the task at index i is ``offset`` + i, so a foreach of a million is one
    Block. ``parents`` are the ids they read, or the scope whose join this is. ``rounds`` is
    (k,) in round k of a step that may go to itself, else (). A gang is always taken whole.
    """

    __slots__ = ("end", "index", "is_gang", "offset", "parents", "rounds", "scope", "step")

    def __init__(
        self,
        step: StepState,
        scope: Scope,
        offset: int,
        index: int,
        end: int,
        parents: tuple[str, ...] | Scope,
    ) -> None:
        self.step = step
        self.scope = scope
        self.offset = offset
        self.index = index
        self.end = end
        self.parents = parents
        self.rounds: tuple[int, ...] = (0,) if step.is_recursive else ()
        self.is_gang = False

    def part(self, index: int, end: int) -> Block:
        """The same for a part of the indices."""
        part = Block(self.step, self.scope, self.offset, index, end, self.parents)
        part.rounds = self.rounds
        return part

    def key(self, index: int) -> TaskKey:
        """The place of the task at ``index``."""
        return TaskKey(self.step.name, self.scope.indices_at(index), self.rounds)

    def parent_names(self) -> tuple[str, ...]:
        """Ids of the tasks that are read."""
        parents = self.parents
        return parents.arrived_names() if isinstance(parents, Scope) else parents


class StepState:
    """A step with its plan, its place in the order, its ready work and its counts.

    ``level`` is how many steps lie before it; ``always`` is where a step goes that has no choice:
    neither split nor switch.
    """

    __slots__ = (
        "always",
        "blocks",
        "counts",
        "depth",
        "is_join",
        "is_recursive",
        "level",
        "name",
        "node",
        "plan",
    )

    def __init__(self, node: Node, plan: StepPlan, depth: int, level: int) -> None:
        self.name = node.name
        self.node = node
        self.plan = plan
        self.depth = depth
        self.level = level
        self.is_join = node.is_join
        self.is_recursive = node.type is NodeType.SWITCH and node.name in node.targets
        has_choice = node.type in (NodeType.SWITCH, NodeType.FOREACH) or not node.targets
        self.always = None if has_choice else Transition(node.targets)
        self.blocks: deque[Block] = deque()
        self.counts = StepCounts()


class ReadyWork:
    """The ready Blocks of all steps.

    Finishing what was begun lets joins come early, so that few scopes are open at once.
    """

    def __init__(self, graph: Graph, plans: Mapping[str, StepPlan]) -> None:
        levels = _levels(graph)
        self._by_depth = [
            StepState(graph.nodes[name], plans.get(name) or StepPlan(name), depth, levels[name])
            for depth, name in enumerate(sorted(levels, key=levels.__getitem__))
        ]
        self.steps = {step.name: step for step in self._by_depth}
        # Bit k is set while step k has a Block: the deepest is found in one operation.
        self._mask = 0
        beside: dict[int, int] = {}
        for step in self._by_depth:
            beside[step.level] = beside.get(step.level, 0) | 1 << step.depth
        self._beside = [beside[step.level] for step in self._by_depth]

    def __bool__(self) -> bool:
        return self._mask != 0

    def push(self, block: Block) -> None:
        """Add ``block`` behind what its step has."""
        block.step.blocks.append(block)
        self._mask |= 1 << block.step.depth

    def in_order(self, demand: Callable[[StepState], float]) -> Iterator[StepState]:
        """Steps that have a Block, the deepest first, of those as deep as each other the one with
        the largest ``demand``; while one is looked at, it may lose its Blocks."""
        mask = self._mask
        while mask:
            depth = mask.bit_length() - 1
            mask ^= 1 << depth
            beside = mask & self._beside[depth]
            if not beside:
                yield self._by_depth[depth]
                continue
            mask ^= beside
            steps = [self._by_depth[depth]]
            while beside:
                depth = beside.bit_length() - 1
                beside ^= 1 << depth
                steps.append(self._by_depth[depth])
            steps.sort(key=demand, reverse=True)  # equal ones stay as they are
            yield from steps

    def drop_first(self, step: StepState) -> None:
        """Remove the first Block of ``step``."""
        step.blocks.popleft()
        if not step.blocks:
            self._mask ^= 1 << step.depth

    def clear(self) -> None:
        """Forget all of it."""
        for step in self._by_depth:
            step.blocks.clear()
        self._mask = 0


def _levels(graph: Graph) -> dict[str, int]:
    """How many steps lie before each on the longest way to it, in the order of the graph; a
    step that may go to itself is passed once."""
    names = graph.order or tuple(graph.nodes)
    levels = dict.fromkeys(names, 0)
    for name in names:
        for target in graph.nodes[name].targets:
            if target != name:
                levels[target] = max(levels[target], levels[name] + 1)
    return levels
