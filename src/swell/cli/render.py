"""Words on the terminal: errors, times, sizes. Nothing else writes to a user's screen."""

from __future__ import annotations

import os
import sys
import time

from swell.errors import SwellError

_RED, _YELLOW, _GREEN, _CYAN, _DIM, _BOLD, _RESET = (
    "\033[31m",
    "\033[33m",
    "\033[32m",
    "\033[36m",
    "\033[2m",
    "\033[1m",
    "\033[0m",
)

_STYLES = {
    "red": _RED,
    "yellow": _YELLOW,
    "green": _GREEN,
    "cyan": _CYAN,
    "dim": _DIM,
    "bold": _BOLD,
}


class Paint:
    """Colours where the stream is a terminal that wants them; plain text elsewhere."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    def _wrap(self, code: str, text: str) -> str:
        return f"{code}{text}{_RESET}" if self._enabled else text

    def red(self, text: str) -> str:
        """For failures."""
        return self._wrap(_RED, text)

    def yellow(self, text: str) -> str:
        """For warnings."""
        return self._wrap(_YELLOW, text)

    def green(self, text: str) -> str:
        """For what went well."""
        return self._wrap(_GREEN, text)

    def dim(self, text: str) -> str:
        """For what is there to be looked past."""
        return self._wrap(_DIM, text)

    def bold(self, text: str) -> str:
        """For headings."""
        return self._wrap(_BOLD, text)

    def styled(self, text: str, style: str) -> str:
        """``text`` in the style of that name; '' is none."""
        return self._wrap(_STYLES[style], text) if style else text


def paint_for(stream: object, *, no_color: bool) -> Paint:
    """The paint for ``stream``."""
    is_terminal = bool(getattr(stream, "isatty", lambda: False)())
    return Paint(is_terminal and not no_color)


def error_text(error: SwellError, paint: Paint, *, script_folder: str | None = None) -> str:
    """Cause, place, remedy: one line each."""
    lines = [f"{paint.red(error.headline)}: {error.message}"]
    if error.source_file:
        path = _short_path(error.source_file, script_folder)
        place = f"{path}:{error.line_no}" if error.line_no else path
        lines.append(f"    in {place}")
    if error.remedy:
        lines.append(f"    {error.remedy}")
    return "\n".join(lines)


def say_error(text: str) -> None:
    """Write ``text`` to stderr; a closed stderr is not worth another error."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def say_error_of(error: SwellError, *, no_color: bool) -> None:
    """Write cause, place and remedy of ``error`` to stderr."""
    say_error(error_text(error, paint_for(sys.stderr, no_color=no_color)))


class Stamps:
    """'2026-01-31 12:00:00.123' for Unix seconds; local time; one second is formatted once."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def __call__(self, at: float) -> str:
        second = int(at)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return f"{self._text}.{int((at - second) * 1000):03d}"


def duration_text(seconds: float) -> str:
    """'12 ms', '0.3 s', '42 s', '3 min 20 s', '2 h 5 min'."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size_text(size: float) -> str:
    """'812 B', '3.4 kB', '1.2 GB': powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def count_text(count: int, one: str, many: str | None = None) -> str:
    """'1 task', '1,024 tasks'."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _short_path(path: str, folder: str | None) -> str:
    base = folder or os.getcwd()
    if path.startswith(base + os.sep):
        return path[len(base) + 1 :]
    return path
