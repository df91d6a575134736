"""Facts on runs and tasks in a database: SQLite here, PostgreSQL for a team."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from swell.model.facts import (
    AttemptFact,
    Fact,
    Left,
    NewRun,
    RunFact,
    StepFact,
    StoredRecord,
    TaskFact,
)
from swell.model.ids import RunId


class Metastore(Protocol):
    """One database of runs. May be used from several threads and processes at once.

    All methods raise MetadataError; ``retryable`` where a second try can help.
    """

    @property
    def store_id(self) -> str:
        """A random id made with the database; it stands in every key and job name."""
        ...

    @property
    def address(self) -> str:
        """``sqlite@<path>`` or ``postgresql://…`` without its password."""
        ...

    def create_run(self, new: NewRun) -> RunFact:
        """Give the run its flow's next number (never used before) and store it, durably.

        Raises NotFound when its origin is not there any more.
        """
        ...

    def delete_run(self, run: RunId, *, dead: Collection[RunFact] = ()) -> bool:
        """Delete the run and all facts on it, durably; False when there is none.

        Raises RunInUse, with nothing changed, when the run is stored as running, or one
        that resumes it is. Not counted are those in ``dead``: facts as the caller saw them,
        good while no sign of life came since.
        """
        ...

    def commit(self, facts: Sequence[Fact]) -> None:
        """Store ``facts`` in one transaction; durable when this returns."""
        ...

    def heartbeat(self, run: RunId, at: float) -> None:
        """The driver of ``run`` was alive at ``at``."""
        ...

    def flows(self) -> list[str]:
        """Names of all flows that have a run, newest run first."""
        ...

    def runs(
        self,
        flow: str | None = None,
        *,
        tags: Collection[str] = (),
        limit: int | None = None,
    ) -> list[RunFact]:
        """Runs that have all ``tags`` (user or system), newest first."""
        ...

    def run(self, run: RunId) -> RunFact | None:
        """One run; None when there is none."""
        ...

    def steps(self, run: RunId) -> list[StepFact]:
        """Steps that have tasks, newest first."""
        ...

    def tasks(self, run: RunId, step: str | None = None, task: str | None = None) -> list[TaskFact]:
        """Tasks with their latest attempt, newest first (creation time, then id)."""
        ...

    def attempts(
        self, run: RunId, step: str | None = None, task: str | None = None
    ) -> list[AttemptFact]:
        """All attempts, oldest first."""
        ...

    def records(
        self,
        run: RunId,
        *,
        step: str | None = None,
        tasks: Collection[str] | None = None,
        attempt: int | None = None,
    ) -> list[StoredRecord]:
        """Records of ended attempts: of ``step`` or ``tasks``, the latest unless ``attempt``."""
        ...

    def encoded_records(self, run: RunId, tasks: Sequence[str]) -> list[bytes]:
        """The latest Records of ``tasks`` as encoded, in that order (for packed indexes).

        Raises DataMissing when a task has none.
        """
        ...

    def left_by(self, run: RunId) -> Iterator[Left]:
        """What every ended attempt of ``run`` refers to, not only the latest of each task.

        Read in pages: what is committed meanwhile may be left out. Nothing for no such run.
        """
        ...

    def change_tags(
        self, run: RunId, *, add: Collection[str] = (), remove: Collection[str] = ()
    ) -> frozenset[str]:
        """Remove, then add user tags in one transaction; returns the user tags after it.

        Rules on tags are the caller's (they need only be read and changed atomically):
        at most 50 user tags, unless the set shrinks; raises TaggingError.
        """
        ...

    def close(self) -> None:
        """Close connections; the store must not be used afterwards."""
        ...
