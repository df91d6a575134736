"""Tables on cards: rows of values and components, or a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swell.cards.charts import VegaChart
from swell.cards.component import MetaflowCardComponent, error_box, render_safely
from swell.cards.grid import frame_rows, grid, plain_cell
from swell.cards.previews import PREVIEW_ROWS, is_dataframe, preview, type_name


class Table(MetaflowCardComponent):
    """Rows of cells: text, numbers, any objects, or other components.

    A column of numbers is aligned to the right. ``disable_updates`` is accepted for the
    sake of existing scripts; components in cells can always be updated.
    """

    REALTIME_UPDATABLE = True

    def __init__(
        self,
        data: Sequence[Sequence[Any]] | None = None,
        headers: Sequence[str] | None = None,
        disable_updates: bool = False,
    ) -> None:
        self._rows = data or []
        self._headers = headers or []
        self._has_index = False
        self._note = ""
        self._problem = ""

    @classmethod
    def from_dataframe(cls, dataframe: Any = None, truncate: bool = True) -> Table:
        """A pandas or Polars data frame; ``truncate`` keeps the first five rows."""
        table = cls()
        if not is_dataframe(dataframe):
            table._problem = f"{type_name(dataframe)} is not a data frame"
            return table
        frame = frame_rows(dataframe, PREVIEW_ROWS if truncate else None)
        table._rows, table._headers = frame.rows, frame.headers
        table._has_index = frame.has_index
        plural = "" if frame.left_out == 1 else "s"
        table._note = f"{frame.left_out:,} more row{plural}" if frame.left_out else ""
        return table

    def render(self) -> str:
        if self._problem:
            return error_box("There is no table to show", self._problem)
        note = f'<p class="note">{self._note}</p>' if self._note else ""
        return grid(self._rows, self._headers, _cell, has_index=self._has_index) + note


def _cell(value: Any) -> str:
    if isinstance(value, VegaChart):
        return value.render_in_cell()
    if isinstance(value, MetaflowCardComponent):
        return render_safely(value)
    plain = plain_cell(value)
    return preview(value) if plain is None else plain
