"""Everything the service holds at one time, and how it is found."""

from __future__ import annotations

from swell.sandbox.batch.agenda import Agenda
from swell.sandbox.batch.capacity import Capacity
from swell.sandbox.batch.commands import Command
from swell.sandbox.batch.definitions import Shelf
from swell.sandbox.batch.entities import ARRAY, CHILD, MULTINODE, RUNNABLE, Job, Queue
from swell.sandbox.batch.names import Names
from swell.sandbox.batch.resources import Resources
from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.batch.waiting import Line


class World:
    """The state; ``now`` (Unix seconds) is moved by whoever drives it."""

    def __init__(self, settings: BatchSettings, names: Names) -> None:
        self.settings = settings
        self.names = names
        self.agenda = Agenda()
        self.shelf = Shelf(names)
        self.resources = Resources(names)
        self.capacity = Capacity(settings, names)
        self.jobs: dict[str, Job] = {}
        """Those that were submitted; children and nodes are found through them."""
        self.commands: list[Command] = []
        self.now = 0.0
        self.is_dispatch_due = False
        """Something changed that may let a job be placed."""
        self._lines: dict[str, Line] = {}
        self._sequence = 0

    def line(self, queue: Queue) -> Line:
        """Those who wait in ``queue``."""
        return self._lines.setdefault(queue.name, Line())

    def next_sequence(self) -> int:
        """Counts submissions."""
        self._sequence += 1
        return self._sequence

    def find(self, job_id: str) -> Job | None:
        """The job, child (``id:index``) or node (``id#node``) of this id."""
        sign = ":" if ":" in job_id else "#"
        head, found, tail = job_id.partition(sign)
        job = self.jobs.get(head)
        if job is None or not found:
            return job
        if job.kind != (ARRAY if sign == ":" else MULTINODE):
            return None
        if not tail.isdigit() or int(tail) >= len(job.children):
            return None
        return job.children[int(tail)]

    def set_status(self, job: Job, status: str) -> bool:
        """Move a job to another state; whether its array's counts have to be published."""
        before, job.status = job.status, status
        if before == RUNNABLE:
            self.line(job.queue).leave(job)
        parent = job.parent
        if job.kind != CHILD or parent is None:
            return False
        parent.counts[before] -= 1
        parent.counts[status] += 1
        is_first = not parent.is_publishing
        parent.is_publishing = True
        return is_first
