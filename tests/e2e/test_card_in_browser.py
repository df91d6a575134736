"""A card as a browser sees it: charts are drawn, nothing is fetched, nothing hostile runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from swell.cards import Image, JSONViewer, Markdown, Table, VegaChart
from swell.cards.render import Content, render_default
from swell.cards.subject import Subject, shown_value

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
EVIL = (
    "</script><script>document.title='hacked'</script>"
    "<img src=x onerror=\"document.title='hacked'\">"
)
LINE = {
    "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
    "title": "A line",
    "data": {"values": [{"x": 1, "y": 3}, {"x": 2, "y": 5}]},
    "mark": "line",
    "encoding": {
        "x": {"field": "x", "type": "quantitative"},
        "y": {"field": "y", "type": "quantitative"},
    },
}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium: apt-get install chromium, then run again"
)


@pytest.fixture
def dom_of(tmp_path: Path):
    """Components → the DOM after the page's scripts ran, as text."""

    def dom_of(*components) -> str:
        subject = Subject("F", "1", "start", "1", artifacts=(shown_value("evil", EVIL),))
        page = tmp_path / "card.html"
        page.write_text(render_default(subject, Content(components)))
        command = [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            page.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return re.sub(r"<script.*?</script>", "", done.stdout, flags=re.DOTALL)

    return dom_of


def test_charts_are_drawn_by_what_the_card_itself_carries(dom_of):
    altair = pytest.importorskip("altair")
    bars = (
        altair.Chart(altair.Data(values=[{"a": "p", "n": 2}])).mark_bar().encode(x="a:N", y="n:Q")
    )
    dom = dom_of(
        VegaChart(LINE),
        VegaChart.from_altair_chart(bars),
        VegaChart.from_altair_chart(bars | bars),
        Table([["in a table", VegaChart(LINE)]]),
    )
    assert dom.count('<svg xmlns="http://www.w3.org/2000/svg"') == 4
    assert "A line" in dom
    assert "cannot be drawn" not in dom


def test_a_chart_that_cannot_be_drawn_says_so_and_the_others_are_drawn(dom_of):
    broken = {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "signals": [{"name": "a", "update": "(("}],
    }
    dom = dom_of(VegaChart(broken), VegaChart(LINE))
    assert "This chart cannot be drawn" in dom
    assert dom.count('<svg xmlns="http://www.w3.org/2000/svg"') == 1


def test_hostile_text_never_runs(dom_of):
    dom = dom_of(
        Markdown(EVIL),
        Table([[EVIL]], headers=[EVIL]),
        JSONViewer({EVIL: EVIL}),
        VegaChart({**LINE, "title": EVIL, "description": EVIL}),
        Image(b"", label=EVIL),
    )
    assert "<title>F/1/start/1</title>" in dom
    assert "hacked" in dom
