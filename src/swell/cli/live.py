"""The live view of a run on a terminal: where the steps stand, below what tasks print."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TextIO

from swell.cli.lines import LineSplitter
from swell.cli.live_layout import (
    ASCII_GLYPHS,
    Glyphs,
    Tail,
    cell_width,
    coloured_text,
    frame,
    painted,
    plain_text,
)
from swell.cli.live_output import HeldTracebacks, OutputGates, Shown
from swell.cli.live_screen import Screen
from swell.cli.live_state import RunView
from swell.cli.render import Paint, count_text, duration_text
from swell.cli.wording import (
    ending_words,
    failure_words,
    opened_words,
    retry_words,
    sentence,
    was_ended,
)
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
    TasksEnded,
    TasksEnding,
    Told,
)
from swell.seams.clock import Clock

REFRESH_S = 0.125
_HOLD_TRACEBACK_S = 0.5
_EVER = float("inf")
_MAX_FAILURES_TOLD = 20
_MAX_PLACE = 24


class LiveObserver:
    """Draws at most 8 times a second, in the thread of the run's loop.

    The backend's thread only leaves lines to be drawn. ``logs_command`` begins the command
    that shows a run's output; the run's number follows it.
    """

    progress_every_s: float | None = REFRESH_S

    def __init__(
        self,
        paint: Paint,
        out: TextIO,
        *,
        logs_command: str,
        is_quiet: bool = False,
        clock: Clock = time.time,
    ) -> None:
        self._paint = paint
        self._screen = Screen(out)
        self._glyphs = glyphs_for(out)
        self._logs_command = logs_command
        self._is_quiet = is_quiet
        self._clock = clock
        self._lock = threading.Lock()
        self._view = RunView()
        self._splitter = LineSplitter()
        self._gates = OutputGates()
        self._tracebacks = HeldTracebacks()
        self._above: list[str] = []
        self._failures_told = 0
        self._place_width = 0
        self._next_draw_at = 0.0

    def notice(self, notice: Notice) -> None:
        """Take ``notice``; draw if it is time."""
        with self._lock:
            if isinstance(notice, Output):
                self._take_output(notice)
                return
            self._view.take(notice)
            self._tell(notice)
            if isinstance(notice, RunFinished):
                self._show(self._tracebacks.release(_EVER), notice.at)
                self._tell_gaps(_EVER)
                self._draw(notice.at)
            elif isinstance(notice, Progress):
                self._show(self._tracebacks.release(notice.at - _HOLD_TRACEBACK_S), notice.at)
                if notice.at >= self._next_draw_at:
                    self._tell_gaps(notice.at)
                    self._draw(notice.at)

    # --- what scrolls by -----------------------------------------------------------

    def _take_output(self, notice: Output) -> None:
        texts = self._splitter.lines(notice.job, notice.stream, notice.data)
        if not texts:
            return
        place = f"{notice.step}/{notice.job.task}"
        shown = [
            Shown(place, text)
            for text in texts
            if notice.stream != "stderr"
            or not self._tracebacks.takes(notice.job, place, text, notice.at)
        ]
        self._show(shown, notice.at)
        if self._view.finished is not None:
            self._draw(notice.at)

    def _show(self, lines: Sequence[Shown], at: float) -> None:
        for line in lines:
            step = line.place.partition("/")[0]
            if self._gates.passes(step, line, at):
                self._above.append(self._output_line(line))

    def _tell_gaps(self, at: float) -> None:
        """Say how many lines of which step did not scroll by, once it is calm."""
        for step, hidden in self._gates.gaps(at):
            which = f"{count_text(hidden, 'line')} of {step} not shown here"
            text = f"{self._glyphs.more} {which}: {self._command()}/{step}"
            self._above.append(self._paint.dim(text))

    def _output_line(self, line: Shown) -> str:
        width = cell_width(line.place)
        self._place_width = max(self._place_width, min(width, _MAX_PLACE))
        head = line.place + " " * (self._place_width - width) + f" {self._glyphs.edge} "
        return self._paint.dim(head) + coloured_text(line.text)

    def _tell(self, notice: Notice) -> None:
        match notice:
            case TaskEnded():
                self._end(notice, None)
                if notice.is_caught:
                    took = duration_text(notice.seconds)
                    self._say("yellow", f"{_place(notice)} failed and was caught, after {took}.")
            case TasksEnded():
                for one in notice.ended:
                    if one.is_caught:
                        self._tell(one)
            case TaskFailed():
                self._end(notice, notice)
                self._tell_failure(notice)
            case TaskRetries():
                self._end(notice, notice)
                self._say("yellow", f"{_place(notice)}: {retry_words(notice)}")
            case TaskBegan(is_fallback=True):
                self._say("yellow", f"{_place(notice)} starts once more, for @catch.")
            case ChildrenOpened():
                if notice.canaries and not self._is_quiet:
                    self._say("dim", opened_words(notice))
            case TasksEnding():
                self._say("yellow", ending_words(notice))
            case Told():
                if notice.is_warning or not self._is_quiet:
                    self._say("yellow" if notice.is_warning else "dim", notice.text)
            case RunBegan():
                self._draw(notice.at)

    def _end(
        self, notice: TaskEnded | TaskFailed | TaskRetries, failed: TaskFailed | TaskRetries | None
    ) -> None:
        place = _place(notice)
        for stream, text in self._splitter.rest(notice.job):
            if stream != "stderr" or not self._tracebacks.takes(notice.job, place, text, notice.at):
                self._show([Shown(place, text)], notice.at)
        error = failed.outcome.error if failed is not None else None
        traceback = error.traceback if error is not None else None
        self._show(self._tracebacks.end(notice.job, traceback), notice.at)

    def _tell_failure(self, notice: TaskFailed) -> None:
        if was_ended(notice):
            return
        self._failures_told += 1
        if self._failures_told <= _MAX_FAILURES_TOLD:
            words = sentence(failure_words(notice.outcome))
            style = "yellow" if notice.is_tolerated else "red"
            self._say(style, f"{self._glyphs.failed} {_place(notice)} failed: {words}")
        elif self._failures_told == _MAX_FAILURES_TOLD + 1:
            self._say("red", "Further failures are counted below.")

    def _say(self, style: str, text: str) -> None:
        self._above.append(self._paint.styled(plain_text(text), style))

    # --- drawing -------------------------------------------------------------------

    def _draw(self, at: float) -> None:
        size = self._screen.size()
        columns = size[0]
        tail = None
        if self._gates.is_hiding(at):
            lines = [(line.place, plain_text(line.text)) for line in self._gates.tail]
            tail = Tail(lines, self._gates.hidden, self._command())
        lines_of_view = frame(self._view, at, size, self._glyphs, tail)
        block = [painted(line, columns, self._paint, self._glyphs.more) for line in lines_of_view]
        above, self._above = self._above, []
        self._screen.draw(above, block, columns)
        self._next_draw_at = self._clock() + REFRESH_S * 0.9

    def _command(self) -> str:
        return f"{self._logs_command} {self._view.number}"


def glyphs_for(out: TextIO) -> Glyphs:
    """Signs that ``out`` can encode."""
    signs = Glyphs()
    try:
        "".join(signs).encode(out.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return ASCII_GLYPHS
    return signs


def _place(notice: TaskBegan | TaskEnded | TaskFailed | TaskRetries) -> str:
    return f"{notice.step}/{notice.job.task}"
