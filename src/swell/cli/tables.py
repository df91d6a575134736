"""Tables of plain text: aligned by what cells show, cut to the terminal where there is one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

WIDE = 1 << 20
"""The width where nothing is cut: output that is no terminal."""
_GAP = "  "
_NARROWEST = 8
"""Characters that a cut column keeps at least."""

_FIRST_SPECIAL = "\u0300"
"""All printable characters before it take one column."""

Colour = Callable[[str], str]


class Column(NamedTuple):
    """``is_number`` aligns to the right; ``may_be_cut`` gives way where the line is too long."""

    title: str
    is_number: bool = False
    may_be_cut: bool = False


class Cell(NamedTuple):
    """Text with a colour, put on after it was measured."""

    text: str
    colour: Colour | None = None


def table_lines(
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | Cell]],
    width: int,
    *,
    heading: Colour | None = None,
) -> list[str]:
    """The table, one line a row; ``heading`` colours the titles. Trailing blanks are dropped."""
    cells = [[_cell(value) for value in row] for row in rows]
    titles = [Cell(column.title, heading) for column in columns]
    everything = [titles, *cells]
    widths = [
        max([shown_width(row[number].text) for row in everything]) for number in range(len(columns))
    ]
    fitted = _fitted(columns, widths, width)
    return [_line(columns, fitted, row) for row in everything]


def shown_width(text: str) -> int:
    """Columns that ``text`` takes on a terminal: two for wide characters, none for accents."""
    if text.isascii():
        return len(text)
    special = [character for character in text if character >= _FIRST_SPECIAL]
    return len(text) - len(special) + sum(map(_character_width, special))


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns; '…' stands for what is left out."""
    if shown_width(text) <= width:
        return text
    taken, room = [], width - 1
    for character in text:
        room -= _character_width(character)
        if room < 0:
            break
        taken.append(character)
    return "".join(taken).rstrip() + "…"


def one_line(text: str) -> str:
    """``text`` without control characters, which would move the cursor or colour the screen."""
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character in "\n\t\r" else "\N{REPLACEMENT CHARACTER}"


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Cf", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _cell(value: str | Cell) -> Cell:
    if isinstance(value, str):
        return Cell(one_line(value))
    return value if value.text.isprintable() else Cell(one_line(value.text), value.colour)


def _fitted(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """``widths`` with the widest columns that may be cut made narrower, until a line fits."""
    fitted = list(widths)
    excess = sum(fitted) + len(_GAP) * (len(columns) - 1) - width
    while excess > 0:
        able = [
            number
            for number, column in enumerate(columns)
            if column.may_be_cut and fitted[number] > max(_NARROWEST, len(column.title))
        ]
        if not able:
            break
        widest = max(able, key=lambda number: fitted[number])
        fitted[widest] -= 1
        excess -= 1
    return fitted


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Cell]) -> str:
    parts = []
    for column, width, (text, colour) in zip(columns, widths, row, strict=True):
        taken = shown_width(text)
        if taken > width:
            text = cut(text, width)
            taken = shown_width(text)
        blanks = " " * (width - taken)
        shown = colour(text) if colour and text else text
        parts.append(blanks + shown if column.is_number else shown + blanks)
    return _GAP.join(parts).rstrip()
