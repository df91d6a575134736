"""The times of a run as one SVG picture: what ran when, step by step, and the critical path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from swell.cards.component import escape
from swell.cards.render import render_page, shown_duration

_WIDTH = 1000
_LABEL = 170
_AREA = 34
_BAR = 13
_GAP = 12
_AXIS = 22
_TICKS = 6
_MOST_POINTS = 800


class Bar(NamedTuple):
    """A stretch of time in seconds from the beginning of the run; ``kind`` names its colour."""

    begin: float
    end: float
    kind: str
    text: str


class Row(NamedTuple):
    """One step: ``running`` are the stretches in which one of its attempts ran; ``path`` its
    part of the critical path."""

    name: str
    running: Sequence[tuple[float, float]]
    path: Sequence[Bar]


class TimeChart(NamedTuple):
    """Steps in order, over ``length`` seconds; ``legend`` (kind, words) in order."""

    length: float
    rows: Sequence[Row]
    legend: Sequence[tuple[str, str]]


def time_page(
    title: str,
    facts: Sequence[tuple[str, str]],
    chart: TimeChart,
    advice: Sequence[str],
    tables: str,
) -> str:
    """A document of its own; ``tables`` is text of fixed width."""
    rows = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}</dd></div>" for a, b in facts)
    head = (
        f'<div class="eyebrow">where the time went</div><h1>{escape(title)}</h1>'
        f'<dl class="facts">{rows}</dl>'
    )
    picture = f'<section><div class="inside">{draw(chart)}</div></section>'
    words = "".join(f"<p>{escape(sentence)}</p>" for sentence in advice)
    return render_page(title, head, f"{picture}{words}<pre>{escape(tables)}</pre>")


def draw(chart: TimeChart) -> str:
    """The picture with its legend."""
    y = float(_AXIS)
    parts = []
    for row in chart.rows:
        parts.append(_row(row, y, chart.length))
        y += _AREA + _BAR + _GAP
    height = y
    legend = "".join(
        f'<span class="phase {escape(kind)}"><i></i>{escape(words)}</span>'
        for kind, words in chart.legend
    )
    return (
        f'<div class="phases">{legend}</div>'
        '<div class="scroll"><svg class="times" role="img" aria-label="What ran when"'
        f' viewBox="0 0 {_WIDTH} {height:.0f}">'
        f"{_axis(chart.length, height)}{''.join(parts)}</svg></div>"
    )


def running_over_time(stretches: Sequence[tuple[float, float]]) -> list[tuple[float, int]]:
    """(second, how many run from then on), by time."""
    changes: dict[float, int] = {}
    for begin, end in stretches:
        if end > begin:
            changes[begin] = changes.get(begin, 0) + 1
            changes[end] = changes.get(end, 0) - 1
    count, found = 0, []
    for at in sorted(changes):
        count += changes[at]
        found.append((at, count))
    return found


def thinned(points: Sequence[tuple[float, int]], length: float) -> list[tuple[float, int]]:
    """At most about 800 points: of those that share a pixel the highest stays."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    highest: dict[int, tuple[float, int]] = {}
    for at, count in points:
        place = int(at / length * _MOST_POINTS) if length else 0
        if place not in highest or count >= highest[place][1]:
            highest[place] = (at, count)
    return [*highest.values(), points[-1]]


def _row(row: Row, y: float, length: float) -> str:
    points = thinned(running_over_time(row.running), length)
    most = max((count for _, count in points), default=0)
    foot = y + _AREA
    area = ""
    if most:
        path = f"M{_x(points[0][0], length):.1f} {foot:.1f}"
        for at, count in points:
            path += f"H{_x(at, length):.1f}V{foot - count / most * (_AREA - 4):.1f}"
        area = f'<path class="running" d="{path}V{foot:.1f}Z"/>'
    bars = "".join(
        f'<rect class="phase {escape(bar.kind)}" x="{_x(bar.begin, length):.1f}" y="{foot + 1:.1f}"'
        f' width="{max(_x(bar.end, length) - _x(bar.begin, length), 0.6):.1f}" height="{_BAR}">'
        f"<title>{escape(bar.text)}</title></rect>"
        for bar in row.path
    )
    name = row.name if len(row.name) <= 20 else f"{row.name[:19]}…"
    return (
        f'<g><title>{escape(row.name)}</title><text class="name" x="0" y="{foot - 10:.1f}">'
        f'{escape(name)}</text><text class="most" x="0" y="{foot + 6:.1f}">'
        f"{f'{most:,} at once' if most > 1 else ''}</text>{area}"
        f'<path class="line" d="M{_LABEL} {foot:.1f}H{_WIDTH}"/>{bars}</g>'
    )


def _axis(length: float, height: float) -> str:
    marks = []
    for number in range(_TICKS + 1):
        at = length * number / _TICKS
        x = _x(at, length)
        anchor = "end" if number == _TICKS else "middle" if number else "start"
        marks.append(
            f'<path class="line" d="M{x:.1f} {_AXIS - 6}V{height:.0f}"/>'
            f'<text class="tick" x="{x:.1f}" y="10" text-anchor="{anchor}">'
            f"{escape(shown_duration(at))}</text>"
        )
    return "".join(marks)


def _x(at: float, length: float) -> float:
    share = min(max(at / length, 0.0), 1.0) if length else 0.0
    return _LABEL + share * (_WIDTH - _LABEL)
