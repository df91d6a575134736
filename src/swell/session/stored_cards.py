"""``get_cards`` as notebooks, scripts and tasks import it, joined to the client's tasks."""

from __future__ import annotations

from typing import Any

from swell.cards.collection import TaskCards, access, get_cards
from swell.client.query import origin_of
from swell.errors import DataMissing, InvalidPathspec
from swell.session.notebook import Task

__all__ = ["get_cards"]


def cards_of(task: Any, follow_resumed: bool) -> TaskCards:
    """The cards of a Task or of ``Flow/run/step/task``; see ``swell.cards.get_cards``.

    Where resume took the task over, ``follow_resumed`` shows its origin's. Raises
    InvalidPathspec, NotFound, NamespaceMismatch.
    """
    found = _task(task)
    stored = found._stored()
    refs = stored.record.cards if stored is not None else ()
    origin = found.origin_pathspec
    if origin is not None:
        # The record was taken over whole, cards and all.
        refs, origin = (refs, _first_origin(found)) if follow_resumed else ((), None)
    return TaskCards(found.pathspec, refs, found._place.stores.load_card, origin)


def _first_origin(task: Task) -> str | None:
    """The path of the task that really ran, over any number of resumes."""
    try:
        run, fact = origin_of(task._place.stores, task._run, task._fact)
    except DataMissing:
        return task.origin_pathspec
    return f"{run.id}/{fact.created.step}/{fact.created.task}"


def _task(task: Any) -> Task:
    if isinstance(task, Task):
        return task
    if isinstance(task, str):
        return Task(task)
    raise InvalidPathspec(
        f"get_cards was given a {type(task).__name__}, not a Task or its path.",
        remedy="Give it a Task, or a path like 'MyFlow/15/start/1'.",
    )


access.install_opener(cards_of)
