"""Draws a block of lines at the bottom of a terminal, and lines that scroll away above it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from swell.cli.progress import put_text

_HIDE_CURSOR, _SHOW_CURSOR = "\033[?25l", "\033[?25h"
# Terminals that know it show all that stands between the two at once; others ignore it.
_BEGIN_UPDATE, _END_UPDATE = "\033[?2026h", "\033[?2026l"
_TO_LINE_END, _TO_SCREEN_END = "\033[K", "\033[J"
_FALLBACK_SIZE = (80, 24)


class Screen:
    """Between two calls of ``draw`` the cursor is shown, at the start of the line below the
    block, and nothing is switched: whatever ends the process leaves a sane terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._widths: list[int] = []
        self._is_broken = False
        self._drawn: tuple[list[str], int] | None = None

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            columns, rows = os.get_terminal_size(self._out.fileno())
        except (OSError, ValueError):
            return _FALLBACK_SIZE
        return columns or _FALLBACK_SIZE[0], rows or _FALLBACK_SIZE[1]

    def draw(self, above: Sequence[str], block: Sequence[tuple[str, int]], columns: int) -> None:
        """Replace the block by ``block``, (text, columns it takes) a line, and write
        ``above`` before it; all in one write, so that nothing flickers."""
        texts = [text for text, _ in block]
        if self._is_broken or (not above and self._drawn == (texts, columns)):
            return
        text = drawing(above, texts, rows_of(self._widths, columns))
        self._widths = [width for _, width in block]
        self._drawn = (texts, columns)
        self._is_broken = not put_text(self._out, text)


def drawing(above: Sequence[str], block: Sequence[str], rows_up: int) -> str:
    """What a terminal must be sent when the old block takes ``rows_up`` rows."""
    parts = [_BEGIN_UPDATE, _HIDE_CURSOR, "\r"]
    if rows_up:
        parts.append(f"\033[{rows_up}A")
    if above:
        parts.append(_TO_SCREEN_END)
        parts += [f"{line}\n" for line in above]
    parts += [f"{line}{_TO_LINE_END}\n" for line in block]
    parts += [_TO_SCREEN_END, _SHOW_CURSOR, _END_UPDATE]
    return "".join(parts)


def rows_of(widths: Sequence[int], columns: int) -> int:
    """Rows that lines of ``widths`` take after the terminal was made ``columns`` wide."""
    return sum(max(1, -(-width // max(1, columns))) for width in widths)
