"""Where the time of a run went, from the facts on its tasks and attempts; pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from swell.model.facts import AttemptFact, TaskFact

PHASES = ("wait", "queue", "start", "load", "code", "save", "report")
"""What an attempt passes through, in this order.

``wait``: all it needs is there, but no slot or no room for it, or a retry's pause.
``queue``: the backend has it; its process does not exist yet.
``start``: its process exists; the step has not been reached.
``load``: reading artifacts. ``code``: the step itself, with its decorators.
``save``: storing artifacts and cards. ``report``: until the driver knew of its end.
"""
_PHASE = {name: number for number, name in enumerate(PHASES)}


class Span(NamedTuple):
    """One attempt in Unix seconds: it could have begun at ``begin``; ``seconds`` by PHASES."""

    step: str
    task: str
    attempt: int
    begin: float
    seconds: tuple[float, ...]

    @property
    def end(self) -> float:
        """When the driver knew of its end."""
        return self.begin + sum(self.seconds)

    def of(self, phase: str) -> float:
        """Seconds of one phase."""
        return self.seconds[_PHASE[phase]]

    @property
    def is_on_since(self) -> float:
        """When its process began."""
        return self.begin + self.of("wait") + self.of("queue")


class StepTime(NamedTuple):
    """One step: ``totals`` and ``typical`` (the median attempt) in seconds by PHASES.

    ``begin`` and ``end`` are those of its first and last attempt.
    """

    name: str
    tasks: int
    attempts: int
    begin: float
    end: float
    totals: tuple[float, ...]
    typical: tuple[float, ...]


class TimeSpent(NamedTuple):
    """``path`` is the critical path: each attempt on it waited for the one before.

    ``spans`` are all attempts that ended, by their begin; ``unfinished`` attempts still run,
    or never told an end.
    """

    begin: float
    end: float
    steps: tuple[StepTime, ...]
    path: tuple[Span, ...]
    spans: tuple[Span, ...]
    unfinished: int

    def on_path(self) -> dict[str, float]:
        """Seconds of each phase on the critical path; 'rest' is what lies between."""
        sums = {name: sum(span.of(name) for span in self.path) for name in PHASES}
        return {**sums, "rest": max(0.0, self.end - self.begin - sum(sums.values()))}


def time_spent(
    begin: float,
    tasks: Iterable[TaskFact],
    attempts: Iterable[AttemptFact],
    order: Sequence[str],
) -> TimeSpent:
    """``begin`` of the run; ``order`` of its steps. Tasks taken over by resume took no time.

    Clocks of other machines may differ: no phase is below 0.
    """
    of_task: dict[str, list[AttemptFact]] = {}
    for attempt in attempts:
        of_task.setdefault(attempt.job.task, []).append(attempt)
    here = {
        one.created.task: one
        for one in tasks
        if one.created.origin_task is None and one.created.task in of_task
    }
    ended = {name: max(one.ended_at or 0.0 for one in of_task[name]) for name in here}
    spans: dict[str, list[Span]] = {}
    unfinished = 0
    for name, task in here.items():
        ready = max((ended.get(_id(one), 0.0) for one in task.created.parents), default=0.0)
        free_at = max(ready, begin)
        for attempt in sorted(of_task[name], key=lambda one: one.job.attempt):
            if attempt.ended_at is None:
                unfinished += 1
                continue
            asked_at = task.created.created_at if attempt.job.attempt == 0 else None
            span = _span(attempt, free_at, asked_at)
            spans.setdefault(name, []).append(span)
            free_at = span.end
    everything = sorted(
        (span for several in spans.values() for span in several), key=lambda one: one.begin
    )
    return TimeSpent(
        begin=begin,
        end=max((span.end for span in everything), default=begin),
        steps=_steps(everything, order),
        path=_path(here, spans),
        spans=tuple(everything),
        unfinished=unfinished,
    )


def _id(path: str) -> str:
    return path.rpartition("/")[2]


def _span(attempt: AttemptFact, free_at: float, asked_at: float | None) -> Span:
    """The phases of an attempt that ended, each from where the one before stopped."""
    outcome, ended_at = attempt.outcome, attempt.ended_at or free_at
    began_at = attempt.started_at if attempt.started_at is not None else ended_at
    asked_at = began_at if asked_at is None else asked_at
    has_told = outcome is not None and outcome.started_at > 0.0
    reached_at = outcome.started_at if outcome is not None and has_told else began_at
    left_at = outcome.ended_at if outcome is not None and has_told else ended_at
    load_s = outcome.load_s if outcome is not None else 0.0
    save_s = outcome.save_s if outcome is not None else 0.0
    marks = [free_at]
    for mark in (asked_at, began_at, reached_at, left_at, ended_at):
        marks.append(min(max(mark, marks[-1]), max(ended_at, marks[-1])))
    wait, queue, start, inside, report = (after - before for before, after in pairwise(marks))
    load_s = min(load_s, inside)
    save_s = min(save_s, inside - load_s)
    code = inside - load_s - save_s
    seconds = (wait, queue, start, load_s, code, save_s, report)
    return Span(attempt.step, attempt.job.task, attempt.job.attempt, free_at, seconds)


def _steps(spans: Sequence[Span], order: Sequence[str]) -> tuple[StepTime, ...]:
    by_step: dict[str, list[Span]] = {}
    for span in spans:
        by_step.setdefault(span.step, []).append(span)
    known = [name for name in order if name in by_step]
    names = [*known, *(name for name in by_step if name not in known)]
    return tuple(_step(name, by_step[name]) for name in names)


def _step(name: str, spans: Sequence[Span]) -> StepTime:
    columns = list(zip(*(span.seconds for span in spans), strict=True))
    return StepTime(
        name=name,
        tasks=len({span.task for span in spans}),
        attempts=len(spans),
        begin=min(span.is_on_since for span in spans),
        end=max(span.end for span in spans),
        totals=tuple(sum(column) for column in columns),
        typical=tuple(statistics.median(column) for column in columns),
    )


def _path(tasks: Mapping[str, TaskFact], spans: Mapping[str, Sequence[Span]]) -> tuple[Span, ...]:
    """From the attempt that ended last back over the parent that ended last, and so on."""
    found: list[Span] = []
    name = max(spans, key=lambda one: spans[one][-1].end, default=None)
    while name is not None:
        found += reversed(spans[name])
        parents = [_id(one) for one in tasks[name].created.parents]
        name = max(
            (one for one in parents if one in spans),
            key=lambda one: spans[one][-1].end,
            default=None,
        )
    return tuple(reversed(found))
