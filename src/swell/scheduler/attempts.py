"""Tasks and gangs between their first start and their end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from swell.compute.packing import Holding
from swell.model.cause import Cause
from swell.model.ids import JobId
from swell.model.job import Fallback
from swell.model.record import Transition
from swell.model.resources import Resources
from swell.scheduler.events import AttemptFinished, Missed, Start
from swell.scheduler.guard import in_order
from swell.scheduler.known import OpenTask
from swell.scheduler.leases import Lease
from swell.scheduler.ready import Block
from swell.scheduler.retry import NextAttempt, Tries
from swell.scheduler.scopes import Scope, gang_member_name

_NO_TRIES = Tries()


class Work(msgspec.Struct, eq=False):
    """One task that was started, or a whole gang (then ``gang`` is set and ``name`` is
    the control task's); ``attempt`` is the running one, or the next; ``lease`` is what it runs
    in with others of its step, some of them before it if it ``is_behind``. ``holding`` is what
    its running attempt holds of the machine; those of one lease hold the same, members of a
    gang each their own."""

    block: Block
    index: int
    id: int
    name: str
    gang: Gang | None = None
    holding: Holding | None = None
    attempt: int = 0
    is_stored: bool = False
    tries: Tries = _NO_TRIES
    fallback: Fallback | None = None
    memory_mb: int | None = None
    lease: Lease | None = None
    is_behind: bool = False

    @property
    def resources(self) -> Resources:
        """What its next attempt asks for; one that only records a failure needs nothing."""
        asked = self.block.step.plan.resources
        if self.fallback is not None:
            return Resources()
        return asked if self.memory_mb is None else replace(asked, memory_mb=self.memory_mb)

    @property
    def size(self) -> int:
        """How many attempts it starts at once."""
        return self.gang.size if self.gang else 1

    @property
    def may_share(self) -> bool:
        """Whether its next attempt is like the first ones of its step, but for its data: then
        they can share a process."""
        is_plain = self.gang is None and self.fallback is None
        return is_plain and self.memory_mb is None and not self.tries.not_counted

    def starts(self) -> tuple[Start, ...]:
        """What to start: one, or all members in node order."""
        if self.gang is None:
            return (self.start(),)
        parents = self.block.parent_names()
        return tuple([self._member_start(node, parents) for node in range(self.gang.size)])

    def start(self) -> Start:
        """The start of a task that is no gang."""
        block, tries, held = self.block, self.tries, self.holding
        parents, missed = block.parents, None
        if isinstance(parents, Scope):
            missed = _missed(parents)
            parents = parents.arrived_names()
        return Start(
            JobId(self.name, self.attempt),
            block.step.name,
            parents,
            block.scope.splits_at(self.index),
            block.rounds,
            self.attempt == 0 and not self.is_stored,
            None,
            self.fallback,
            self.memory_mb,
            0 if tries is _NO_TRIES else tries.not_counted,
            missed,
            () if held is None else held.devices,
        )

    def _member_start(self, node: int, parents: tuple[str, ...]) -> Start:
        assert self.gang is not None
        block, holdings = self.block, self.gang.holdings
        return Start(
            job=JobId(gang_member_name(self.id, node), self.attempt),
            step=block.step.name,
            parents=parents,
            splits=block.scope.splits_at(node),
            rounds=block.rounds,
            is_new=self.attempt == 0 and not self.is_stored,
            node=(node, self.gang.size, self.name),
            fallback=self.fallback,
            memory_mb=self.memory_mb,
            not_counted=self.tries.not_counted,
            devices=holdings[node].devices if holdings else (),
        )

    def go_on(self, known: OpenTask) -> None:
        """Be what another driver made of it."""
        self.attempt, self.tries, self.is_stored = known.attempt, known.tries, known.is_stored
        if (known.memory_mb or 0) > (self.block.step.plan.resources.memory_mb or 0):
            self.memory_mb = known.memory_mb

    def try_again(self, following: NextAttempt) -> None:
        """Become the next attempt."""
        self.attempt += 1
        self.is_behind = False
        self.tries = following.tries
        self.fallback = following.fallback
        if following.growth is not None:
            self.memory_mb = following.growth.to_mb
        if self.gang is not None:
            self.gang = Gang(self.gang.size)


class Gang:
    """How far the members of a gang's running attempt are; ``holdings`` are theirs, by node.

    ``failure`` is the end of the member that failed first, ``following`` what was decided
    then. A member that ended ok
    hands on its transition only if all do.
    """

    __slots__ = ("causes", "failure", "following", "holdings", "left", "size", "transitions")

    def __init__(self, size: int) -> None:
        self.size = size
        self.left = size
        self.holdings: Sequence[Holding] = ()
        self.failure: AttemptFinished | None = None
        self.following: NextAttempt | None = None
        self.transitions: list[Transition | None] = [None] * size
        self.causes: list[Cause] = [Cause.CANCELLED] * size


def work_at(block: Block, index: int) -> Work:
    """The task at ``index`` of ``block``, or the whole of it where it is a gang."""
    id = block.offset + index
    if block.is_gang:
        return Work(block, index, id, str(id), Gang(block.end - block.index))
    return Work(block, index, id, str(id))


def first_attempts(block: Block, holdings: Sequence[Holding]) -> Iterator[tuple[Work, Start]]:
    """The next tasks of ``block``, which is no gang, one for each of ``holdings``.

    What they have in common is looked up once: of a wide foreach this is most of the work.
    """
    step, scope, rounds, offset = block.step.name, block.scope, block.rounds, block.offset
    parents, missed = block.parents, None
    if isinstance(parents, Scope):
        missed = _missed(parents)
        parents = parents.arrived_names()
    for index, holding in enumerate(holdings, block.index):
        id = offset + index
        name = str(id)
        yield (
            Work(block, index, id, name, None, holding),
            Start(
                JobId(name, 0),
                step,
                parents,
                scope.splits_at(index),
                rounds,
                missed=missed,
                devices=holding.devices,
            ),
        )


def _missed(scope: Scope) -> Missed | None:
    guard = scope.guard
    if guard is None or not guard.failures:
        return None
    return Missed(scope.split, scope.arrived_indices(), in_order(guard.failures.values()))


def node_of(name: str) -> int:
    """A gang member's node, from its id."""
    _, marker, node = name.partition("_node_")
    return int(node) if marker else 0
