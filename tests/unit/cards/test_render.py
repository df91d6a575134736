"""The whole page: self-contained, well formed, nothing of the user's runs in it."""

import base64
import hashlib
import re

import pytest

from swell.cards import Image, JSONViewer, Markdown, MetaflowCardComponent, ValueBox, VegaChart
from swell.cards.render import (
    Content,
    render_blank,
    render_default,
    render_error,
    shown_duration,
)
from swell.cards.subject import Subject, shown_ref, shown_value
from swell.model.record import ArtifactRef

EVIL = "</script><script>alert(1)</script>"


def a_step(self):
    self.x = 1


def subject(**changes):
    facts = {
        "flow": "FlightsFlow",
        "run": "15",
        "step": "train",
        "task": "37",
        "user": "ann",
        "started_at": 1_700_000_000.0,
        "ended_at": 1_700_000_004.2,
        "parameters": (shown_value("alpha", 0.05),),
        "artifacts": (shown_value("model", {"kind": "lasso"}),),
        "step_code": a_step,
    }
    return Subject(**{**facts, **changes})


def test_the_default_card_shows_task_parameters_artifacts_code_and_components(read):
    page = read(render_default(subject(), Content([Markdown("# Hello")])))
    for text in ("FlightsFlow", "train", "37", "ann", "4.2 s", "alpha", "0.05", "lasso", "Hello"):
        assert text in page.text
    assert "def a_step" in page.text


def test_the_users_components_stand_before_what_is_shown_of_itself():
    html = render_default(subject(), Content([Markdown("# Hello")]))
    assert html.index("Hello") < html.index("Artifacts")


def test_the_blank_card_shows_only_the_components_and_its_title(read):
    page = read(render_blank(subject(), Content([Markdown("# Hello")], {"title": "Mine"})))
    assert "Hello" in page.text
    assert "Mine" in page.text
    assert "lasso" not in page.text
    assert "def a_step" not in page.text


def test_a_card_refers_to_no_other_file():
    html = render_default(subject(), Content([Markdown("x"), VegaChart({"mark": "bar"})]))
    own = re.sub(r"<script>.*?</script>", "<script></script>", html, flags=re.DOTALL)
    assert not re.search(r"<(?:script|img|iframe)[^>]*\ssrc=\"?(?!data:)", own)
    assert "<link" not in own
    assert "@import" not in own


def test_vega_and_its_licences_come_only_with_a_chart():
    without = render_default(subject(), Content([Markdown('<div class="vega"')]))
    assert "vega-embed" not in without.split("</style>")[1]
    assert len(without) < 30_000
    with_chart = render_default(subject(), Content([VegaChart({"mark": "bar"})]))
    assert "University of Washington" in with_chart
    assert "vegaEmbed(" in with_chart


def scripts_of(html):
    return re.findall(r"<script>(.*?)</script>", html, re.DOTALL)


@pytest.mark.parametrize("component", [VegaChart({"mark": "bar"}), JSONViewer({"a": 1})])
def test_the_page_allows_exactly_its_own_scripts(component):
    html = render_default(subject(), Content([component]))
    allowed = re.findall(r"'sha256-([^']+)'", html.split("<style>")[0])
    found = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in scripts_of(html)
    ]
    assert found
    assert allowed == found


def test_a_page_without_need_for_scripts_allows_none():
    html = render_default(subject(), Content([Markdown("x")]))
    assert "script-src 'none'" in html
    assert "<script" not in html


class OwnWidget(MetaflowCardComponent):
    """A component that a user wrote."""

    def render(self):
        return "<b id=own>made by hand</b>"


def test_a_users_own_component_is_not_escaped_nor_hindered():
    html = render_default(subject(), Content([OwnWidget()]))
    assert "<b id=own>made by hand</b>" in html
    assert "Content-Security-Policy" not in html


def test_hostile_names_values_and_data_stay_text(read):
    ref = ArtifactRef(None, "k", 3, EVIL, EVIL)
    hostile = subject(
        flow=EVIL,
        step=EVIL,
        task=EVIL,
        user=EVIL,
        tags=(EVIL,),
        script=EVIL,
        error=ValueError(EVIL),
        parameters=(shown_value(EVIL, EVIL),),
        artifacts=(shown_ref(EVIL, ref),),
    )
    content = Content([ValueBox(EVIL, EVIL)], {"title": EVIL}, [EVIL], {EVIL: EVIL})
    for html in (
        render_default(hostile, content),
        render_blank(hostile, content),
        render_error(hostile, EVIL, EVIL),
    ):
        page = read(html)
        assert [a for tag, a in page.tags if tag == "script"] in (
            [],
            [{"type": "application/json", "id": "swell-card-data"}],
        )


def test_a_failed_step_is_told_at_the_top(read):
    page = read(render_default(subject(error=ValueError("no luck")), Content()))
    assert "The step failed" in page.text
    assert "no luck" in page.text


def test_notices_are_shown(read):
    assert "mind this" in read(render_default(subject(), Content(notices=["mind this"]))).text


def test_a_value_that_cannot_be_shown_leaves_the_others(read):
    def broken():
        raise RuntimeError("cannot show")

    good, bad = shown_value("good", 41), shown_value("bad", 1)
    bad = type(bad)("bad", "Thing", broken)
    page = read(render_default(subject(artifacts=(bad, good)), Content()))
    assert "RuntimeError: cannot show" in page.text
    assert "41" in page.text


def test_components_that_may_stand_side_by_side_are_marked(read):
    html = render_blank(subject(), Content([ValueBox("a", 1), Image(b"")]))
    assert html.count("component narrow") == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.24, "240 ms"), (3.21, "3.2 s"), (250, "4 min 10 s"), (7500, "2 h 5 min")],
)
def test_durations_are_written_for_people(seconds, text):
    assert shown_duration(seconds) == text
