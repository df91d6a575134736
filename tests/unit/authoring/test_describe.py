"""A graph as people and tools are told it."""

from __future__ import annotations

import json
from typing import Any

from swell.authoring.decorator import FlowDecorator, StepDecorator
from swell.authoring.describe import GraphView, dot, graph_info, plain_cases, raw, shown_steps
from swell.authoring.parameter import Parameter
from swell.authoring.parse import parse_flow
from swell.authoring.step import step
from swell.script import FlowSpec


class Keys(StepDecorator):
    name = "keys"
    defaults = {"token": None, "times": 1}  # noqa: RUF012
    secret_arguments = frozenset({"token"})


class Team(FlowDecorator):
    name = "team"


@Team()
class Told(FlowSpec):
    """A flow to be told."""

    rate = Parameter("rate", default=0.1)
    colours = ("red", "blue")

    @Keys(token="s3cret")
    @step
    def start(self) -> None:
        """Opens."""
        self.next(self.a, self.b)

    @step(node_info={"owner": "me"})
    def a(self) -> None:
        self.next(self.a1, foreach="items")

    @step
    def a1(self) -> None:
        self.next(self.a_join)

    @step
    def a_join(self, inputs: Any) -> None:
        self.next(self.join)

    @step
    def b(self) -> None:
        self.next({"x": self.b1, 2: self.b, self.cfg.k: self.b2}, condition="kind")

    @step
    def b1(self) -> None:
        self.next(self.b2)

    @step
    def b2(self) -> None:
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


GRAPH = parse_flow(Told)


def test_graph_info_has_what_tools_read() -> None:
    info = graph_info(GRAPH, Told)
    assert set(info) == {
        *("file start_step end_step parameters constants steps graph_structure doc").split(),
        *("decorators extensions").split(),
    }
    assert (info["start_step"], info["end_step"]) == ("start", "end")
    assert info["parameters"] == [{"name": "rate", "type": "Parameter"}]
    assert info["constants"] == [
        {"name": "colours", "type": "tuple", "value": "('red', 'blue')"},
    ]
    assert [one["name"] for one in info["decorators"]] == ["team"]
    types = {name: step["type"] for name, step in info["steps"].items()}
    assert types == {
        "start": "split-static",
        "a": "split-foreach",
        "a1": "linear",
        "a_join": "join",
        "b": "split-switch",
        "b1": "linear",
        "b2": "linear",
        "join": "join",
        "end": "end",
    }
    assert info["steps"]["a"]["foreach_artifact"] == "items"
    assert info["steps"]["a"]["node_info"] == {"owner": "me"}
    assert info["steps"]["start"]["matching_join"] == "join"
    assert info["steps"]["b"]["switch_cases"] == {"x": "b1", "2": "b", "cfg.k": "b2"}


def test_graph_info_is_plain_data_without_secrets() -> None:
    text = json.dumps(graph_info(GRAPH, Told))
    assert "s3cret" not in text
    assert '"times": 1' in text


def test_the_structure_nests_branches() -> None:
    structure = graph_info(GRAPH, Told)["graph_structure"]
    assert structure == [
        "start",
        [["a", [["a1"]], "a_join"], ["b", "b1", "b2"]],
        "join",
        "end",
    ]


def test_the_view_of_tools_has_their_names() -> None:
    view = GraphView(GRAPH)
    assert "a" in view
    assert [node.name for node in view] == list(GRAPH.nodes)
    assert (view["a"].type, view["a"].out_funcs, view["a"].in_funcs) == (
        "foreach",
        ["a1"],
        ["start"],
    )
    assert view["a1"].split_parents == ["start", "a"]
    assert view["a_join"].split_parents == ["start", "a"]
    assert view["start"].matching_join == "join"
    assert not view["a"].parallel_foreach
    assert view["start"].doc == "Opens."


def test_the_drawing_has_every_step_and_edge() -> None:
    text = dot(GRAPH)
    assert text.startswith("digraph Told {")
    assert text.count(" -> ") == 11
    assert '"b" -> "b1" [label="x"];' in text
    assert '"start" -> "a";' in text


def test_the_raw_listing_tells_every_step() -> None:
    text = raw(GRAPH)
    for line in (
        "step a [split-foreach] line",
        "  foreach: items",
        "  decorators: @keys",
        "  joined by: a_join",
        "  case cfg.k: b2",
        "  from: a_join, b2",
    ):
        assert line in text


def test_steps_are_shown_in_order() -> None:
    names = [node.name for node in shown_steps(GRAPH)]
    assert names[0] == "start"
    assert names[-2:] == ["join", "end"]
    assert sorted(names) == sorted(GRAPH.nodes)


def test_cases_are_shown_bare() -> None:
    assert list(plain_cases(GRAPH.nodes["b"])) == ["x", "2", "cfg.k"]
