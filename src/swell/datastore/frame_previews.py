"""Frames, tables and columns of pandas, Polars and Arrow in words: a line for each column."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from swell.datastore.array_previews import array_facts
from swell.datastore.short_texts import short_text

_COLUMNS = 20
_HEAD = 5
_CELL_CHARS = 24
_NAME_CHARS = 24
_TYPE_CHARS = 20
_COUNTED_CELLS = 50_000
"""pandas looks at each cell to count nulls, of objects some 50 ns a cell; beyond this many
the first rows alone are counted. Polars and Arrow know the count, or count bits."""

_WORDS = frozenset({"Timestamp", "Timedelta", "NAType", "NaTType", "Period", "Interval"})
"""Values of pandas whose text is short."""


class _Column(NamedTuple):
    """``nulls`` None: not known. ``head`` are the first values."""

    name: str
    type: str
    nulls: int | None
    head: list[Any]


def describer(library: str, name: str) -> Callable[[Any], list[str] | None] | None:
    """What describes values of that class; None for others of the library."""
    match (library, name):
        case ("pandas", "DataFrame"):
            return _pandas_frame
        case ("pandas", "Series"):
            return _pandas_series
        case ("polars", "DataFrame"):
            return _polars_frame
        case ("polars", "Series"):
            return _polars_series
        case ("pyarrow", "Table" | "RecordBatch"):
            return _arrow_table
        case ("pyarrow", "Array" | "ChunkedArray"):
            return _arrow_array
        case _:
            return None


def _lines(value: Any, rows: int, width: int, columns: list[_Column], counted: int) -> list[str]:
    """A heading, then one line a column: name, type, nulls, first values."""
    shown = ", ".join(column.name for column in columns[:12])
    more = ", …" if width > 12 else ""
    line = f"{type(value).__qualname__}: {rows:,} rows × {width:,} columns"
    lines = [f"{line}: {shown}{more}" if width else line]
    if counted < rows:
        lines.append(f"  nulls of the first {counted:,} rows")
    names = [_cut(column.name, _NAME_CHARS) for column in columns]
    types = [_cut(column.type, _TYPE_CHARS) for column in columns]
    nulls = [_nulls(column.nulls) for column in columns]
    name_width, type_width, null_width = (
        max(map(len, x), default=0) for x in (names, types, nulls)
    )
    for name, kind, null, column in zip(names, types, nulls, columns, strict=True):
        head = _head(column.head, rows)
        texts = f"  {name:<{name_width}}  {kind:<{type_width}}  {null:<{null_width}}  {head}"
        lines.append(texts.rstrip())
    if width > len(columns):
        lines.append(f"  … {width:,} columns")
    return lines


def _one(value: Any, rows: int, column: _Column, facts: list[str]) -> list[str]:
    """A heading and the first values of a single column."""
    name = f" '{_cut(column.name, _NAME_CHARS)}'" if column.name else ""
    nulls = [] if column.nulls is None else [_nulls(column.nulls)]
    heading = ", ".join(
        [f"{type(value).__qualname__}{name}: {rows:,} {column.type}", *facts, *nulls]
    )
    return [heading, f"  {_head(column.head, rows)}"] if rows else [heading]


def _head(values: list[Any], rows: int) -> str:
    more = ", …" if rows > len(values) else ""
    return ", ".join(_cell(value) for value in values) + more


def _cell(value: Any) -> str:
    kind = type(value)
    if str(kind.__module__).partition(".")[0] == "pandas" and kind.__qualname__ in _WORDS:
        return str(value)
    return f"{value:.6g}" if kind is float else short_text(value, _CELL_CHARS)


def _nulls(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count:,} {'null' if count == 1 else 'nulls'}" if count else "no nulls"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


# --- pandas ----------------------------------------------------------------------------


def _pandas_frame(value: Any) -> list[str]:
    pandas: Any = sys.modules["pandas"]
    # Of a derived class the methods could be the user's.
    frame = value if type(value) is pandas.DataFrame else pandas.DataFrame(value, copy=False)
    rows, width = frame.shape
    counted = min(rows, max(1, _COUNTED_CELLS // max(1, min(width, _COLUMNS))))
    # All columns in one go: a call for each costs more than what it does.
    shown = frame.iloc[:, :_COLUMNS]
    nulls = shown.iloc[:counted].isna().sum().tolist()
    heads = shown.iloc[:_HEAD].to_numpy(dtype=object).T.tolist()
    columns = [
        _Column(_name(name), str(dtype), int(null), head)
        for name, dtype, null, head in zip(
            shown.columns, shown.dtypes.tolist(), nulls, heads, strict=True
        )
    ]
    return _lines(value, rows, width, columns, counted)


def _pandas_series(value: Any) -> list[str]:
    pandas: Any = sys.modules["pandas"]
    series = value if type(value) is pandas.Series else pandas.Series(value, copy=False)
    rows = len(series)
    kind = getattr(series.dtype, "kind", "O")
    if type(series.dtype).__module__.partition(".")[0] == "numpy" and kind in "biufcmM":
        column = _Column(_name(series.name), str(series.dtype), None, series.iloc[:_HEAD].tolist())
        return _one(value, rows, column, array_facts(series.to_numpy(copy=False)))
    is_counted = rows <= _COUNTED_CELLS
    nulls = int(series.isna().sum()) if is_counted else None
    head = series.iloc[:_HEAD].tolist()
    return _one(value, rows, _Column(_name(series.name), str(series.dtype), nulls, head), [])


def _name(name: object) -> str:
    return "" if name is None else name if type(name) is str else short_text(name, _NAME_CHARS)


# --- Polars and Arrow --------------------------------------------------------------------


def _polars_frame(value: Any) -> list[str]:
    # Column by column: what a frame does as a whole starts Polars' threads, after which a
    # process should not fork.
    rows, width = value.shape
    columns = [_polars_column(value.to_series(i)) for i in range(min(width, _COLUMNS))]
    return _lines(value, rows, width, columns, rows)


def _polars_series(value: Any) -> list[str]:
    return _one(value, len(value), _polars_column(value), [])


def _polars_column(series: Any) -> _Column:
    return _Column(
        series.name, str(series.dtype), series.null_count(), series.head(_HEAD).to_list()
    )


def _arrow_table(value: Any) -> list[str]:
    rows, width = value.num_rows, value.num_columns
    columns = [
        _arrow_column(value.schema.field(i).name, value.column(i))
        for i in range(min(width, _COLUMNS))
    ]
    return _lines(value, rows, width, columns, rows)


def _arrow_array(value: Any) -> list[str]:
    return _one(value, len(value), _arrow_column("", value), [])


def _arrow_column(name: str, array: Any) -> _Column:
    return _Column(name, str(array.type), array.null_count, array.slice(0, _HEAD).to_pylist())
