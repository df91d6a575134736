"""Vega and Vega-Lite charts on cards; drawn in the browser by the library the card carries."""

from __future__ import annotations

import json
import math
from typing import Any

from swell.cards.component import MetaflowCardComponent
from swell.cards.previews import type_name

CHART_MARK = '<div class="vega"'
"""What stands in a card exactly when it has a chart: user text cannot, it is escaped."""
_COMPOSED = ("hconcat", "vconcat", "concat", "facet", "repeat")
_FACETS = ("row", "column", "facet")
_CELL_WIDTH_PX = 220


class VegaChart(MetaflowCardComponent):
    """A chart by its Vega or Vega-Lite ``spec``; ``show_controls`` adds the export menu.

    A chart that does not say its width takes that of the card.
    """

    REALTIME_UPDATABLE = True

    def __init__(self, spec: dict[str, Any], show_controls: bool = False) -> None:
        self._spec = spec
        self._show_controls = show_controls

    @classmethod
    def from_altair_chart(cls, altair_chart: Any) -> VegaChart:
        """An Altair chart. ValueError for other objects."""
        if not _is_altair(altair_chart):
            raise ValueError(f"{type_name(altair_chart)} is not an Altair chart.")
        return cls(altair_chart.to_dict())

    def update(self, spec: Any = None) -> None:
        """Show another spec, or another Altair chart."""
        if spec is not None:
            self._spec = spec.to_dict() if _is_altair(spec) else spec

    def render(self) -> str:
        return self._html(_with_width(self._spec, "container"))

    def render_in_cell(self) -> str:
        """The same for a cell of a table, which has no width of its own."""
        return self._html(_with_width(self._spec, _CELL_WIDTH_PX))

    def _html(self, spec: dict[str, Any]) -> str:
        controls = ' data-controls="1"' if self._show_controls else ""
        return (
            f'<figure class="chart">{CHART_MARK}{controls}></div>'
            f'<script type="application/json">{json_for_html(spec)}</script>'
            "<noscript><p class=note>This chart needs JavaScript.</p></noscript></figure>"
        )


def json_for_html(value: object) -> str:
    """JSON that may stand inside a ``<script>``: no ``<``, no NaN, foreign objects as text."""
    try:
        text = json.dumps(value, default=_as_json, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _as_json(value: Any) -> object:
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def _finite(value: Any) -> object:
    """A copy with null for NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    plain = _as_json(value)
    return plain if isinstance(plain, str) else _finite(plain)


def _with_width(spec: dict[str, Any], width: str | int) -> dict[str, Any]:
    """``spec`` with a width, where it says none and is a Vega-Lite chart that can have one."""
    is_vega = "marks" in spec or "signals" in spec
    encoding = spec.get("encoding", {})
    if "width" in spec or is_vega or any(key in spec for key in _COMPOSED):
        return spec
    if any(channel in encoding for channel in _FACETS):
        return spec
    return {**spec, "width": width}


def _is_altair(value: object) -> bool:
    return type(value).__module__.split(".")[0] == "altair" and hasattr(value, "to_dict")
