"""Failures told by the dozen: which have one cause; pure, and small however many there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from swell.model.cause import Cause
from swell.scheduler.observe import TaskFailed

CAUSES_KEPT = 50
"""Further causes are only counted."""
MESSAGES_OF_ONE_LINE = 4
"""An exception of one line with more kinds of messages is one cause: its text names the item."""
OTHERS_KEPT = 7
"""So many tasks beside the example are named."""

_FRAME = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)
_LIBRARY = re.compile(r"/(?:site|dist)-packages/|/lib/python\d|^<")
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+(?:[.,]\d+)*", re.IGNORECASE)


class FailureGroup(msgspec.Struct):
    """Failures of one cause: the first as example, how many, and some others' 'step/task'."""

    first: TaskFailed
    count: int = 1
    others: list[str] = []

    def add(self, failure: TaskFailed) -> None:
        """One more of the kind."""
        self.count += 1
        if len(self.others) < OTHERS_KEPT:
            self.others.append(f"{failure.step}/{failure.job.task}")

    def merge(self, other: FailureGroup) -> None:
        """Take in what turned out to be of the same kind."""
        self.count += other.count
        first = f"{other.first.step}/{other.first.job.task}"
        self.others = [*self.others, first, *other.others][:OTHERS_KEPT]


class Spot(NamedTuple):
    """Where and of what kind a failure is: step, cause, exception, the user's own line."""

    step: str
    cause: str
    type: str
    file: str
    line: str


def spot_of(failure: TaskFailed) -> Spot:
    """The spot of a failure; without an exception only its step and cause."""
    outcome = failure.outcome
    if outcome.error is None:
        return Spot(failure.step, outcome.cause.value, "", "", "")
    file, line = _users_frame(outcome.error.traceback)
    return Spot(failure.step, outcome.cause.value, outcome.error.type, file, line)


def masked(text: str) -> str:
    """A message without what differs from item to item: numbers and addresses."""
    return _NUMBER.sub("#", text)


class FailureTally:
    """Takes failures one by one. What was ended with its run is no failure of its own."""

    def __init__(self) -> None:
        self._groups: dict[Spot, dict[str, FailureGroup]] = {}
        self._num_groups = 0
        self._tasks_of_step: dict[str, int] = {}
        self.other_tasks = 0
        """Tasks of causes past the 50th."""

    def add(self, failure: TaskFailed) -> None:
        """Count ``failure``."""
        if failure.outcome.cause is Cause.CANCELLED:
            return
        step = failure.step
        self._tasks_of_step[step] = self._tasks_of_step.get(step, 0) + 1
        spot = spot_of(failure)
        here = self._groups.get(spot)
        if here is None:
            if self._num_groups >= CAUSES_KEPT:
                self.other_tasks += 1
                return
            here = self._groups[spot] = {}
        error = failure.outcome.error
        message = masked(error.text if error is not None else failure.outcome.message)
        group = here.get(message) or here.get("")
        if group is not None:
            group.add(failure)
            return
        here[message] = FailureGroup(failure, others=[])
        self._num_groups += 1
        if len(here) > MESSAGES_OF_ONE_LINE:
            first, *rest = here.values()
            for other in rest:
                first.merge(other)
            self._num_groups -= len(rest)
            here.clear()
            here[""] = first

    def groups(self) -> list[FailureGroup]:
        """The largest first, then by the first failure."""
        found = [group for here in self._groups.values() for group in here.values()]
        return sorted(found, key=lambda group: group.count, reverse=True)

    @property
    def steps(self) -> tuple[str, ...]:
        """Steps with failures, in the order of their first."""
        return tuple(self._tasks_of_step)

    @property
    def total(self) -> int:
        """All failed tasks."""
        return sum(self._tasks_of_step.values())


def tally_of(failures: Iterable[TaskFailed]) -> FailureTally:
    """All of ``failures``, counted."""
    tally = FailureTally()
    for failure in failures:
        tally.add(failure)
    return tally


def slim(failure: TaskFailed) -> TaskFailed:
    """The same without its traceback, for where thousands are kept."""
    error = failure.outcome.error
    if error is None:
        return failure
    error = msgspec.structs.replace(error, traceback="")
    outcome = msgspec.structs.replace(failure.outcome, error=error)
    return msgspec.structs.replace(failure, outcome=outcome)


def _users_frame(traceback: str) -> tuple[str, str]:
    """(file, line) of the last frame that is no library's, else of the last; in text, as the
    failure may come from another machine."""
    frames: list[tuple[str, str]] = _FRAME.findall(traceback)
    own = [frame for frame in frames if not _LIBRARY.search(frame[0])]
    return (own or frames or [("", "")])[-1]
