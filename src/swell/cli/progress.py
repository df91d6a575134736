"""A run as lines: for pipes and logs with a time each, or as JSON for machines."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TextIO

from swell.cli.render import Paint, Stamps, count_text, duration_text
from swell.model.ids import JobId, RunId
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
    Told,
)

STATUS_EVERY_S = 300.0
_LONGEST_PARTIAL_LINE = 1 << 16


class LineSplitter:
    """Puts together lines from chunks; of a progress bar's line the last state counts."""

    def __init__(self) -> None:
        self._rest: dict[tuple[JobId, str], bytes] = {}

    def lines(self, job: JobId, stream: str, data: bytes) -> list[str]:
        """Whole lines that ``data`` completes."""
        key = (job, stream)
        parts = (self._rest.pop(key, b"") + data).split(b"\n")
        rest = parts.pop()
        if len(rest) > _LONGEST_PARTIAL_LINE:
            parts.append(rest)
        elif rest:
            self._rest[key] = rest
        return [_last_state(part) for part in parts]

    def rest(self, job: JobId) -> list[str]:
        """What ``job`` left without an end of line."""
        keys = [key for key in (((job, "stdout")), ((job, "stderr"))) if key in self._rest]
        return [_last_state(self._rest.pop(key)) for key in keys]


class PlainObserver:
    """One timestamped line for everything that happens, tasks' own lines among them."""

    progress_every_s: float | None = STATUS_EVERY_S

    def __init__(self, paint: Paint, out: TextIO | None = None) -> None:
        self._paint = paint
        self._out = out or sys.stdout
        self._stamps = Stamps()
        self._splitter = LineSplitter()
        self._lock = threading.Lock()
        self._run = ""
        self._pids: dict[JobId, int | None] = {}
        self._saw_first_status = False

    def notice(self, notice: Notice) -> None:
        """Write the lines of ``notice``."""
        with self._lock:
            lines = self._lines(notice)
            if lines:
                self._out.write("".join(f"{line}\n" for line in lines))
                self._out.flush()

    def _lines(self, notice: Notice) -> list[str]:
        stamp = self._stamps(notice.at)
        match notice:
            case Output():
                head = f"{stamp} {self._task(notice.step, notice.job, notice.pid)}"
                texts = self._splitter.lines(notice.job, notice.stream, notice.data)
                return [f"{head}{text}" for text in texts]
            case TaskBegan():
                return [f"{stamp} {self._begin(notice)}"]
            case TaskEnded():
                return self._end(stamp, notice.step, notice.job, _ended_words(notice))
            case TaskFailed():
                words = self._paint.red(f"Task failed: {failure_words(notice.outcome)}")
                return self._end(stamp, notice.step, notice.job, words)
            case TaskRetries():
                words = self._paint.yellow(_retry_words(notice))
                return self._end(stamp, notice.step, notice.job, words)
            case RunBegan():
                self._run = str(notice.run.number)
                return [f"{stamp} {_began_words(notice)}"]
            case ChildrenOpened():
                opened = count_text(notice.num, "task")
                return [f"{stamp} Step '{notice.step}' opens {opened}."]
            case TasksAdopted():
                return [
                    f"{stamp} {self._task(notice.step, JobId(here, 0), None)}"
                    f"Taken over from the origin's task {there}."
                    for here, there in notice.tasks
                ]
            case Told():
                text = self._paint.yellow(notice.text) if notice.is_warning else notice.text
                return [f"{stamp} {text}"]
            case Progress():
                return self._status(stamp, notice)
            case RunFinished():
                return [f"{stamp} {self._finished(notice)}"]

    def _task(self, step: str, job: JobId, pid: int | None) -> str:
        shown = pid if pid is not None else self._pids.get(job)
        process = f" (pid {shown})" if shown is not None else ""
        return self._paint.dim(f"[{self._run}/{step}/{job.task}{process}] ")

    def _begin(self, notice: TaskBegan) -> str:
        self._pids[notice.job] = notice.pid
        words = "Task starts."
        if notice.is_fallback:
            words = "Task starts once more, to record its failure for @catch."
        elif notice.job.attempt:
            words = f"Task starts again (attempt {notice.job.attempt + 1})."
        return self._task(notice.step, notice.job, notice.pid) + words

    def _end(self, stamp: str, step: str, job: JobId, words: str) -> list[str]:
        head = f"{stamp} {self._task(step, job, None)}"
        self._pids.pop(job, None)
        return [f"{head}{text}" for text in (*self._splitter.rest(job), words)]

    def _status(self, stamp: str, notice: Progress) -> list[str]:
        if not self._saw_first_status:
            self._saw_first_status = True
            return []
        parts = []
        for step, counts in notice.counts.items():
            if counts.running or counts.waiting:
                parts.append(f"{step}: {counts.running:,} run, {counts.waiting:,} wait")
        return [f"{stamp} {'; '.join(parts)}."] if parts else []

    def _finished(self, notice: RunFinished) -> str:
        took = duration_text(notice.seconds)
        if notice.ok:
            return self._paint.green(f"Run {notice.run.number} is done, in {took}.")
        if notice.interrupted:
            return self._paint.yellow(f"Run {notice.run.number} was ended: {notice.why}.")
        return self._paint.red(f"Run {notice.run.number} failed, after {took}.")


class JsonObserver:
    """One JSON object a line: ``{"event": "task_ended", "at": …, …}``."""

    progress_every_s: float | None = 1.0

    def __init__(self, out: TextIO | None = None) -> None:
        import msgspec

        self._out = out or sys.stdout
        self._encode: Callable[[object], bytes] = msgspec.json.encode
        self._splitter = LineSplitter()
        self._lock = threading.Lock()
        self._run: RunId | None = None

    def notice(self, notice: Notice) -> None:
        """Write the object of ``notice``; a task's output as one object a line of it."""
        import msgspec

        if isinstance(notice, RunBegan):
            self._run = notice.run
        name = _snake_case(type(notice).__name__)
        with self._lock:
            if isinstance(notice, Output):
                texts = self._splitter.lines(notice.job, notice.stream, notice.data)
                facts = {"job": notice.job._asdict(), "step": notice.step, "at": notice.at}
                for text in texts:
                    self._write({"event": name, **facts, "stream": notice.stream, "text": text})
                return
            fields = msgspec.to_builtins(notice)
            for key in ("job", "run"):
                value = getattr(notice, key, None)
                if value is not None:
                    fields[key] = value._asdict()
            self._write({"event": name, **fields})

    def _write(self, fields: dict[str, object]) -> None:
        self._out.write(self._encode(fields).decode() + "\n")
        self._out.flush()


def failure_words(outcome: Outcome) -> str:
    """'user error: ValueError: bad', 'signal: Ended by SIGSEGV (segmentation fault).'"""
    cause = outcome.cause.value.replace("_", " ")
    return f"{cause}: {outcome.message}" if outcome.message else cause


def _ended_words(notice: TaskEnded) -> str:
    took = duration_text(notice.seconds)
    if notice.is_caught:
        return f"Task failed and was caught, after {took}."
    return f"Task is done, in {took}."


def _retry_words(notice: TaskRetries) -> str:
    wait = notice.next_at - notice.at
    when = f"in {duration_text(wait)}" if wait > 0.5 else "now"
    return (
        f"Attempt {notice.job.attempt + 1} failed: {failure_words(notice.outcome)} "
        f"The next one starts {when}."
    )


def _began_words(notice: RunBegan) -> str:
    if notice.origin is not None:
        return f"Run {notice.run.number} of {notice.run.flow} resumes run {notice.origin}."
    return f"Run {notice.run.number} of {notice.run.flow} begins."


def _last_state(line: bytes) -> str:
    text = line.rstrip(b"\r")
    return text[text.rfind(b"\r") + 1 :].decode("utf-8", "replace")


def _snake_case(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
