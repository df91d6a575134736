"""What starts next: retries that are due, gangs, then new work; no I/O, no clock.

Work that may start waits per step; the deepest step goes first, then the oldest task
(`ready`). A gang starts whole: once it is next, nothing else starts until it has its slots,
or, if it is larger than ``max_workers``, until nothing else runs. So no gang starves, at the
price of idle slots. Retries that are due stand before new work, but not before a gang that
is next.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping

from swell.scheduler.attempts import Work
from swell.scheduler.events import Start, StartAttempts, TaskKey
from swell.scheduler.known import OpenTask
from swell.scheduler.leases import Leases
from swell.scheduler.ready import Block, ReadyWork, StepState


class Starting:
    """What runs, what waits for its next attempt, and ``ready``, what waits for its first.

    ``running`` holds each attempt in flight by its task's id; whoever sees it end removes
    it. ``open`` are tasks that another driver began.
    """

    def __init__(
        self, ready: ReadyWork, max_workers: int, open: Mapping[TaskKey, OpenTask]
    ) -> None:
        self.running: dict[str, Work] = {}
        self._ready = ready
        self._max_workers = max_workers
        self._open = open
        self._next_gang: Work | None = None
        self._due: deque[Work] = deque()
        self._waiting: list[tuple[float, int, Work]] = []
        self._gang_starts: list[StartAttempts] = []
        self._starts: dict[str, list[Start]] = {}
        self._leases = Leases()

    @property
    def next_retry_at(self) -> float | None:
        """When the next attempt is due; None if none waits for its time."""
        return self._waiting[0][0] if self._waiting else None

    @property
    def _free(self) -> int:
        """Slots that nothing runs in: a lease has one, however many tasks are in it."""
        return self._max_workers - len(self.running) + self._leases.queued

    def ended(self, work: Work, task: str) -> None:
        """The attempt of ``task`` has ended: it runs no more."""
        del self.running[task]
        counts = work.block.step.counts
        if self._leaves_lease(work):
            counts.waiting -= 1
        elif work.gang is None:
            counts.running -= 1

    def took(self, work: Work, seconds: float) -> None:
        """An attempt of ``work`` ended well after so many seconds."""
        pack_s = work.block.step.plan.pack_s
        if pack_s is not None:
            self._leases.note(work.block.step.name, pack_s, seconds)

    def returned(self, work: Work, *, starts_again: bool) -> None:
        """``work`` was leased and not begun; it is as before, but that it is stored."""
        del self.running[work.name]
        if not self._leaves_lease(work):
            counts = work.block.step.counts
            counts.running -= 1
            counts.waiting += 1
        work.is_stored = True
        if starts_again:
            self._due.append(work)

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
            self._due.append(work)

    def stop(self) -> None:
        """Forget what waits for another attempt."""
        self._due.clear()
        self._waiting.clear()
        self._next_gang = None

    def take_commands(self) -> list[StartAttempts]:
        """The starts since the last call, those of one step together."""
        if not self._starts and not self._gang_starts:
            return []
        commands = self._gang_starts
        commands += [StartAttempts(name, tuple(starts)) for name, starts in self._starts.items()]
        self._gang_starts, self._starts = [], {}
        return commands

    def start_ready(self, now: float) -> None:
        """Start all that may start at ``now``."""
        while self._waiting and self._waiting[0][0] <= now:
            self._due.append(heapq.heappop(self._waiting)[2])
        free = self._free
        while free > 0 or self._next_gang is not None:
            if self._next_gang is not None:
                if self._next_gang.size > free and self.running:
                    return
                self._launch_gang(self._next_gang)
                self._next_gang = None
            elif self._due:
                self._launch_again(self._due.popleft())
            elif (block := self._ready.first()) is not None:
                self._launch_from(block, free)
            else:
                return
            free = self._free

    def _launch_from(self, block: Block, free: int) -> None:
        if block.is_gang:
            self._next_gang = self._work(block, block.index)
            self._ready.drop_first()
            return
        step, first = block.step, block.index
        if step.plan.pack_s is not None:
            self._lease(step, step.plan.pack_s)
            return
        block.index = min(block.end, first + free)
        starts = self._starts.setdefault(step.name, [])
        for index in range(first, block.index):
            work = self._work(block, index)
            self.running[work.name] = work
            starts.append(work.start())
        step.counts.waiting -= block.index - first
        step.counts.running += block.index - first
        if block.index == block.end:
            self._ready.drop_first()

    def _work(self, block: Block, index: int) -> Work:
        work = Work(block, index)
        if self._open and (known := self._open.get(block.key(index))) is not None:
            work.go_on(known)
        return work

    def _launch_again(self, work: Work) -> None:
        if work.gang is not None:
            self._next_gang = work
            return
        pack_s = work.block.step.plan.pack_s
        if pack_s is not None and work.may_share:
            self._due.appendleft(work)
            self._lease(work.block.step, pack_s)
            return
        self.running[work.name] = work
        step = work.block.step
        step.counts.waiting -= 1
        step.counts.running += 1
        self._starts.setdefault(step.name, []).append(work.start())

    def _lease(self, step: StepState, pack_s: float) -> None:
        """Start as many tasks of ``step`` in one process as are expected to fit."""
        size = self._leases.size(step.name, pack_s, step.counts.waiting, self._max_workers)
        works: list[Work] = []
        while len(works) < size and self._due and self._may_join(self._due[0], step):
            works.append(self._due.popleft())
        while len(works) < size and (block := self._ready.first()) and block.step is step:
            end = min(block.end, block.index + size - len(works))
            works += [self._work(block, index) for index in range(block.index, end)]
            block.index = end
            if block.index == block.end:
                self._ready.drop_first()
        lease = self._leases.lease(step.name, len(works))
        for work in works:
            work.lease = lease
            self.running[work.name] = work
        step.counts.waiting -= 1
        step.counts.running += 1
        starts = tuple([work.start() for work in works])
        self._gang_starts.append(StartAttempts(step.name, starts, pack_s))

    def _launch_gang(self, work: Work) -> None:
        starts = work.starts()
        for start in starts:
            self.running[start.job.task] = work
        counts = work.block.step.counts
        counts.waiting -= work.size
        counts.running += work.size
        self._gang_starts.append(StartAttempts(work.block.step.name, starts))

    @staticmethod
    def _may_join(work: Work, step: StepState) -> bool:
        return work.block.step is step and work.may_share
