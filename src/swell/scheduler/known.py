"""What a driver that takes a run over knows of it: ids that were given, attempts that may run.

A run's tasks get their ids as they come into being, so a second driver must give the same
place the same id, whatever order it finds things in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from swell.model.job import FailedInput
from swell.scheduler.events import OriginTask, TaskKey
from swell.scheduler.retry import Tries


class OpenTask(msgspec.Struct, frozen=True):
    """A task that has not ended well. ``attempt`` is the one that runs elsewhere, or the next;
    ``is_stored`` says that the task itself is recorded, ``memory_mb`` that it gets more memory
    than its step's plan says."""

    task: str
    attempt: int = 0
    tries: Tries = Tries()
    is_stored: bool = True
    memory_mb: int | None = None


class Known(msgspec.Struct, frozen=True):
    """All tasks of a run that came into being under another driver; ``failed`` are those that
    failed for good under a foreach that allows failures."""

    done: Mapping[TaskKey, OriginTask]
    open: Mapping[TaskKey, OpenTask]
    failed: Mapping[TaskKey, FailedInput] = MappingProxyType({})


NOTHING_KNOWN = Known(MappingProxyType({}), MappingProxyType({}))


class Ids:
    """Gives ids to tasks: those they had, else fresh ones."""

    def __init__(self, known: Known) -> None:
        self._of_place: dict[TaskKey, int] = {}
        self._first_of_split: dict[tuple[str, tuple[int, ...]], int] = {}
        highest = 0
        for key, task in _ids(known):
            number = int(task.partition("_")[0])
            node = int(task.rpartition("_")[2]) if "_" in task else 0
            highest = max(highest, number + node)
            self._of_place[key] = number
            if key.indices:
                first = number if "_" in task else number - key.indices[-1]
                self._first_of_split.setdefault((key.step, key.indices[:-1]), first)
        self._next = highest + 1

    def take(self, key: TaskKey | None) -> int:
        """The id of the task at ``key``; without a key a fresh one."""
        known = self._of_place.get(key) if key is not None else None
        return known if known is not None else self._fresh(1)

    def take_split(self, step: str, indices: tuple[int, ...], num: int) -> int:
        """The first id of ``num`` children of ``step``, opened by the task at ``indices``."""
        known = self._first_of_split.get((step, indices))
        if known is None:
            return self._fresh(num)
        # Some of the children may never have been recorded: their ids are taken all the same.
        self._next = max(self._next, known + num)
        return known

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to look up."""
        return bool(self._of_place)

    def _fresh(self, num: int) -> int:
        first = self._next
        self._next += num
        return first


def _ids(known: Known) -> Iterable[tuple[TaskKey, str]]:
    yield from ((key, one.task) for key, one in known.done.items())
    yield from ((key, one.task) for key, one in known.open.items())
    yield from ((key, one.task.partition("/")[2]) for key, one in known.failed.items())
