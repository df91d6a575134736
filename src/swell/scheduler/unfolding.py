"""How a flow unfolds into tasks: what follows a task, what a join waits for, what is adopted."""

from __future__ import annotations

from collections.abc import Mapping

from swell.errors import InternalError
from swell.model.graph import Graph
from swell.model.job import FailedInput, StepPlan
from swell.model.record import Transition
from swell.scheduler.adoption import Adoption
from swell.scheduler.events import OriginTask, SplitOpened, TaskKey
from swell.scheduler.guard import Guard, guard_of, judge
from swell.scheduler.known import NOTHING_KNOWN, Ids, Known
from swell.scheduler.ready import Block, ReadyWork, StepState
from swell.scheduler.scopes import Scope, gang_member_name

ADOPTED_AT_ONCE = 10_000
"""More is taken over in further portions, so that the commands of one call stay bounded."""


class Unfolding:
    """The tasks that came into being, as ready Blocks and open scopes.

    ``ready`` and ``steps`` are for the state; ``opened`` collects splits to tell of;
    ``refused`` says why the run cannot go on after canaries failed, '' while it can.
    """

    def __init__(
        self,
        graph: Graph,
        plans: Mapping[str, StepPlan],
        origin: Mapping[TaskKey, OriginTask],
        known: Known = NOTHING_KNOWN,
    ) -> None:
        self.ready = ReadyWork(graph, plans)
        self.steps = self.ready.steps
        self.adoption = Adoption(origin, known.failed)
        self.opened: list[SplitOpened] = []
        self.reached_end = False
        self.refused = ""
        self._start = graph.start
        self._end = graph.end
        self._ids = Ids(known)

    def begin(self) -> None:
        """The start step's task, in the root scope."""
        step, scope = self.steps[self._start], Scope(None, 0)
        block = Block(step, scope, self._id_at(step, scope, 0), 0, 1, ())
        self._place(block, ran=False)

    def stop(self) -> None:
        """Forget what has not begun; ``follow`` must not be called any more."""
        self.ready.clear()
        self.adoption.clear()

    def lose(self, scope: Scope, index: int, *, ran: bool = True) -> None:
        """The task at ``index`` of ``scope`` never reaches its join; neither do those after the
        join, unless the foreach tolerates it: then the join comes without it."""
        while True:
            guard = scope.guard
            scope.was_lost = scope.was_lost or guard is None or not guard.tolerates(index)
            scope.lose(ran=ran)
            if guard is not None and index in guard.pending:
                self._canary_ended(scope, guard, index, passed=False)
            if scope.missing:
                return
            if not scope.was_lost and guard is not None:
                self._place_join(self.steps[guard.join], scope)
                return
            if scope.parent is None:
                return
            scope, index = scope.parent, scope.index

    def _canary_ended(self, scope: Scope, guard: Guard, index: int, *, passed: bool) -> None:
        """After the last canary: start the others, or give up the foreach."""
        guard.pending.discard(index)
        guard.failed_canaries += not passed
        if guard.pending:
            return
        held = guard.held
        if guard.failed_canaries:
            scope.was_lost = True
            scope.missing -= guard.num_held
            for block in held:
                block.step.counts.waiting -= block.end - block.index
            if guard.canary_failure is not None:
                verdict = judge(scope.parent, scope.index, guard.canary_failure)
                if verdict.ends_run:
                    self.refused = verdict.why or guard.canary_words()
        else:
            for block in held:
                self._offer(block, ran=guard.ran)
        guard.held = []

    def follow(
        self, block: Block, index: int, transition: Transition | None, *, ran: bool = True
    ) -> None:
        """Open what comes after the task at ``index`` of ``block``."""
        if block.step.name == self._end:
            self.reached_end = True
        elif transition is None:
            raise InternalError(f"Step '{block.step.name}' says not where it goes.")
        elif transition.split is not None:
            self._open_split(block, index, transition, ran=ran)
        elif len(transition.targets) == 1:
            target = self.steps[transition.targets[0]]
            if not target.is_join:
                self._go(block, index, target, block.scope, index, ran)
            elif block.scope.arrive(index, block.offset + index, ran):
                self._arrived(target, block.scope, index)
        else:
            scope = Scope(
                block.scope,
                index,
                split=_name(block, index),
                num=len(transition.targets),
                outer=block.scope.splits_at(index),
            )
            for branch, name in enumerate(transition.targets):
                self._go(block, index, self.steps[name], scope, branch, ran)

    def _go(
        self, block: Block, index: int, step: StepState, scope: Scope, place: int, ran: bool
    ) -> None:
        """One edge of the graph: to a join of ``scope``, or on to a task in it."""
        if step.is_join:
            if scope.arrive(place, block.offset + index, ran):
                self._arrived(step, scope, place)
            return
        parents = (_name(block, index),)
        following = Block(step, scope, 0, place, place + 1, parents)
        if step is block.step:
            following.rounds = (block.rounds[0] + 1,)
        following.offset = self._id_at(step, scope, place, following.rounds) - place
        self._place(following, ran=ran)

    def _arrived(self, join: StepState, scope: Scope, index: int) -> None:
        """The task at ``index`` of ``scope`` reached ``join``, and something may follow."""
        parent = scope.parent
        if parent is None:
            raise InternalError(f"Step '{join.name}' joins, but no split is open there.")
        guard = scope.guard
        if guard is not None and index in guard.pending:
            self._canary_ended(scope, guard, index, passed=True)
        if scope.missing:
            return
        if scope.was_lost:
            self.lose(parent, scope.index)
            return
        self._place_join(join, scope)

    def _place_join(self, join: StepState, scope: Scope) -> None:
        """All that will come has come."""
        parent, at = scope.parent, scope.index
        assert parent is not None
        block = Block(join, parent, self._id_at(join, parent, at) - at, at, at + 1, scope)
        self._place(block, ran=scope.ran)

    def _open_split(self, block: Block, index: int, transition: Transition, *, ran: bool) -> None:
        split = transition.split
        assert split is not None
        scope, task = block.scope, _name(block, index)
        if split.num == 0:
            join = self.steps[block.step.node.matching_join or ""]
            first = self._id_at(join, scope, index)
            self._place(Block(join, scope, first - index, index, index + 1, ()), ran=ran)
            return
        inner = Scope(
            scope,
            index,
            split=task,
            num=split.num,
            outer=scope.splits_at(index),
            is_static=False,
        )
        inner.is_gang = split.is_gang
        step = self.steps[transition.targets[0]]
        inner.first = self._ids.take_split(step.name, scope.indices_at(index), split.num)
        children = Block(step, inner, inner.first, 0, split.num, (task,))
        children.is_gang = split.is_gang
        if ran:
            self.opened.append(SplitOpened(task, step.name, split.num, split.canaries))
        guard = inner.guard = guard_of(block.step.node, step.name, split)
        if guard is None:
            self._place(children, ran=ran)
            return
        guard.ran = ran
        for part in guard.first_and_held(children):
            self._place(part, ran=ran)
        step.counts.waiting += guard.num_held

    def _id_at(
        self, step: StepState, scope: Scope, place: int, rounds: tuple[int, ...] | None = None
    ) -> int:
        """The id of the task of ``step`` at ``place`` in ``scope``."""
        if not self._ids.is_needed:
            return self._ids.take(None)
        first_round = (0,) if step.is_recursive else ()
        key = TaskKey(step.name, scope.indices_at(place), first_round if rounds is None else rounds)
        return self._ids.take(key)

    def _place(self, block: Block, *, ran: bool) -> None:
        """Make ``block`` ready, or look for it in the origin first."""
        block.step.counts.waiting += block.end - block.index
        self._offer(block, ran=ran)

    def _offer(self, block: Block, *, ran: bool) -> None:
        if ran or not self.adoption.knows(block.step.name):
            self.ready.push(block)
        else:
            self.adoption.search(block)

    def adopt_some(self) -> None:
        """Take over what the origin has, and what follows from it, in bounded portions."""
        for _ in range(ADOPTED_AT_ONCE):
            if not self.adoption.is_searching:
                return
            for found in self.adoption.next_found(self.ready):
                counts = found.block.step.counts
                counts.waiting -= 1
                if found.failed is not None:
                    counts.failed += 1
                    self._lose_known(found.block.scope, found.index, found.failed)
                    continue
                counts.adopted += 1
                self.follow(found.block, found.index, found.transition, ran=False)

    def _lose_known(self, scope: Scope, index: int, failed: FailedInput) -> None:
        verdict = judge(scope, index, failed)
        if verdict.ends_run:
            self.refused = self.refused or verdict.why or f"Task {failed.task} failed."
        self.lose(scope, index, ran=False)


def _name(block: Block, index: int) -> str:
    """The id of the task at ``index``, as it is stored."""
    if block.is_gang:
        return gang_member_name(block.offset, index)
    return str(block.offset + index)
