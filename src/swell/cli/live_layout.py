"""Lays out the live view: from what is known of a run to lines that fit the terminal; pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

from swell.cli.live_state import RunView, StepTimes
from swell.cli.render import Paint, count_text, duration_text
from swell.cli.wording import waiting_words
from swell.scheduler.ready import StepCounts

Style = Literal["", "bold", "dim", "red", "yellow", "green", "cyan"]

MAX_STEP_ROWS = 16
_BAR_WIDTH = 24
_NARROW_BAR_WIDTH = 10
_MAX_NAME = 30
_TAIL_LINES = 4

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_COLOURS_ONLY = re.compile(r"\x1b\[[0-9;:]*m")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


class Glyphs(NamedTuple):
    """Signs of the view; those of ASCII are for terminals that know no others."""

    done: str = "✓"
    failed: str = "✗"
    active: str = "●"
    waiting: str = "○"
    ahead: str = "·"
    ended: str = "–"
    bar: str = "━"
    rail: str = "─"
    edge: str = "│"
    dot: str = " · "
    more: str = "…"


ASCII_GLYPHS = Glyphs("v", "x", "*", "o", ".", "-", "#", "-", "|", ", ", "...")


class Cell(NamedTuple):
    """A piece of a line in one style."""

    text: str
    style: Style = ""


Line = tuple[Cell, ...]


class Tail(NamedTuple):
    """The latest lines of tasks while they come too fast to scroll by; ``hidden`` counts them.

    ``lines`` are (place, text); ``command`` shows all of them.
    """

    lines: Sequence[tuple[str, str]]
    hidden: int
    command: str


class _Row(NamedTuple):
    sign: Cell
    name: str
    counts: StepCounts
    took: str
    details: tuple[Cell, ...]


def frame(
    view: RunView, now: float, size: tuple[int, int], glyphs: Glyphs, tail: Tail | None = None
) -> list[Line]:
    """The view at ``now`` for a terminal of ``size`` (columns, rows); no line is cut yet."""
    columns, rows = size
    lines = [_header(view, now, glyphs)]
    tail_lines = _tail(tail, glyphs) if tail is not None and view.finished is None else []
    room = rows - 2 - len(tail_lines) if view.finished is None else MAX_STEP_ROWS
    lines += _steps(view, now, columns, max(1, min(room, MAX_STEP_ROWS)), glyphs)
    if len(lines) + len(tail_lines) < rows:
        lines += tail_lines
    return lines[: max(1, rows - 1)]


# --- the header ------------------------------------------------------------------


def _header(view: RunView, now: float, glyphs: Glyphs) -> Line:
    name = Cell(view.flow, "bold")
    run = f" run {view.number}"
    if view.origin is not None:
        run += f" (resumes run {view.origin})"
    finished = view.finished
    if finished is None:
        began_at = view.began_at if view.began_at is not None else now
        cells = [name, Cell(run), Cell(f"{glyphs.dot}{duration_text(max(0.0, now - began_at))}")]
        if view.ending:
            cells.append(Cell(f"{glyphs.dot}ending", "yellow"))
        return tuple(cells)
    took = duration_text(finished.seconds)
    if finished.left:
        end, sign, style = f"left to itself after {took}", glyphs.ended, "yellow"
    elif finished.ok:
        end, sign, style = f"done in {took}", glyphs.done, "green"
    elif finished.interrupted:
        end, sign, style = f"{finished.why} after {took}", glyphs.ended, "yellow"
    else:
        end, sign, style = f"failed after {took}", glyphs.failed, "red"
    colour: Style = style  # type: ignore[assignment]  # one of the three above
    return (Cell(f"{sign} ", colour), name, Cell(run), Cell(f"{glyphs.dot}{end}", colour))


# --- the steps -------------------------------------------------------------------


def _steps(view: RunView, now: float, columns: int, room: int, glyphs: Glyphs) -> list[Line]:
    shown, before, after = choose_steps(view, room)
    rows = [_row(view, step, now, glyphs) for step in shown]
    lines = _rows(rows, columns, glyphs)
    if before:
        done = Cell(f"  {glyphs.done} ", "green")
        lines.insert(0, (done, Cell(f"{count_text(before, 'step')} done", "dim")))
    if after:
        lines.append((Cell(f"  {glyphs.ahead} {count_text(after, 'step')} to come", "dim"),))
    return lines


def choose_steps(view: RunView, room: int) -> tuple[list[str], int, int]:
    """Which steps get a line of the ``room`` there is, how many done ones and how many that
    have not begun do not."""
    steps = list(view.steps)
    if len(steps) <= room:
        return steps, 0, 0
    room = max(1, room - 2)
    ahead = [step for step in steps if not view.counts_of(step).total]
    quiet = [step for step in steps if _is_quiet(view.counts_of(step))]
    urgent = set(steps) - set(ahead) - set(quiet)
    chosen = [step for step in steps if step in urgent][:room]
    # What room is left goes to the latest done ones, then to what comes next.
    for step in (*reversed(quiet), *ahead):
        if len(chosen) >= room:
            break
        chosen.append(step)
    kept = set(chosen)
    return (
        [step for step in steps if step in kept],
        sum(step not in kept for step in quiet),
        sum(step not in kept for step in ahead),
    )


def _is_quiet(counts: StepCounts) -> bool:
    """All its tasks so far ended well."""
    busy = counts.running or counts.waiting or counts.failed or counts.cancelled
    return bool(counts.total) and not busy


def _row(view: RunView, step: str, now: float, glyphs: Glyphs) -> _Row:
    counts = view.counts_of(step)
    times = view.times.get(step)
    return _Row(
        _sign(counts, glyphs, is_over=view.finished is not None),
        step,
        counts,
        _took(counts, times, now),
        _details(counts, times),
    )


def _sign(counts: StepCounts, glyphs: Glyphs, *, is_over: bool) -> Cell:
    if counts.running:
        return Cell(glyphs.active, "cyan")
    if counts.failed:
        return Cell(glyphs.failed, "red")
    if counts.waiting and not is_over:
        return Cell(glyphs.waiting, "cyan")
    if counts.cancelled or counts.waiting:
        return Cell(glyphs.ended, "yellow")
    if counts.total:
        return Cell(glyphs.done, "green")
    return Cell(glyphs.ahead, "dim")


def _took(counts: StepCounts, times: StepTimes | None, now: float) -> str:
    if times is None or times.began_at is None:
        return ""
    # The counts know of an end before it is durable and told.
    is_told = not (counts.running or counts.waiting) and times.ended_at >= times.began_at
    end = times.ended_at if is_told else now
    return duration_text(max(0.0, end - times.began_at))


def _details(counts: StepCounts, times: StepTimes | None) -> tuple[Cell, ...]:
    """Counts that are not plain from the bar, and the mean time of many tasks."""
    cells = []
    is_wide = counts.total > 1
    if counts.failed and is_wide:
        cells.append(Cell(f"{counts.failed:,} failed", "red"))
    if counts.cancelled:
        words = f"{counts.cancelled:,} ended" if is_wide else "ended"
        cells.append(Cell(words, "yellow"))
    if counts.running and is_wide:
        cells.append(Cell(f"{counts.running:,} running"))
    if counts.waiting and counts.waits_for:
        cells.append(Cell(waiting_words(counts), "dim"))
    elif counts.waiting and not is_wide:
        cells.append(Cell("waiting", "dim"))
    if counts.adopted:
        words = f"{counts.adopted:,} taken over" if is_wide else "taken over"
        cells.append(Cell(words, "dim"))
    mean = times.mean_s if times is not None else None
    if is_wide and mean is not None:
        cells.append(Cell(f"{duration_text(mean)} each", "dim"))
    return tuple(cells)


def _rows(rows: Sequence[_Row], columns: int, glyphs: Glyphs) -> list[Line]:
    if not rows:
        return []
    widest = max(cell_width(row.name) for row in rows)
    name_width = min(widest, _MAX_NAME, max(8, columns // 3))
    count_width = max((len(_count(row.counts)) for row in rows), default=0)
    took_width = max(len(row.took) for row in rows)
    bar_width = 0
    if count_width:
        left = columns - name_width - count_width - took_width - 12
        bar_width = (
            _BAR_WIDTH
            if left >= _BAR_WIDTH + 24
            else _NARROW_BAR_WIDTH
            if left >= _NARROW_BAR_WIDTH
            else 0
        )
    lines = []
    for row in rows:
        name = cut(row.name, name_width, glyphs.more)
        style: Style = "" if row.counts.total else "dim"
        cells = [Cell("  "), row.sign, Cell(f" {_padded(name, name_width)}", style)]
        if bar_width:
            cells += [Cell("  "), *_bar(row.counts, bar_width, glyphs)]
        if count_width:
            cells.append(Cell(f"  {_count(row.counts):>{count_width}}"))
        cells.append(Cell(f"  {row.took:>{took_width}}", "" if row.counts.running else "dim"))
        lines.append((*cells, *_fitting(row.details, columns - _width(cells), glyphs)))
    return lines


def _fitting(details: Sequence[Cell], room: int, glyphs: Glyphs) -> list[Cell]:
    """As many of ``details`` as have room, with what stands between them."""
    cells: list[Cell] = []
    for place, detail in enumerate(details):
        more = [Cell(glyphs.dot if place else "  ", "dim"), detail]
        if _width([*cells, *more]) >= room:
            break
        cells += more
    return cells


def _width(cells: Sequence[Cell]) -> int:
    return sum(cell_width(cell.text) for cell in cells)


def _count(counts: StepCounts) -> str:
    """'37/200' of a step with several tasks."""
    if counts.total <= 1:
        return ""
    return f"{counts.done + counts.adopted:,}/{counts.total:,}"


def _bar(counts: StepCounts, width: int, glyphs: Glyphs) -> list[Cell]:
    """Done, failed and the rest in proportion; blank for a step of one task."""
    if counts.total <= 1:
        return [Cell(" " * width)]
    done = (counts.done + counts.adopted) * width // counts.total
    failed = min(width - done, -(-counts.failed * width // counts.total))
    rest = width - done - failed
    cells = [Cell(glyphs.bar * done, "green"), Cell(glyphs.bar * failed, "red")]
    return [cell for cell in (*cells, Cell(glyphs.rail * rest, "dim")) if cell.text]


def _tail(tail: Tail, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = [
        (Cell(f"  {place} {glyphs.edge} {text}", "dim"),)
        for place, text in list(tail.lines)[-_TAIL_LINES:]
    ]
    hint = f"  {glyphs.more} {count_text(tail.hidden, 'line')} not shown: {tail.command}"
    return [*lines, (Cell(hint, "dim"),)]


# --- text ------------------------------------------------------------------------


def painted(line: Line, columns: int, paint: Paint, more: str) -> tuple[str, int]:
    """``line`` cut to fewer than ``columns``, in colours; and how many columns it takes."""
    limit = max(1, columns - 1)
    total = _width(line)
    parts = []
    left = limit if total <= limit else limit - len(more)
    taken = 0
    for text, style in line:
        piece = cut(text, left, "")
        width = cell_width(piece)
        left -= width
        taken += width
        if piece:
            parts.append(paint.styled(piece, style))
        if piece != text:
            break
    if total > limit:
        parts.append(more)
        taken += len(more)
    return "".join(parts).rstrip(), taken


def cell_width(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or char in "\u200b\u200d\ufe0e\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int, more: str) -> str:
    """``text`` in at most ``width`` columns; ``more`` stands where something was cut."""
    if cell_width(text) <= width:
        return text
    room = width - len(more)
    kept = []
    for char in text:
        room -= _char_width(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept) + more[: max(0, width)]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_width(text))


def plain_text(text: str) -> str:
    """``text`` without anything that moves the cursor or colours; tabs become blanks."""
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    return _CONTROLS.sub("", text.replace("\t", "    ")).replace("\x1b", "")


def coloured_text(text: str) -> str:
    """``text`` with its colours, but without anything that moves the cursor."""
    if "\x1b" not in text:
        return plain_text(text)
    parts = []
    end = 0
    for match in _COLOURS_ONLY.finditer(text):
        parts += [plain_text(text[end : match.start()]), match.group()]
        end = match.end()
    parts.append(plain_text(text[end:]))
    return "".join(parts) + "\033[0m"
