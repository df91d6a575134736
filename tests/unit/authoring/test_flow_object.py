"""What ``self`` is inside a step: artifacts, foreach, and what cannot be done with it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from swell.authoring.config import Config
from swell.authoring.declared import configs_of, constants_of, parameters_of
from swell.authoring.flow import bind, loaded_artifacts, own_artifacts
from swell.authoring.parameter import Parameter
from swell.authoring.parse import parse_flow
from swell.authoring.step import step, steps_of
from swell.errors import SwellError
from swell.script import FlowSpec


class Base(FlowSpec):
    shared = (1, 2)
    alpha = Parameter("alpha", default=1)

    @step
    def end(self) -> None:
        self.done = True


class Sample(Base):
    """Says what it does."""

    beta = Parameter("beta-value", default=2)
    cfg = Config("cfg")
    limit = 3
    _hidden = 4

    @property
    def doubled(self) -> int:
        return 2 * self.no_such_thing  # type: ignore[no-any-return]

    @step
    def start(self) -> None:
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.next(self.end)

    def method(self) -> int:
        return 5


class Door:
    """Hands out what it was given, and counts how often."""

    def __init__(self, stored: Mapping[str, object], stack: list[Any] | None = None) -> None:
        self.stored = stored
        self.stack = stack or []
        self.loads: list[str] = []
        self.merged: list[tuple[list[object], list[str], list[str]]] = []

    @property
    def index(self) -> int | None:
        return self.stack[-1][0] if self.stack else None

    @property
    def input(self) -> object:
        self.loads.append("input")
        return self.stack[-1][2] if self.stack else None

    def load(self, name: str) -> object:
        value = self.stored[name]
        self.loads.append(name)
        return value

    def names(self) -> Iterable[str]:
        return self.stored.keys()

    def read_only_names(self) -> Mapping[str, str]:
        return {"alpha": "parameter", "cfg": "config", "limit": "constant"}

    def foreach_stack(self) -> list[tuple[int, int, object]]:
        return self.stack

    def merge_artifacts(
        self, inputs: Iterable[object], exclude: list[str], include: list[str]
    ) -> None:
        self.merged.append((list(inputs), exclude, include))


def sample(door: Door | None = None, *, at: str = "start") -> Sample:
    flow = Sample(use_cli=False)
    bind(flow, door or Door({}), parse_flow(Sample).nodes[at])
    return flow


# --- artifacts ---


def test_an_artifact_is_loaded_once_and_cached() -> None:
    door = Door({"x": [1]})
    flow = sample(door)
    assert flow.x is flow.x
    assert door.loads == ["x"]


def test_what_was_only_loaded_is_not_the_steps_own() -> None:
    flow = sample(Door({"x": [1], "y": [2]}))
    flow.x.append(2)
    flow.y = [*flow.y, 3]
    flow._z = 1
    assert own_artifacts(flow) == {"y": [2, 3], "_z": 1}
    assert loaded_artifacts(flow) == {"x": [1, 2]}


def test_bound_methods_and_machinery_are_no_artifacts() -> None:
    flow = sample()
    flow.call = flow.method
    flow.__dict__["__odd__"] = 1
    flow.function = len
    assert own_artifacts(flow) == {"function": len}


def test_deleting_forgets_this_steps_copy_only() -> None:
    flow = sample(Door({"x": 1}))
    flow.x = 2
    del flow.x
    assert flow.x == 1
    del flow.x
    assert own_artifacts(flow) == {}
    assert loaded_artifacts(flow) == {}
    del flow.x  # known, though not loaded: nothing to forget


def test_deleting_what_nobody_knows_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'y'"):
        del sample(Door({"x": 1})).y


def test_an_unknown_attribute_names_flow_attribute_and_step() -> None:
    flow = sample()
    assert not hasattr(flow, "missing")
    with pytest.raises(AttributeError) as caught:
        _ = flow.missing
    for word in ("Sample", "'missing'", "'start'"):
        assert word in str(caught.value)


def test_an_attribute_error_inside_a_property_keeps_its_own_words() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = sample().doubled


def test_parameters_and_configs_have_the_values_of_the_run() -> None:
    flow = sample(Door({"alpha": 10, "beta": 20, "cfg": {"a": 1}}))
    assert (flow.alpha, flow.beta, flow.cfg) == (10, 20, {"a": 1})
    assert isinstance(Sample.alpha, Parameter)


def test_without_a_task_a_parameter_is_its_declaration() -> None:
    flow = Sample(use_cli=False)
    assert flow.alpha is Sample.alpha
    assert flow.index is None
    assert flow.input is None
    assert flow.foreach_stack() == []


@pytest.mark.parametrize(
    ("name", "kind"), [("alpha", "parameter"), ("cfg", "config"), ("limit", "constant")]
)
def test_parameters_configs_and_constants_cannot_be_assigned(name: str, kind: str) -> None:
    with pytest.raises(AttributeError, match=f"'{name}' is a {kind}.*another name"):
        setattr(sample(), name, 1)


@pytest.mark.parametrize("name", ["index", "input", "next", "merge_artifacts", "foreach_stack"])
def test_what_every_flow_has_cannot_be_assigned(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        setattr(sample(), name, 1)


def test_the_name_of_the_flow_can_be_read_and_replaced() -> None:
    flow = sample()
    assert flow.name == "Sample"
    flow.name = "mine"
    assert own_artifacts(flow) == {"name": "mine"}


# --- foreach ---


def test_index_input_and_stack_come_from_the_foreach_around() -> None:
    door = Door({}, [(0, 2, "a"), (1, 3, "b")])
    flow = sample(door)
    assert (flow.index, flow.input, flow.input) == (1, "b", "b")
    assert flow.foreach_stack() == [(0, 2, "a"), (1, 3, "b")]
    assert door.loads == ["input"]


@pytest.mark.parametrize(
    ("stack", "text"),
    [
        ([], "<flow Sample step start>"),
        ([(0, 2, None), (1, 3, None)], "<flow Sample step start[0,1]>"),
        ([(0, 2, "abc")], "<flow Sample step start[0] (input: abc)>"),
        ([(0, 2, "x" * 30)], f"<flow Sample step start[0] (input: {'x' * 20}...)>"),
    ],
)
def test_the_flow_as_text_tells_step_and_place(stack: list[Any], text: str) -> None:
    assert str(sample(Door({}, stack))) == text


# --- what it declares ---


def test_declarations_come_from_all_base_flows() -> None:
    assert list(steps_of(Sample)) == ["end", "start", "join"]
    assert list(parameters_of(Sample)) == ["alpha", "beta"]
    assert list(configs_of(Sample)) == ["cfg"]
    assert constants_of(Sample) == {"shared": (1, 2), "limit": 3}


def test_a_redefinition_replaces_what_stood_above() -> None:
    class Derived(Sample):
        alpha = 7  # type: ignore[assignment]
        start = None  # type: ignore[assignment]

    assert list(steps_of(Derived)) == ["end", "join"]
    assert list(parameters_of(Derived)) == ["beta"]
    assert constants_of(Derived)["alpha"] == 7


def test_iterating_over_a_flow_gives_its_steps() -> None:
    assert [one.name for one in Sample(use_cli=False)] == ["end", "start", "join"]


def test_the_script_is_named_by_its_base_name() -> None:
    assert Sample(use_cli=False).script_name.endswith(".py")
    assert "/" not in Sample(use_cli=False).script_name


def test_tools_read_the_graph_from_a_flow_object() -> None:
    node = Sample(use_cli=False)._graph["join"]
    assert (node.type, node.out_funcs, node.in_funcs) == ("join", ["end"], ["start"])


# --- storing itself ---


@pytest.mark.parametrize("store", [pickle.dumps, copy.copy])
def test_a_flow_object_cannot_be_stored(store: Any) -> None:
    with pytest.raises(SwellError, match="Store the fields"):
        store(sample())


# --- merge_artifacts ---


def test_merging_hands_over_to_the_task() -> None:
    door = Door({})
    sample(door, at="join").merge_artifacts(["a", "b"], exclude=["x"])
    sample(door, at="join").merge_artifacts([], include=("y",))
    sample(door, at="join").merge_artifacts([], exclude="model")
    assert door.merged == [
        (["a", "b"], ["x"], []),
        ([], [], ["y"]),
        ([], ["model"], []),
    ]


def test_merging_outside_a_join_names_the_step() -> None:
    with pytest.raises(SwellError, match="'start', which is not a join"):
        sample().merge_artifacts([])


def test_merging_with_both_lists_asks_to_choose() -> None:
    with pytest.raises(SwellError, match=r"'join'.*Choose one"):
        sample(at="join").merge_artifacts([], exclude=["a"], include=["b"])
