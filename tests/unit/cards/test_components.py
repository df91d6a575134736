"""What each component shows, and that no user text escapes into the page."""

import sys

import pytest

from swell.cards import (
    Artifact,
    Error,
    EventsTimeline,
    JSONViewer,
    Markdown,
    MetaflowCardComponent,
    ProgressBar,
    PythonCode,
    Table,
    ValueBox,
    VegaChart,
    YAMLViewer,
)
from swell.cards.component import render_safely
from swell.cards.highlight import highlight_python

EVIL = "</script><script>alert('x')</script><img src=x onerror=\"alert(1)\">"


def timeline(text):
    events = EventsTimeline(title=text)
    events.update(
        {text: text, "timestamp": text}, style_theme=text, priority=text, payloads={text: text}
    )
    return events


@pytest.mark.parametrize(
    "make",
    [
        Artifact,
        lambda text: Artifact({text: [text]}, name=text, compressed=False),
        lambda text: Error(ValueError(text), title=text),
        Markdown,
        lambda text: ProgressBar(max=3, value=1, label=text, unit=text, metadata=text),
        lambda text: ValueBox(text, text, text, theme=text, change_indicator=text),
        lambda text: PythonCode(code_string=text),
        lambda text: PythonCode(code_string=f"x = {text!r}  # {text}"),
        lambda text: Table([[text, Markdown(text), {text: 1}]], headers=[text]),
        lambda text: VegaChart({"mark": "bar", "title": text}),
        lambda text: JSONViewer({text: text}, title=text, max_height=text),
        lambda text: YAMLViewer({text: text}, title=text, max_height=text),
        timeline,
    ],
)
def test_hostile_text_stays_text(read, make):
    page = read(make(EVIL).render())
    assert not [tag for tag, attributes in page.tags if tag == "script" and not attributes]
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]


def test_an_artifact_shows_type_name_and_a_short_value(read):
    page = read(Artifact(list(range(1000)), name="numbers").render())
    assert "numbers" in page.text
    assert "list" in page.text
    assert "..." in page.text
    assert "999" not in page.text


def test_an_artifact_is_whole_when_not_compressed(read):
    assert "999" in read(Artifact(list(range(1000)), compressed=False).render()).text


def test_an_object_whose_repr_fails_is_still_shown(read):
    class Broken:
        def __repr__(self):
            raise ValueError("no repr")

    assert "Broken instance" in read(Artifact(Broken()).render()).text
    assert "no repr" in read(Artifact(Broken(), compressed=False).render()).text


def test_an_error_shows_the_traceback(read):
    try:
        int("x")
    except ValueError as error:
        shown = read(Error(error, "Parsing").render()).text
    assert "Parsing" in shown
    assert "invalid literal" in shown
    assert "test_components.py" in shown


def test_a_progress_bar_moves_and_keeps_its_details_until_new_ones_come():
    bar = ProgressBar(max=200, label="Rows", unit="rows", metadata="fast")
    bar.update(50)
    assert "50 / 200 rows" in bar.render()
    assert 'aria-valuenow="25"' in bar.render()
    assert "fast" in bar.render()
    bar.update(999, metadata="slow")
    assert "width:100.00%" in bar.render()
    assert "slow" in bar.render()


def test_a_value_box_groups_thousands_and_takes_updates():
    box = ValueBox("Flights", 336776, theme="success")
    assert "336,776" in box.render()
    assert "theme-success" in box.render()
    box.update(value=0.123456789, change_indicator="up")
    assert "0.123457" in box.render()
    assert "Flights" in box.render()
    assert "up" in box.render()


def test_python_code_of_a_function_is_its_source():
    def double(x):
        return x * 2

    html = PythonCode(double).render()
    assert '<span class="k">def</span>' in html
    assert '<span class="d">double</span>' in html


def test_python_code_without_source_says_so_and_does_not_raise():
    assert "no code" in PythonCode().render()
    assert "no code" in PythonCode(len).render()


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n\n\ny = f'{x:>3} {{}}'\n",
        "def f(:\n  '''open",
        "a\\\n+ b",
        "",
        "\tif x:\n\t\ty",
        "é = 'ü'",
    ],
)
def test_colours_never_change_the_text_of_code(read, source):
    assert read(f"<pre>{highlight_python(source)}</pre>").text == source


def test_markdown_loses_the_indentation_all_lines_share():
    assert Markdown("\n        # Title\n        - a\n").render().count("<h1>Title</h1>") == 1


def test_a_timeline_shows_the_newest_first_and_counts_what_it_dropped():
    events = EventsTimeline("Steps", max_events=2)
    for number in range(3):
        events.update({"number": f"n{number}"}, payloads={"note": Markdown("**b**")})
    events.update({"number": "last"}, finished=True)
    html = events.render()
    assert html.index("last") < html.index("n2")
    assert "n1" not in html
    assert "4 events, the last 2 shown, finished" in html
    assert "<strong>b</strong>" in html
    assert events.get_stats()["total_events"] == 4


def test_json_is_shown_as_a_tree_and_text_that_is_json_is_parsed(read):
    page = read(JSONViewer('{"a": [1, null, true], "b": {}}').render())
    assert '"a"' in page.text
    assert "null" in page.text
    assert [tag for tag, _ in page.tags].count("details") == 3


def test_yaml_is_shown_as_yaml(read):
    pytest.importorskip("yaml")
    assert "db:\n  port: 5432" in read(YAMLViewer({"db": {"port": 5432}}).render()).text


def test_yaml_without_its_package_is_shown_as_json(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert '"port": 5432' in read(YAMLViewer({"port": 5432}).render()).text


def test_a_chart_without_width_fills_the_card_and_the_spec_is_left_alone():
    spec = {"mark": "bar", "data": {"values": [{"x": float("nan")}]}}
    html = VegaChart(spec).render()
    assert '"width": "container"' in html
    assert "NaN" not in html
    assert "width" not in spec


@pytest.mark.parametrize("spec", [{"mark": "bar", "width": 300}, {"hconcat": []}, {"marks": []}])
def test_a_chart_that_cannot_or_need_not_have_a_width_gets_none(spec):
    assert "container" not in VegaChart(spec).render()


def test_an_altair_chart_becomes_its_spec_and_other_objects_are_refused():
    altair = pytest.importorskip("altair")
    chart = VegaChart.from_altair_chart(altair.Chart({"values": []}).mark_point())
    assert '"mark": {"type": "point"}' in chart.render()
    chart.update(altair.Chart({"values": []}).mark_bar())
    assert '"mark": {"type": "bar"}' in chart.render()
    with pytest.raises(ValueError, match="not an Altair chart"):
        VegaChart.from_altair_chart({"mark": "bar"})


def test_a_component_that_fails_becomes_a_box_with_its_error():
    class Broken(MetaflowCardComponent):
        def render(self):
            raise KeyError("gone")

    assert "Broken could not be shown" in render_safely(Broken())
    assert "gone" in render_safely(Broken())


def test_all_public_names_can_be_imported():
    import swell.cards

    assert {name: getattr(swell.cards, name).__name__ for name in swell.cards.__all__} == {
        name: name for name in swell.cards.__all__
    }
