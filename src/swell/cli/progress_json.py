"""A run for machines: one JSON object a line, and nothing else on stdout.

Every object has ``event``, ``at`` (Unix seconds) and ``run``; the rest is in EVENTS, which
is a promise: names and meanings stay, more fields may come.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO

from swell.cli.lines import BegunFirst, LineSplitter
from swell.cli.progress import LineWriter
from swell.model.ids import JobId
from swell.model.record import Outcome
from swell.scheduler.observe import (
    ChildrenOpened,
    Notice,
    Output,
    Progress,
    RunBegan,
    RunFinished,
    TaskBegan,
    TaskEnded,
    TaskFailed,
    TaskRetries,
    TasksAdopted,
    TasksEnded,
    TasksEnding,
    Told,
)
from swell.scheduler.ready import StepCounts

_FLUSH_EVERY_S = 0.1
_URGENT = (RunBegan, Told, RunFinished)
_PROGRESS_EVERY_S = 1.0

ALWAYS: dict[str, str] = {
    "event": "which of the events below",
    "at": "when, in Unix seconds",
    "run": "the run's number",
}
"""Fields of every object."""

OF_A_TASK: dict[str, str] = {
    "step": "the step's name",
    "task": "the task's id",
    "attempt": "which try of the task, from 0",
}
"""Fields of every event on one attempt."""

OF_A_FAILURE: dict[str, str] = {
    "cause": "why: user_error, out_of_memory, timeout, signal, exit, cancelled and so on",
    "message": "the cause in words",
    "error": "null, or the exception: type, text, traceback",
}
"""Fields of every event on a failed attempt."""

EVENTS: dict[str, dict[str, str]] = {
    "run_began": {
        "flow": "the flow's name",
        "steps": "all steps, in order",
        "origin_run": "null, or the number of the run that is resumed",
    },
    "told": {"text": "a sentence for the user", "is_warning": "whether it warns"},
    "task_began": {
        **OF_A_TASK,
        "pid": "the process, or null",
        "is_fallback": "whether it only records a failure for @catch",
    },
    "output": {
        **OF_A_TASK,
        "stream": "stdout or stderr",
        "text": "one line the task printed, without its end",
    },
    "task_ended": {
        **OF_A_TASK,
        "seconds": "how long it ran",
        "is_caught": "whether it failed and @catch took it",
    },
    "task_retries": {
        **OF_A_TASK,
        **OF_A_FAILURE,
        "next_attempt": "the number of the next attempt",
        "next_at": "when it starts, in Unix seconds",
        "memory_mb": "null, or the memory it gets, more than the one that ran out of it, in MB",
    },
    "task_failed": {
        **OF_A_TASK,
        **OF_A_FAILURE,
        "is_tolerated": "whether the run goes on, by the max_failures of a foreach",
    },
    "tasks_ending": {"num": "how many running attempts are being ended", "why": "why"},
    "children_opened": {
        "parent_task": "the id of the task that opened them",
        "step": "the step they belong to",
        "num": "how many",
        "canaries": "the indices of those that go first",
    },
    "tasks_adopted": {
        "step": "the step's name",
        "tasks": "task ids taken over by resume: task (here) and origin_task (there)",
    },
    "progress": {
        "counts": "step → waiting, running, done, failed, adopted, cancelled, and waits_for: "
        "'', or what those wait for that wait: memory, cpu, gpu, a limit; every second",
    },
    "run_finished": {
        "seconds": "how long the run took",
        "ok": "whether it is done",
        "interrupted": "whether it was asked to end",
        "why": "why it ended, if not done",
        "left": "how many tasks go on elsewhere, where the driver left the run",
        "failures": "step, task, attempt and cause of each task that failed",
    },
}
"""Every event and its own fields; the last one of a run is ``run_finished``."""


class JsonObserver:
    """Writes EVENTS to ``out`` (stdout)."""

    progress_every_s: float | None = _FLUSH_EVERY_S

    def __init__(self, out: TextIO | None = None) -> None:
        import msgspec

        self._encode = msgspec.json.Encoder().encode
        self._writer = LineWriter(out or sys.stdout)
        self._splitter = LineSplitter()
        self._order = BegunFirst()
        self._lock = threading.Lock()
        self._run: int | None = None
        self._progress_at = 0.0
        self._counts: Mapping[str, StepCounts] = {}

    def notice(self, notice: Notice) -> None:
        """Write the objects of ``notice``; of a task's output, one a line."""
        with self._lock:
            if isinstance(notice, RunBegan):
                self._run = notice.run.number
            lines = [
                self._line(name, one.at, facts)
                for one in self._order.in_order(notice)
                for name, facts in self._objects(one)
            ]
            self._writer.write(lines, is_urgent=isinstance(notice, _URGENT))

    def _line(self, name: str, at: float, facts: dict[str, Any]) -> str:
        return self._encode({"event": name, "at": at, "run": self._run, **facts}).decode()

    def _objects(self, notice: Notice) -> list[tuple[str, dict[str, Any]]]:
        match notice:
            case Output():
                texts = self._splitter.lines(notice.job, notice.stream, notice.data)
                where = _task(notice.job, notice.step)
                return [
                    ("output", {**where, "stream": notice.stream, "text": text}) for text in texts
                ]
            case TaskEnded() | TaskFailed() | TaskRetries():
                where = _task(notice.job, notice.step)
                rest = [
                    ("output", {**where, "stream": stream, "text": text})
                    for stream, text in self._splitter.rest(notice.job)
                ]
                return [*rest, _end(notice, where)]
            case TasksEnded():
                return [facts for one in notice.ended for facts in _short(one, notice.pid)]
            case Progress():
                self._counts = notice.counts
                if notice.at < self._progress_at:
                    return []
                self._progress_at = notice.at + _PROGRESS_EVERY_S
                return [("progress", {"counts": notice.counts})]
            case RunFinished():
                return [("progress", {"counts": self._counts}), ("run_finished", _finished(notice))]
            case _:
                return [_plain(notice)]


def _task(job: JobId, step: str) -> dict[str, Any]:
    return {"step": step, "task": job.task, "attempt": job.attempt}


def _short(notice: TaskEnded, pid: int | None) -> list[tuple[str, dict[str, Any]]]:
    """The begin and the end of a task of which both are told at once."""
    where = _task(notice.job, notice.step)
    return [("task_began", {**where, "pid": pid, "is_fallback": False}), _end(notice, where)]


def _failure(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "cause": outcome.cause.value,
        "message": outcome.message,
        "error": {"type": error.type, "text": error.text, "traceback": error.traceback}
        if error is not None
        else None,
    }


def _end(
    notice: TaskEnded | TaskFailed | TaskRetries, where: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    match notice:
        case TaskEnded():
            facts = {"seconds": notice.seconds, "is_caught": notice.is_caught}
            return "task_ended", {**where, **facts}
        case TaskFailed():
            tolerated = {"is_tolerated": notice.is_tolerated}
            return "task_failed", {**where, **_failure(notice.outcome), **tolerated}
        case TaskRetries():
            memory_mb = notice.growth.to_mb if notice.growth is not None else None
            after = {
                "next_attempt": notice.attempt,
                "next_at": notice.next_at,
                "memory_mb": memory_mb,
            }
            return "task_retries", {**where, **_failure(notice.outcome), **after}


def _finished(notice: RunFinished) -> dict[str, Any]:
    return {
        "seconds": notice.seconds,
        "ok": notice.ok,
        "interrupted": notice.interrupted,
        "why": notice.why,
        "left": notice.left,
        "failures": [
            {**_task(one.job, one.step), "cause": one.outcome.cause.value}
            for one in notice.failures
        ],
    }


def _plain(notice: Notice) -> tuple[str, dict[str, Any]]:
    match notice:
        case RunBegan():
            origin = notice.origin
            return "run_began", {
                "flow": notice.run.flow,
                "steps": notice.steps,
                "origin_run": origin,
            }
        case Told():
            return "told", {"text": notice.text, "is_warning": notice.is_warning}
        case TaskBegan():
            facts = {"pid": notice.pid, "is_fallback": notice.is_fallback}
            return "task_began", {**_task(notice.job, notice.step), **facts}
        case TasksEnding():
            return "tasks_ending", {"num": notice.num, "why": notice.why}
        case ChildrenOpened():
            return "children_opened", {
                "parent_task": notice.task,
                "step": notice.step,
                "num": notice.num,
                "canaries": notice.canaries,
            }
        case TasksAdopted():
            pairs = [{"task": here, "origin_task": there} for here, there in notice.tasks]
            return "tasks_adopted", {"step": notice.step, "tasks": pairs}
        case _:
            raise AssertionError(f"{type(notice).__name__} has fields of its own")
