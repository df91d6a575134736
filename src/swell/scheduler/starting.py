"""What starts next: retries that are due, gangs, then new work; no I/O, no clock.

Work that may start waits per step; the deepest step goes first, of those in parallel
branches the one that waits for most of the machine, then the oldest task (`ready`). What
does not fit beside what runs is passed over, for a while (`admission`). A gang starts
whole: once it is next, nothing else starts until it has its slots and its room, or, if it
is larger than ``max_workers``, until nothing else runs. So no gang starves, at the price of
idle slots. Retries that are due stand before new work, but not before a gang that is next.
Where steps run on several backends, one of which nothing runs gets a slot first.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from swell.compute.packing import Holding, Machine
from swell.model.job import MachineNews
from swell.model.resources import Resources
from swell.scheduler.admission import Admission
from swell.scheduler.attempts import Work, first_attempts, node_of, work_at
from swell.scheduler.events import AttemptFinished, HeldUp, Start, StartAttempts, TaskKey
from swell.scheduler.known import OpenTask
from swell.scheduler.leases import Leases
from swell.scheduler.ready import Block, ReadyWork, StepState


class Starting:
    """What runs, what waits for its next attempt, and ``ready``, what waits for its first.

    ``running`` holds each attempt in flight by its task's id. ``open`` are tasks that another
    driver began.
    """

    def __init__(
        self,
        ready: ReadyWork,
        max_workers: int,
        open: Mapping[TaskKey, OpenTask],
        machine: Machine,
    ) -> None:
        self.running: dict[str, Work] = {}
        self.admission = Admission(ready.steps, machine)
        self._release = self.admission.release
        self._ready = ready
        self._max_workers = max_workers
        self._open = open
        self._next_gang: Work | None = None
        self._due = _DueWork()
        self._waiting: list[tuple[float, int, Work]] = []
        self._gang_starts: list[StartAttempts] = []
        self._starts: dict[str, list[Start]] = {}
        self._leases = Leases()
        self._told_short = ""
        self._is_mixed = len({step.plan.backend for step in ready.steps.values()}) > 1

    @property
    def next_retry_at(self) -> float | None:
        """When the next attempt is due; None if none waits for its time."""
        return self._waiting[0][0] if self._waiting else None

    def note_machine(self, news: MachineNews) -> None:
        """This machine was looked at."""
        self.admission.note_machine(news)

    def ended(self, work: Work, event: AttemptFinished) -> None:
        """An attempt ended: it runs no more, and what it held is free, or has passed on to the
        next of its lease."""
        task, counts, gang = event.job.task, work.block.step.counts, work.gang
        del self.running[task]
        if event.used is not None:
            self.admission.note_used(work, event.used)
        if work.lease is not None and self._leaves_lease(work):
            counts.waiting -= 1
            return
        holding = work.holding if gang is None else gang.holdings[node_of(task)]
        assert holding is not None
        self._release(holding)
        if gang is None:
            counts.running -= 1

    def took(self, step: StepState, seconds: float) -> None:
        """A task of ``step``, whose tasks share processes, ended well after so many seconds."""
        if step.plan.pack_s is not None:
            self._leases.note(step.name, step.plan.pack_s, seconds)

    def returned(self, work: Work, *, starts_again: bool) -> None:
        """``work`` was leased and not begun; it is as before, but that it is stored."""
        del self.running[work.name]
        if not self._leaves_lease(work):
            counts, holding = work.block.step.counts, work.holding
            assert holding is not None
            self._release(holding)
            counts.running -= 1
            counts.waiting += 1
        work.is_stored = True
        if starts_again:
            self._due.push(work)

    def _leaves_lease(self, work: Work) -> bool:
        """Whether others of its lease are left, one of which has the slot now."""
        lease, work.lease = work.lease, None
        return lease is not None and self._leases.leave(work.block.step.name, lease)

    def start_again(self, work: Work, at: float, now: float) -> None:
        """Start the next attempt of ``work`` at ``at``; it counts as waiting from ``now`` on."""
        work.block.step.counts.waiting += work.size
        if at > now:
            heapq.heappush(self._waiting, (at, work.id, work))
        else:
            self._due.push(work)

    def stop(self) -> None:
        """Nothing more starts: forget what waits for another attempt."""
        self._due.clear()
        self._waiting.clear()
        self._next_gang = None
        self.admission.begin_round()

    def take_commands(self) -> list[StartAttempts | HeldUp]:
        """The starts since the last call, those of one step together."""
        commands: list[StartAttempts | HeldUp] = []
        if self._gang_starts:
            commands += self._gang_starts
            self._gang_starts = []
        if self._starts:
            for name, starts in self._starts.items():
                commands.append(StartAttempts(name, tuple(starts)))
            self._starts = {}
        if not (self._told_short or self.admission.is_paused):
            return commands
        short = self.admission.short_of_memory
        if short and not self._told_short:
            self._told_short = short
            commands.append(HeldUp(short))
        elif self._told_short and not self.admission.is_paused:
            self._told_short = ""
            commands.append(HeldUp(""))
        return commands

    # --- choosing ------------------------------------------------------------

    def start_ready(self, now: float) -> None:
        """Start all that may start at ``now``."""
        while self._waiting and self._waiting[0][0] <= now:
            self._due.push(heapq.heappop(self._waiting)[2])
        self.admission.begin_round()
        if self._is_mixed and self._next_gang is None:
            self._start_on_idle_backends()
        while self._next_gang is not None or self._start_in_order():
            if not self._start_next_gang():
                return

    @property
    def _free(self) -> int:
        """Slots that nothing runs in: a lease has one, however many tasks are in it."""
        return self._max_workers - len(self.running) + self._leases.queued

    def _start_in_order(self) -> bool:
        """Offer all that waits; True as soon as a gang is next."""
        free = self._free
        for lot in self._due.lots():
            if free <= 0:
                break
            if lot[0].gang is not None:
                self._next_gang = self._due.pop(lot)
                return True
            self._start_lot(lot, free)
            free = self._free
        for step in self._ready.in_order(self.admission.demand):
            if free <= 0:
                break
            while step.blocks and free > 0:
                if step.blocks[0].is_gang:
                    self._next_gang = self._work(step.blocks[0], step.blocks[0].index)
                    self._ready.drop_first(step)
                    return True
                fits = self._start_from(step, free)
                free = self._free
                if not fits:
                    break
        self.admission.end_round(is_whole=free > 0)
        return False

    def _start_on_idle_backends(self) -> None:
        steps = self._ready.steps.values()
        busy = {step.plan.backend for step in steps if step.counts.running}
        for lot in self._due.lots():
            step = lot[0].block.step
            if self._free > 0 and step.plan.backend not in busy and not lot[0].gang:
                self._start_lot(lot, 1)
                if step.counts.running:
                    busy.add(step.plan.backend)
        for step in self._ready.in_order(self.admission.demand):
            is_idle = step.plan.backend not in busy
            if self._free > 0 and is_idle and not step.blocks[0].is_gang:
                self._start_from(step, 1)
                if step.counts.running:
                    busy.add(step.plan.backend)

    # --- starting ------------------------------------------------------------

    def _start_lot(self, lot: deque[Work], most: int) -> None:
        """Further attempts that ask for the same."""
        step, pack_s = lot[0].block.step, lot[0].block.step.plan.pack_s
        if pack_s is not None and lot[0].may_share:
            for _ in range(most):
                if not lot or not (holdings := self.admission.admit(step, lot[0], 1)):
                    return
                self._lease(step, pack_s, holdings[0], lot)
            return
        for holding in self.admission.admit(step, lot[0], min(most, len(lot))):
            work = self._due.pop(lot)
            step.counts.waiting -= 1
            step.counts.running += 1
            work.holding = holding
            self.running[work.name] = work
            self._starts.setdefault(step.name, []).append(work.start())

    def _start_from(self, step: StepState, most: int) -> bool:
        """First attempts of the oldest Block; False where nothing more of ``step`` fits."""
        pack_s = step.plan.pack_s
        if pack_s is not None:
            leased = self.admission.admit(step, None, 1)
            if leased:
                self._lease(step, pack_s, leased[0])
            return bool(leased)
        block, counts = step.blocks[0], step.counts
        left = block.end - block.index
        most = left if left < most else most
        holdings = self.admission.admit(step, None, most)
        if not holdings:
            return False
        begin = self._attempts_known if self._open else first_attempts
        running, starts = self.running, self._starts.setdefault(step.name, [])
        for work, start in begin(block, holdings):
            running[work.name] = work
            starts.append(start)
        begun = len(holdings)
        counts.waiting -= begun
        counts.running += begun
        block.index += begun
        if begun == left:
            self._ready.drop_first(step)
        return begun == most

    def _lease(
        self, step: StepState, pack_s: float, holding: Holding, lot: deque[Work] | None = None
    ) -> None:
        """Start as many tasks of ``step``, of ``lot`` first, in one process as are expected to
        fit."""
        size = self._leases.size(step.name, pack_s, step.counts.waiting, self._max_workers)
        works: list[Work] = []
        while lot and len(works) < size:
            works.append(self._due.pop(lot))
        while len(works) < size and step.blocks and not step.blocks[0].is_gang:
            block = step.blocks[0]
            end = min(block.end, block.index + size - len(works))
            works += [self._work(block, index) for index in range(block.index, end)]
            block.index = end
            if block.index == block.end:
                self._ready.drop_first(step)
        lease = self._leases.lease(step.name, len(works))
        for work in works:
            work.lease, work.holding = lease, holding
            work.is_behind = work is not works[0]
            self.running[work.name] = work
        step.counts.waiting -= 1
        step.counts.running += 1
        starts = tuple([work.start() for work in works])
        self._gang_starts.append(StartAttempts(step.name, starts, pack_s))

    def _attempts_known(
        self, block: Block, holdings: Sequence[Holding]
    ) -> Iterator[tuple[Work, Start]]:
        """The next attempts of ``block``, where another driver may have made some."""
        for index, holding in enumerate(holdings, block.index):
            work = self._work(block, index)
            work.holding = holding
            yield work, work.start()

    def _work(self, block: Block, index: int) -> Work:
        work = work_at(block, index)
        if self._open and (known := self._open.get(block.key(index))) is not None:
            work.go_on(known)
        return work

    def _start_next_gang(self) -> bool:
        """Start the gang that is next, if it has its slots and its room."""
        work = self._next_gang
        assert work is not None
        assert work.gang is not None
        if work.size > self._free and self.running:
            return False
        holdings = self.admission.admit_gang(work)
        if not holdings:
            return False
        self._next_gang = None
        work.gang.holdings = holdings
        starts = work.starts()
        for start in starts:
            self.running[start.job.task] = work
        step = work.block.step
        step.counts.waiting -= work.size
        step.counts.running += work.size
        self._gang_starts.append(StartAttempts(step.name, starts))
        return True


class _DueWork:
    """Further attempts whose time has come, in lots that ask for the same; a gang is a lot."""

    def __init__(self) -> None:
        self._lots: dict[_Lot, deque[Work]] = {}

    def push(self, work: Work) -> None:
        """Add ``work`` behind those that ask for the same."""
        self._lots.setdefault(_lot_of(work), deque()).append(work)

    def pop(self, lot: deque[Work]) -> Work:
        """Take the oldest of ``lot``."""
        work = lot.popleft()
        if not lot:
            del self._lots[_lot_of(work)]
        return work

    def lots(self) -> Sequence[deque[Work]]:
        """All lots, the one that came first first; the one looked at may be emptied."""
        return list(self._lots.values()) if self._lots else ()

    def clear(self) -> None:
        """Forget all."""
        self._lots.clear()


_Lot = tuple[str, Resources, bool, int]


def _lot_of(work: Work) -> _Lot:
    gang = work.id if work.gang is not None else -1
    return (work.block.step.name, work.resources, work.may_share, gang)
