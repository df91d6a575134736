"""The shape of a flow as an SVG picture, drawn from left to right."""

from __future__ import annotations

import msgspec

from swell.cards.component import escape
from swell.model.graph import Graph, Node, NodeType

_BOX_HEIGHT = 34
_GAP_X = 56
_GAP_Y = 20
_MARGIN = 8
_CHARACTER_WIDTH = 7.4
_PADDING_X = 26
_SHOWN_NAME = 24


class Box(msgspec.Struct, frozen=True):
    """Where a step stands, in pixels from the upper left corner."""

    name: str
    x: float
    y: float
    width: float

    @property
    def middle_y(self) -> float:
        """The height at which edges meet the box."""
        return self.y + _BOX_HEIGHT / 2


def draw(graph: Graph, order: list[str], here: str) -> str:
    """SVG of ``graph`` with the step ``here`` marked; ``order`` lists steps after their parents."""
    names = [name for name in order if name in graph.nodes]
    if not names:
        return ""
    boxes = layout(graph, names)
    width = max(box.x + box.width for box in boxes.values()) + _MARGIN
    height = max(box.y for box in boxes.values()) + _BOX_HEIGHT + _MARGIN
    edges = "".join(
        _edge(boxes[name], boxes[target], graph.nodes[name])
        for name in names
        for target in dict.fromkeys(graph.nodes[name].targets)
        if target in boxes
    )
    nodes = "".join(_node(boxes[name], name == here) for name in names)
    return (
        '<div class="scroll"><svg class="graph" role="img" aria-label="Graph of the flow"'
        f' width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7"'
        ' markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{edges}{nodes}</svg></div>"
    )


def layout(graph: Graph, names: list[str]) -> dict[str, Box]:
    """Columns by the longest way from the entry, centred rows; ``names`` in order."""
    column: dict[str, int] = dict.fromkeys(names, 0)
    for name in names:
        for target in graph.nodes[name].targets:
            if target != name and target in column:
                column[target] = max(column[target], column[name] + 1)
    columns: list[list[str]] = [[] for _ in range(max(column.values()) + 1)]
    for name in names:
        columns[column[name]].append(name)
    tallest = max(len(members) for members in columns)
    boxes: dict[str, Box] = {}
    x = float(_MARGIN)
    for members in columns:
        if not members:
            continue
        width = max(_width(name) for name in members)
        top = _MARGIN + (tallest - len(members)) * (_BOX_HEIGHT + _GAP_Y) / 2
        for row, name in enumerate(members):
            boxes[name] = Box(name, x, top + row * (_BOX_HEIGHT + _GAP_Y), width)
        x += width + _GAP_X
    return boxes


def _width(name: str) -> float:
    return min(len(name), _SHOWN_NAME) * _CHARACTER_WIDTH + _PADDING_X


def _node(box: Box, is_here: bool) -> str:
    shown = box.name if len(box.name) <= _SHOWN_NAME else f"{box.name[: _SHOWN_NAME - 1]}…"
    return (
        f'<g class="node{" here" if is_here else ""}"><title>{escape(box.name)}</title>'
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}"'
        f' height="{_BOX_HEIGHT}" rx="8"/>'
        f'<text x="{box.x + box.width / 2:.1f}" y="{box.middle_y:.1f}">{escape(shown)}</text></g>'
    )


def _edge(start: Box, end: Box, node: Node) -> str:
    kind = "edge many" if node.type is NodeType.FOREACH else "edge"
    kind = "edge maybe" if node.type is NodeType.SWITCH else kind
    x1, y1, x2, y2 = start.x + start.width, start.middle_y, end.x, end.middle_y
    if start.name == end.name:
        middle = start.x + start.width / 2
        path = f"M{middle + 14:.1f} {start.y:.1f}c6 -17 -34 -17 -28 -1"
        kind = "edge"
    else:
        bend = max(abs(x2 - x1) / 2, _GAP_X / 2)
        bent = f"{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f}"
        path = f"M{x1:.1f} {y1:.1f}C{bent} {x2:.1f} {y2:.1f}"
    return f'<path class="{kind}" d="{path}" marker-end="url(#tip)"/>'
