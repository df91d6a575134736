"""A run as plain lines with a time each: for pipes, CI and files."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import TextIO

from swell.cli.lines import BegunFirst, LineSplitter
from swell.cli.render import Paint, Stamps
from swell.cli.wording import (
    ended_together_words,
    ended_words,
    ending_words,
    failed_words,
    finished_words,
    opened_words,
    retry_words,
    status_words,
)
from swell.model.ids import JobId
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
from swell.seams.clock import Clock

STATUS_EVERY_S = 300.0
_FLUSH_EVERY_S = 0.1
_URGENT = (RunBegan, Told, TasksEnding, RunFinished)


class LineWriter:
    """Writes to ``out`` at most every 0.1 s; a reader that went away is not an error.

    What is held back is written by the next call of ``write`` or ``flush``: the caller sees
    to it that one comes soon.
    """

    def __init__(self, out: TextIO, clock: Clock = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._held: list[str] = []
        self._next_at = 0.0
        self._is_broken = False

    def write(self, lines: Sequence[str], *, is_urgent: bool = False) -> None:
        """Take ``lines``, each without its line end."""
        self._held.extend(lines)
        if self._held and (is_urgent or self._clock() >= self._next_at):
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        if not self._held:
            return
        text = "\n".join(self._held) + "\n"
        self._held.clear()
        if not self._is_broken:
            self._is_broken = not put_text(self._out, text)
        self._next_at = self._clock() + _FLUSH_EVERY_S


def put_text(out: TextIO, text: str) -> bool:
    """Write and flush ``text``; False when nobody can read there any more.

    What ``out`` cannot encode is replaced.
    """
    try:
        try:
            out.write(text)
        except UnicodeEncodeError:
            encoding = out.encoding or "ascii"
            out.write(text.encode(encoding, "replace").decode(encoding))
        out.flush()
    except (OSError, ValueError):
        return False
    return True


class PlainObserver:
    """One timestamped line for everything that happens, tasks' own lines among them.

    Times never go back from line to line: a line carries the time it was told at the
    earliest. With ``is_quiet`` hints are left out.
    """

    progress_every_s: float | None = _FLUSH_EVERY_S

    def __init__(self, paint: Paint, out: TextIO | None = None, *, is_quiet: bool = False) -> None:
        self._paint = paint
        self._writer = LineWriter(out or sys.stdout)
        self._is_quiet = is_quiet
        self._stamps = Stamps()
        self._latest_at = 0.0
        self._splitter = LineSplitter()
        self._order = BegunFirst()
        self._lock = threading.Lock()
        self._run = ""
        self._steps: tuple[str, ...] = ()
        self._heads: dict[JobId, str] = {}
        self._status_at: float | None = None

    def notice(self, notice: Notice) -> None:
        """Write the lines of ``notice``."""
        with self._lock:
            if isinstance(notice, Progress):
                self._writer.write(self._status(notice))
                return
            self._writer.write(
                [line for one in self._order.in_order(notice) for line in self._lines(one)],
                is_urgent=isinstance(notice, _URGENT),
            )

    def _lines(self, notice: Notice) -> list[str]:
        match notice:
            case Output():
                return self._output(notice)
            case TaskBegan():
                return self._begin(notice)
            case TaskEnded():
                return self._end(notice, ended_words(notice))
            case TasksEnded():
                return self._end_many(notice)
            case TaskFailed():
                return self._end(notice, self._paint.red(failed_words(notice)))
            case TaskRetries():
                return self._end(notice, self._paint.yellow(retry_words(notice)))
            case RunBegan():
                return [f"{self._stamp(notice.at)}{text}" for text in self._began(notice)]
            case ChildrenOpened():
                return [f"{self._stamp(notice.at)}{opened_words(notice)}"]
            case TasksAdopted():
                stamp = self._stamp(notice.at)
                return [
                    f"{stamp}{self._head(f'{notice.step}/{here}')}Taken over from the origin's "
                    f"task {there}."
                    for here, there in notice.tasks
                ]
            case _:
                return self._of_the_run(notice)

    def _of_the_run(self, notice: Notice) -> list[str]:
        match notice:
            case Told():
                if self._is_quiet and not notice.is_warning:
                    return []
                text = self._paint.yellow(notice.text) if notice.is_warning else notice.text
            case TasksEnding():
                text = self._paint.yellow(ending_words(notice))
            case RunFinished():
                text = self._finished(notice)
            case _:
                return []
        return [f"{self._stamp(notice.at)}{text}"]

    def _stamp(self, at: float) -> str:
        self._latest_at = max(self._latest_at, at)
        return f"{self._stamps(self._latest_at)} "

    def _head(self, place: str, pid: int | None = None) -> str:
        process = f" (pid {pid})" if pid is not None else ""
        return self._paint.dim(f"[{self._run}/{place}{process}] ")

    def _head_of(self, job: JobId, step: str) -> str:
        return self._heads.get(job) or self._head(f"{step}/{job.task}")

    def _output(self, notice: Output) -> list[str]:
        texts = self._splitter.lines(notice.job, notice.stream, notice.data)
        if not texts:
            return []
        start = f"{self._stamp(notice.at)}{self._head_of(notice.job, notice.step)}"
        return [f"{start}{text}" for text in texts]

    def _begin(self, notice: TaskBegan) -> list[str]:
        head = self._head(f"{notice.step}/{notice.job.task}", notice.pid)
        self._heads[notice.job] = head
        words = "Task starts."
        if notice.is_fallback:
            words = "Task starts once more, to record its failure for @catch."
        elif notice.job.attempt:
            words = f"Task starts again (attempt {notice.job.attempt + 1})."
        return [f"{self._stamp(notice.at)}{head}{words}"]

    def _end(self, notice: TaskEnded | TaskFailed | TaskRetries, words: str) -> list[str]:
        start = f"{self._stamp(notice.at)}{self._head_of(notice.job, notice.step)}"
        self._heads.pop(notice.job, None)
        texts = [text for _, text in self._splitter.rest(notice.job)]
        return [f"{start}{text}" for text in (*texts, words)]

    def _end_many(self, notice: TasksEnded) -> list[str]:
        caught = [self._end(one, ended_words(one)) for one in notice.ended if one.is_caught]
        done = [one for one in notice.ended if not one.is_caught]
        if not done:
            return [line for lines in caught for line in lines]
        tasks = done[0].job.task
        if len(done) > 1:
            tasks += f"…{done[-1].job.task}"
        head = self._head(f"{notice.step}/{tasks}", notice.pid)
        many = f"{self._stamp(notice.at)}{head}{ended_together_words(done)}"
        return [*(line for lines in caught for line in lines), many]

    def _status(self, notice: Progress) -> list[str]:
        if self._status_at is None:
            self._status_at = notice.at + STATUS_EVERY_S
        if notice.at < self._status_at:
            return []
        self._status_at = notice.at + STATUS_EVERY_S
        words = status_words(notice.counts, self._steps)
        return [f"{self._stamp(notice.at)}{words}"] if words else []

    def _began(self, notice: RunBegan) -> list[str]:
        number, flow = notice.run.number, notice.run.flow
        self._run, self._steps = str(number), notice.steps
        if notice.origin is None:
            return [f"Run {number} of {flow} begins."]
        return [
            f"Run {number} of {flow} resumes run {notice.origin}.",
            f"Gathering what run {notice.origin} has done, to take it over.",
        ]

    def _finished(self, notice: RunFinished) -> str:
        if notice.ok:
            return self._paint.green(finished_words(notice))
        if notice.interrupted:
            return self._paint.yellow(finished_words(notice))
        return self._paint.red(finished_words(notice))
