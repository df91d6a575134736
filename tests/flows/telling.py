"""What a run left, without what no two runs have alike: to compare runs of one script."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import swell
from tests.flows.writing import Ran

_NUMBERED = re.compile(r"\d+(?= (?:out|err) \d)")
"""Tasks of a foreach are numbered as they become ready: lines that name themselves by it."""


class Attempt(NamedTuple):
    """How one attempt ended and what it printed."""

    cause: str | None
    exception: tuple[str, ...] | None
    stdout: str
    stderr: str


class Told(NamedTuple):
    """One task: its place, what it left by content, and its attempts."""

    place: tuple[tuple[str, int], ...]
    artifacts: dict[str, str]
    attempts: tuple[Attempt, ...]
    cards: int


def tell(ran: Ran) -> list[Told]:
    """Of all tasks of ``ran``, in order of their places."""
    return sorted(_told(ran, task) for task in ran.all_tasks())


def _told(ran: Ran, task: Any) -> Told:
    varying = ran.behaviour.varying
    artifacts = {one.id: one.sha for one in task if one.id not in varying}
    count = task.current_attempt + 1
    attempts = tuple(_attempt(ran, swell.Task(task.pathspec, attempt=n)) for n in range(count))
    return Told(_place(task), artifacts, attempts, len(list(swell_cards(task))))


def _attempt(ran: Ran, task: Any) -> Attempt:
    found = task.exception
    exception = None
    if found is not None:
        texts = (str(found.exception), str(found), found.stacktrace or "")
        exception = (found.type, *map(_plain, texts))
    return Attempt(task.cause, exception, _plain(task.stdout), _plain(task.stderr))


def _place(task: Any) -> tuple[tuple[str, int], ...]:
    own = (task.parent.id, -1 if task.index is None else task.index)
    for parent in task.parent_tasks:
        return (*_place(parent), own)
    return (own,)


def _plain(text: str) -> str:
    """Without the places of files and the numbers of tasks."""
    return _NUMBERED.sub("N", re.sub(r"/[^\s\"]*/(\w+\.py)", r"\1", text))


def swell_cards(task: Any) -> Any:
    """The cards of a task."""
    from swell.cards import get_cards

    return get_cards(task)
