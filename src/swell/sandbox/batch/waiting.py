"""The jobs of a queue that wait for a place, in the order in which they get one."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from swell.sandbox.batch.entities import RUNNABLE, Job, Policy

_Entry = tuple[int, int, int, Job]


class Line:
    """First in, first out; with a policy the share that uses least for its weight is next.

    A job that left is skipped when its turn comes: leaving costs nothing.
    """

    def __init__(self) -> None:
        self._shares: dict[str, list[_Entry]] = {}
        self._inside: set[Job] = set()
        self.vcpus = 0.0
        self.memory_mib = 0
        self.usage: dict[str, float] = {}
        """vCPUs that the jobs of a share use now."""

    def __len__(self) -> int:
        return len(self._inside)

    def push(self, job: Job, policy: Policy | None) -> None:
        """Let a job wait, behind those that were submitted before it."""
        share = (job.work.share or "") if policy else ""
        priority = -(job.work.priority or 0) if policy else 0
        entry = (priority, job.sequence, job.index, job)
        heapq.heappush(self._shares.setdefault(share, []), entry)
        self._inside.add(job)
        self._count(job, 1)

    def leave(self, job: Job) -> None:
        """Forget a job, wherever it stands."""
        if job in self._inside:
            self._inside.discard(job)
            self._count(job, -1)

    def head(self, policy: Policy | None) -> Job | None:
        """Who is next; None: nobody waits."""
        best: tuple[float, str] | None = None
        for share in list(self._shares):
            heap = self._shares[share]
            while heap and heap[0][3] not in self._inside:
                heapq.heappop(heap)
            if not heap:
                del self._shares[share]
                continue
            weight = policy.weight(share) if policy else 1.0
            rank = (self.usage.get(share, 0.0) * weight, share)
            if best is None or rank < best:
                best = rank
        return self._shares[best[1]][0][3] if best else None

    def front(self, count: int) -> list[Job]:
        """The first ``count``, as if nothing changed meanwhile."""
        return [entry[3] for entry in heapq.nsmallest(count, self._live())]

    def _live(self) -> Iterator[_Entry]:
        for heap in self._shares.values():
            for entry in heap:
                if entry[3] in self._inside and entry[3].status == RUNNABLE:
                    yield entry

    def _count(self, job: Job, sign: int) -> None:
        for container in job.work.containers if job.kind == "multinode" else (job.container,):
            self.vcpus += sign * container.need.vcpus
            self.memory_mib += sign * container.need.memory_mib
