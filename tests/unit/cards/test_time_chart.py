"""The picture of what ran when."""

from __future__ import annotations

from xml.etree import ElementTree

from swell.cards.time_chart import Bar, Row, TimeChart, draw, running_over_time, thinned, time_page


def test_how_many_run_changes_where_attempts_begin_and_end() -> None:
    stretches = [(0.0, 2.0), (1.0, 3.0), (2.0, 3.0), (5.0, 5.0)]

    assert running_over_time(stretches) == [(0.0, 1), (1.0, 2), (2.0, 2), (3.0, 0)]


def test_thousands_of_changes_become_a_point_a_pixel_and_keep_their_peak() -> None:
    points = [(number / 100, 7 if number == 5_003 else 1) for number in range(10_000)]

    few = thinned(points, 100.0)

    assert len(few) <= 801
    assert max(count for _, count in few) == 7
    assert few[-1] == points[-1]


def test_steps_are_drawn_with_their_part_of_the_critical_path() -> None:
    bars = [Bar(0.0, 1.0, "wait", "a <slot>"), Bar(1.0, 4.0, "code", "its code")]
    chart = TimeChart(4.0, [Row("start", [(1.0, 4.0)], bars)], [("code", "code")])

    picture = draw(chart)

    svg = ElementTree.fromstring(picture[picture.index("<svg") : picture.index("</svg>") + 6])
    rects = svg.findall(".//rect")
    assert [rect.get("class") for rect in rects] == ["phase wait", "phase code"]
    assert float(rects[1].get("width") or 0) > 2 * float(rects[0].get("width") or 0)
    assert [title.text for title in svg.findall(".//rect/title")] == ["a <slot>", "its code"]


def test_a_run_without_length_can_be_drawn() -> None:
    assert "<svg" in draw(TimeChart(0.0, [Row("start", [], [])], []))


def test_the_page_shows_text_as_text() -> None:
    page = time_page("F/1", [("Took", "1 s")], TimeChart(1.0, [], []), ["<b>"], "a < b")

    assert "<title>F/1</title>" in page
    assert "&lt;b&gt;" in page
    assert "a &lt; b" in page
