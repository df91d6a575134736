"""Rows of values as an HTML table: numbers to the right, the rest as told."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from swell.cards.component import escape

# Libraries whose values read better by str() than by repr().
_PLAIN_TEXT = ("pandas", "datetime", "decimal", "uuid", "pathlib")


class Frame(NamedTuple):
    """A data frame as rows; ``has_index``: the first cell of each row names it."""

    rows: list[list[Any]]
    headers: list[str]
    has_index: bool
    left_out: int


def frame_rows(dataframe: Any, limit: int | None) -> Frame:
    """Rows of a pandas or Polars data frame, at most ``limit`` of them if it is given."""
    shown = dataframe if limit is None else dataframe.head(limit)
    columns = [str(column) for column in shown.columns]
    left_out = len(dataframe) - len(shown)
    if hasattr(shown, "itertuples"):
        rows = [list(row) for row in shown.itertuples(index=True, name=None)]
        return Frame(rows, ["", *columns], True, left_out)
    return Frame([list(row) for row in shown.iter_rows()], columns, False, left_out)


def grid(
    rows: Sequence[Sequence[Any]],
    headers: Sequence[object],
    cell: Callable[[Any], str],
    *,
    has_index: bool = False,
) -> str:
    """The table; ``cell`` makes HTML of one value."""
    width = max((len(row) for row in rows), default=len(headers))
    classes = [' class="number"' if _all_numbers(rows, i) else "" for i in range(width)]
    classes += [""] * (len(headers) - width)
    head = "".join(
        f'<th scope="col"{kind}>{escape(text)}</th>'
        for text, kind in zip(headers, classes, strict=False)
    )
    body = "".join(f"<tr>{_row(row, classes, cell, has_index)}</tr>" for row in rows)
    thead = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div class="scroll tall"><table>{thead}<tbody>{body}</tbody></table></div>'


def _row(
    row: Sequence[Any], classes: Sequence[str], cell: Callable[[Any], str], has_index: bool
) -> str:
    cells = []
    for position, value in enumerate(row):
        kind = classes[position]
        if has_index and position == 0:
            cells.append(f'<th scope="row"{kind}>{cell(value)}</th>')
        else:
            cells.append(f"<td{kind}>{cell(value)}</td>")
    return "".join(cells)


def plain_cell(value: Any) -> str | None:
    """HTML of text, numbers, dates and missing values; None for any other object."""
    if value is None or _is_missing(value):
        return f'<span class="none">{escape(value)}</span>'
    if isinstance(value, (str, bool)):
        return escape(value)
    if _is_number(value):
        plain = int(value) if isinstance(value, numbers.Integral) else float(value)
        shown = escape(shown_number(plain))
        # The exact value stays in reach of the mouse where digits were left out.
        return f'<span title="{plain}">{shown}</span>' if isinstance(plain, float) else shown
    if type(value).__module__.split(".")[0] in _PLAIN_TEXT:
        return escape(value)
    return None


def shown_number(value: object) -> str:
    """Numbers with thousands separators, floats to six digits; anything else as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_missing(value: object) -> bool:
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def _all_numbers(rows: Iterable[Sequence[Any]], column: int) -> bool:
    present = [row[column] for row in rows if len(row) > column]
    known = [value for value in present if value is not None and not _is_missing(value)]
    return bool(known) and all(_is_number(value) for value in known)
