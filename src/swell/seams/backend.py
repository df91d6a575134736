"""Whatever runs jobs: this machine's processes, AWS Batch, and later others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

from swell.model.ids import JobId
from swell.model.job import Intent, JobUpdate, Launch, Pack

Report = Callable[[Sequence[JobUpdate]], None]
"""Takes updates in the order they happened; may be called from any thread."""


class Backend(Protocol):
    """Runs Launches as jobs and reports what becomes of them.

    Every job that was submitted ends in exactly one EXITED or LOST, also after
    ``cancel``; ``close`` ends what is left and returns when no process of any job is
    alive.
    """

    def start(self, report: Report) -> None:
        """Begin; called once, before ``submit``."""
        ...

    def submit(self, launches: Sequence[Launch]) -> None:
        """Take ``launches``; never blocks. Launches of one step come together."""
        ...

    def adopt(self, intents: Sequence[Intent]) -> None:
        """Jobs of a driver that died: when they are submitted, they are found and watched
        instead of started again."""
        ...

    def cancel(self, jobs: Collection[JobId], why: str) -> None:
        """Ask for an end; it arrives as an update. Unknown jobs are ignored.

        Asked a second time for the same job, end it by force.
        """
        ...

    def close(self) -> None:
        """End all jobs that still run, and everything this backend started."""
        ...


@runtime_checkable
class LeavableBackend(Backend, Protocol):
    """A Backend whose jobs go on without a driver."""

    def detach(self) -> None:
        """Submit what was taken, then let go of it: instead of ``close``."""
        ...


@runtime_checkable
class PackingBackend(Backend, Protocol):
    """A Backend that can run many attempts in one process."""

    def submit_pack(self, pack: Pack) -> None:
        """Take the members of ``pack``; never blocks.

        Each of them ends in exactly one EXITED, LOST or RETURNED, in their order. RUNNING is
        told of those alone that last, print something, or die.
        """
        ...
