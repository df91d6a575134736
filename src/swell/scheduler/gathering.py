"""Facts and notices of what the loop took in one turn, on their way to be committed together."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from swell.model.facts import MEMORY_FACT, RETRY_FACT, AttemptEnded, Fact
from swell.model.record import AttemptResult
from swell.scheduler.events import Command, RetryLater, Start
from swell.scheduler.observe import Notice, TaskEnded, TasksEnded
from swell.scheduler.writer import Entry


class Gathered:
    """Filled by the loop, emptied by ``take``. ``facts`` keep their order."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.blobs: list[str] = []
        self._notices: list[Notice] = []
        self._tasks: list[str] = []
        self._shared: dict[tuple[str, int | None], list[TaskEnded]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not self.facts

    def end(self, notice: TaskEnded, *, is_told: bool, pid: int | None) -> None:
        """A task ended well. Where its beginning was not told it is one of many in ``pid``."""
        self._tasks.append(notice.job.task)
        if is_told:
            self._notices.append(notice)
        else:
            self._shared.setdefault((notice.step, pid), []).append(notice)

    def note_retries(self, commands: Iterable[Command]) -> None:
        """Failed attempts that others follow say so, for those who wait for a task's end."""
        at = {one.job: one.at for one in commands if isinstance(one, RetryLater)}
        if not at:
            return
        for index, fact in enumerate(self.facts):
            if isinstance(fact, AttemptEnded) and fact.job in at:
                told = {**fact.metadata, RETRY_FACT: (RETRY_FACT, str(at[fact.job]))}
                self.facts[index] = msgspec.structs.replace(fact, metadata=told)

    def take(self) -> Entry:
        """All of it."""
        notices = self._notices
        for (step, pid), ended in self._shared.items():
            notices.append(TasksEnded(step, ended[-1].at, tuple(ended), pid))
        entry = Entry(tuple(self.facts), tuple(self.blobs), tuple(notices), tuple(self._tasks))
        self.facts, self.blobs, self._notices, self._tasks, self._shared = [], [], [], [], {}
        return entry


def noted_of(start: Start, result: AttemptResult | None) -> dict[str, tuple[str, str]]:
    """What the attempt noted, and how much memory it had if that was more than its step asks."""
    noted = result.metadata if result is not None else {}
    if start.memory_mb is None:
        return noted
    return {**noted, MEMORY_FACT: (MEMORY_FACT, str(start.memory_mb))}
