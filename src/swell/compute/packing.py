"""What fits on this machine beside what runs: amounts in, yes or no out; nothing is read.

Tasks that ask for the same share a Claim, so that a question about 100,000 of them is one.
What asks for more than there is runs alone. A Claim that was passed over too often is
reserved: what starts after that may hold, together, only what that one leaves, so that it
fits as soon as what ran before has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from swell.errors import InternalError
from swell.model.resources import Resources

_UNBOUNDED = 1 << 60
_PARTS = 1000
"""Amounts are counted in thousandths, as whole numbers: sums of fractions stay exact."""
_CPU, _MEMORY, _GPU = range(3)


class Machine(msgspec.Struct, frozen=True):
    """What tasks here may hold together; None where it is not known, so not bounded.

    Memory is in MB; ``free_memory_mb`` is what others did not hold when the run began.
    ``devices`` are ids of GPUs; ``limits`` are the user's, by name: what steps ask for by
    name is among them.
    """

    cpu: float | None = None
    memory_mb: int | None = None
    free_memory_mb: int | None = None
    devices: tuple[str, ...] | None = None
    limits: tuple[tuple[str, float], ...] = ()


class Excess(NamedTuple):
    """More was asked of ``what`` than there is."""

    what: str
    asked: float
    there: float


def excess_over(asked: Resources, machine: Machine) -> list[Excess]:
    """What ``asked`` can never have of ``machine``; what is not known is enough."""
    there: dict[str, float | None] = {
        "cpu": machine.cpu,
        "memory": machine.memory_mb,
        "gpu": None if machine.devices is None else len(machine.devices),
        **dict(machine.limits),
    }
    wanted = {"cpu": asked.cpu, "memory": asked.memory_mb, "gpu": asked.gpu, **dict(asked.named)}
    return [
        Excess(what, amount, most)
        for what, amount in wanted.items()
        if amount is not None and (most := there.get(what)) is not None and amount > most
    ]


class Claim:
    """Tasks that ask for the same. ``held`` counts those that hold it.

    ``is_here`` is False for tasks on other machines: they share named limits alone.
    """

    __slots__ = (
        "amounts",
        "asks_nothing",
        "epoch",
        "held",
        "held_since",
        "is_alone",
        "is_here",
        "passed",
        "same",
    )

    def __init__(self, *, is_here: bool) -> None:
        self.is_here = is_here
        self.amounts: tuple[tuple[int, int], ...] = ()
        self.asks_nothing = True
        self.is_alone = False
        self.held = 0
        self.held_since = 0
        self.epoch = 0
        self.passed = 0
        self.same: Holding | None = None


class Holding(NamedTuple):
    """What one task holds until it is released; ``devices`` are its GPUs."""

    claim: Claim
    epoch: int
    devices: tuple[str, ...] = ()


class Packing:
    """What tasks hold of ``machine``. Whoever takes asks ``room_for`` first; what is taken
    without asking is counted too, and nothing more fits until it is given back."""

    def __init__(self, machine: Machine) -> None:
        free = machine.free_memory_mb
        memory = machine.memory_mb if free is None else free
        self._names = ["cpu", "memory", "gpu", *[name for name, _ in machine.limits]]
        self._kind_of = {name: kind for kind, name in enumerate(self._names)}
        self._total = [
            _parts(machine.cpu),
            _parts(memory),
            _parts(None if machine.devices is None else len(machine.devices)),
            *[_parts(amount) for _, amount in machine.limits],
        ]
        self._free = list(self._total)
        self._devices = None if machine.devices is None else deque(machine.devices)
        self._here = 0
        self._alone_held = 0
        self._reserved: Claim | None = None
        self._epoch = 0
        self._left: list[int] = []

    @property
    def held_here(self) -> int:
        """How many tasks run on this machine."""
        return self._here

    @property
    def reserved(self) -> Claim | None:
        """The Claim that the next room is kept for."""
        return self._reserved

    def claim(self, asked: Resources, *, is_here: bool = True) -> Claim:
        """A Claim for tasks that ask for ``asked`` each."""
        claim = Claim(is_here=is_here)
        self._set_amounts(claim, asked)
        return claim

    def share(self, claim: Claim) -> float:
        """Which part of the machine one task of ``claim`` takes, of all that it asks for together:
        1.5 takes all of one and half of another."""
        return sum(amount / self._total[kind] for kind, amount in claim.amounts)

    def revise(self, claim: Claim, asked: Resources) -> None:
        """Those that hold ``claim``, and all that follow, need ``asked`` instead."""
        self._count(claim, -claim.held)
        if self._reserved is not None and self._reserved is not claim:
            self._count_since(claim, -self._held_since(claim))
        was_alone = claim.is_alone
        self._set_amounts(claim, asked)
        self._alone_held += claim.held * (claim.is_alone - was_alone)
        self._count(claim, claim.held)
        if self._reserved is claim:
            self.reserve(claim)
        elif self._reserved is not None:
            self._count_since(claim, self._held_since(claim))

    def room_for(self, claim: Claim, most: int) -> int:
        """How many of ``most`` more tasks fit now."""
        if claim.asks_nothing and not self._alone_held and self._reserved is None:
            return most
        if claim.is_here and (self._alone_held or (claim.is_alone and self._here)):
            return 0
        room = 1 if claim.is_alone else most
        free = self._free
        for kind, amount in claim.amounts:
            if amount * room > free[kind]:
                room = free[kind] // amount
        if self._reserved is not None and self._reserved is not claim:
            alone = self._reserved.is_alone or claim.is_alone
            if alone and self._reserved.is_here and claim.is_here:
                return 0
            for kind, amount in claim.amounts:
                room = min(room, self._left[kind] // amount)
        return max(room, 0)

    def lacks(self, claim: Claim) -> str:
        """What one more task waits for: 'memory', 'cpu', 'gpu', a limit's name, or 'room':
        it runs alone, or what it needs is kept for another."""
        if claim.is_here and (self._alone_held or (claim.is_alone and self._here)):
            return "room"
        for kind, amount in claim.amounts:
            if self._free[kind] < amount:
                return self._names[kind]
        return "room"

    def take(self, claim: Claim, count: int) -> list[Holding]:
        """``count`` tasks begin. Raises InternalError where there are not enough GPUs."""
        claim.held += count
        if claim.is_here:
            self._here += count
        if not claim.asks_nothing:
            self._count(claim, count)
            self._alone_held += count * claim.is_alone
        if self._reserved is claim:
            self.drop_reservation()
        elif self._reserved is not None:
            claim.held_since = self._held_since(claim) + count
            claim.epoch = self._epoch
            self._count_since(claim, count)
        devices = self._devices
        gpus = _gpus(claim) if devices is not None else 0
        if not gpus or devices is None:
            same = claim.same
            if same is None or same.epoch != self._epoch:
                same = claim.same = Holding(claim, self._epoch)
            return [same] * count
        if gpus * count > len(devices):
            raise InternalError(f"{gpus * count} GPUs were taken, but {len(devices)} are free.")
        return [
            Holding(claim, self._epoch, tuple([devices.popleft() for _ in range(gpus)]))
            for _ in range(count)
        ]

    def release(self, holding: Holding) -> None:
        """A task ended."""
        claim = holding.claim
        claim.held -= 1
        if claim.is_here:
            self._here -= 1
        reserved = self._reserved
        if reserved is not None and reserved is not claim and holding.epoch == self._epoch:
            claim.held_since -= 1
            self._count_since(claim, -1)
        if claim.asks_nothing:
            return
        self._count(claim, -1)
        self._alone_held -= claim.is_alone
        if holding.devices and self._devices is not None:
            self._devices.extend(holding.devices)

    def reserve(self, claim: Claim) -> None:
        """Keep room for the next task of ``claim``, out of what is given back from now on."""
        self._reserved = claim
        self._epoch += 1
        self._left = list(self._total)
        for kind, amount in claim.amounts:
            self._left[kind] -= amount

    def drop_reservation(self) -> None:
        """Keep room for nobody."""
        self._reserved = None

    def _held_since(self, claim: Claim) -> int:
        """Of those that hold ``claim``, how many began since the reservation."""
        return claim.held_since if claim.epoch == self._epoch else 0

    def _count(self, claim: Claim, count: int) -> None:
        for kind, amount in claim.amounts:
            self._free[kind] -= amount * count

    def _count_since(self, claim: Claim, count: int) -> None:
        for kind, amount in claim.amounts:
            self._left[kind] -= amount * count

    def _set_amounts(self, claim: Claim, asked: Resources) -> None:
        """The amounts that count, none above what there is; who asks for more runs alone."""
        wanted = [(self._kind_of[name], amount) for name, amount in asked.named]
        if claim.is_here:
            wanted += [(_CPU, asked.cpu or 0), (_MEMORY, asked.memory_mb or 0)]
            wanted += [(_GPU, asked.gpu or 0)]
        parts = [(kind, _parts(amount)) for kind, amount in wanted]
        within = ((kind, min(amount, self._total[kind])) for kind, amount in parts)
        claim.amounts = tuple(_positive(within))
        claim.is_alone = any(amount > self._total[kind] for kind, amount in parts)
        claim.asks_nothing = not claim.amounts and not claim.is_alone


def _gpus(claim: Claim) -> int:
    return next((amount // _PARTS for kind, amount in claim.amounts if kind == _GPU), 0)


def _parts(amount: float | None) -> int:
    return _UNBOUNDED if amount is None else round(amount * _PARTS)


def _positive(amounts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(kind, amount) for kind, amount in amounts if amount > 0]
