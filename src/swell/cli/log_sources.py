"""Where the log of a task is: its own, or, for one that resume took over, its origin's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from swell.cli.paths import Found
from swell.datastore.logs import STDERR, STDOUT, SYSTEM, LogLine
from swell.errors import NotFound
from swell.model.facts import RunFact, TaskFact
from swell.model.ids import RunId
from swell.session.reading import LocalStores

_ONE_PASS_BYTES = 64_000_000
"""Logs of a run up to this size are read in one go when many tasks are looked at."""
_MANY_TASKS = 8

STREAMS = {
    "both": (STDOUT, STDERR, SYSTEM),
    "stdout": (STDOUT,),
    "stderr": (STDERR,),
}
"""The streams that each choice of the user shows."""


class LogSource(NamedTuple):
    """The log of one attempt of one task. ``fact`` is the task as it was asked for.

    ``origin`` is the path 'run/step/task' of the task that really ran, where it is not
    this one; ``is_missing``: it is not in the store any more.
    """

    fact: TaskFact
    run: RunId
    task: str
    attempt: int
    origin: str | None = None
    is_missing: bool = False


def log_sources(stores: LocalStores, found: Found, attempt: int | None) -> list[LogSource]:
    """The logs of the tasks of ``found``; of ``attempt``, or the latest.

    Raises NotFound when no task has that attempt.
    """
    origins = _Origins(stores)
    sources = []
    for fact in found.tasks:
        source = origins.source(found.run, fact)
        if attempt is None:
            sources.append(source)
        elif attempt <= source.attempt:
            sources.append(source._replace(attempt=attempt))
    if attempt is not None and found.tasks and not sources:
        most = max(origins.source(found.run, fact).attempt for fact in found.tasks)
        raise NotFound(
            f"No attempt {attempt} was made.",
            remedy=f"Attempts are numbered from 0; the last one is {most}.",
        )
    return sources


class _Origins:
    """Runs whose tasks were taken over, each read once."""

    def __init__(self, stores: LocalStores) -> None:
        self._stores = stores
        self._runs: dict[RunId, tuple[RunFact, dict[str, TaskFact]] | None] = {}

    def source(self, run: RunFact, fact: TaskFact) -> LogSource:
        asked = fact
        origin: str | None = None
        while fact.created.origin_task is not None and run.origin_run is not None:
            _, _, task = fact.created.origin_task.partition("/")
            origin = f"{run.origin_run}/{fact.created.origin_task}"
            known = self._run(RunId(run.id.flow, run.origin_run))
            if known is None or task not in known[1]:
                return LogSource(asked, run.id, task, 0, origin, is_missing=True)
            run, fact = known[0], known[1][task]
        return LogSource(asked, run.id, fact.created.task, fact.attempt or 0, origin)

    def _run(self, run: RunId) -> tuple[RunFact, dict[str, TaskFact]] | None:
        if run not in self._runs:
            fact = self._stores.metastore.run(run)
            tasks = self._stores.metastore.tasks(run) if fact is not None else []
            by_id = {task.created.task: task for task in tasks}
            self._runs[run] = None if fact is None else (fact, by_id)
        return self._runs[run]


def logged_lines(
    stores: LocalStores, sources: Iterable[LogSource], streams: tuple[str, ...]
) -> Iterator[tuple[LogSource, Iterable[LogLine]]]:
    """The lines of each source, in order of arrival; one source in memory at a time, or
    all of a run's log where it is small."""
    listed = list(sources)
    by_run: dict[RunId, list[LogSource]] = {}
    for source in listed:
        by_run.setdefault(source.run, []).append(source)
    grouped: dict[tuple[RunId, str, int], list[LogLine]] = {}
    for run, of_run in by_run.items():
        reader = stores.logs(run)
        if len(of_run) > _MANY_TASKS and reader.size() <= _ONE_PASS_BYTES:
            grouped.update({(run, source.task, source.attempt): [] for source in of_run})
            for line in reader.lines():
                lines = grouped.get((run, line.task, line.attempt))
                if lines is not None and line.stream in streams:
                    lines.append(line)
    for source in listed:
        key = (source.run, source.task, source.attempt)
        if key in grouped:
            yield source, grouped.pop(key)
        else:
            only = streams[0] if len(streams) == 1 else None
            yield source, stores.logs(source.run).lines(source.task, source.attempt, only)
