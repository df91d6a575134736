"""A flow from plain functions is the same flow as the one written as a class."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from swell.authoring.check import check_graph
from swell.authoring.declared import configs_of, parameters_of
from swell.authoring.decorator import FlowDecorator, StepDecorator, StepDecoratorFactory
from swell.authoring.flow import bind, chosen_transition, follow_own_transition
from swell.authoring.parse import parse_flow
from swell.authoring.step import step
from swell.authoring.transition import Chosen
from swell.builder import FlowBuilder, flow
from swell.errors import FlowError, InvalidNextException
from swell.model.graph import Graph
from swell.script import FlowSpec


class Mark(StepDecorator):
    name = "mark"


class Other(StepDecorator):
    name = "other"


class Team(FlowDecorator):
    name = "team"


mark = StepDecoratorFactory(Mark)


def start(self: Any) -> None:
    """Opens."""
    self.items = [1, 2]
    self.kind = "a"


def work(self: Any) -> None:
    self.y = 1


def join(self: Any, inputs: Any) -> None:
    self.n = len(inputs)


def calls_next(self: Any) -> None:
    self.next(self.end)


def graph_of(builder: FlowBuilder) -> Graph:
    built = builder.build()
    graph = parse_flow(built)
    check_graph(graph, built)
    return graph


class Written(FlowSpec):
    @step
    def start(self) -> None:
        self.next(self.a, self.b)

    @step
    def a(self) -> None:
        self.next(self.each, foreach="items")

    @step
    def each(self) -> None:
        self.next({"a": self.c, 2: self.d}, condition="kind")

    @step
    def c(self) -> None:
        self.next(self.d)

    @step
    def d(self) -> None:
        self.next(self.each_join)

    @step
    def each_join(self, inputs: Any) -> None:
        self.next(self.join)

    @step
    def b(self) -> None:
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


def built() -> FlowBuilder:
    return (
        flow("Written")
        .step("start", start, next_step=["a", "b"])
        .step("a", work, next_step="each", foreach="items")
        .step("each", work, condition="kind", cases={"a": "c", 2: "d"})
        .step("c", work, next_step="d")
        .step("d", work, next_step="each_join")
        .step("each_join", join, next_step="join", join=True)
        .step("b", work, next_step="join")
        .step("join", join, next_step="end")
        .step("end", work)
    )


def test_a_built_flow_has_the_graph_of_the_written_one() -> None:
    one, other = graph_of(built()), parse_flow(Written)
    assert one.order == other.order
    for name, node in other.nodes.items():
        same = one.nodes[name]
        for field in "type targets parents foreach_var condition cases is_join".split():
            assert getattr(same, field) == getattr(node, field), (name, field)
        assert (same.matching_join, same.split_parents) == (
            node.matching_join,
            node.split_parents,
        )


def test_a_step_points_at_the_line_of_its_function() -> None:
    graph = graph_of(built())
    assert graph.nodes["start"].file == __file__
    assert graph.nodes["start"].line == start.__code__.co_firstlineno
    assert graph.nodes["start"].doc == "Opens."
    assert graph.file == __file__


def test_parameters_configs_files_and_decorators_are_those_of_a_class() -> None:
    made = (
        flow("Full", doc="Says what it does.")
        .parameter("n-rows", default=3)
        .include_file("notes")
        .config("cfg", default_value={"a": 1})
        .step("start", start, next_step="end", decorators=[mark, Other()])
        .step("end", work)
        .decorate(Team())
        .build()
    )
    assert made.__name__ == "Full"
    assert made.__doc__ == "Says what it does."
    assert made.__module__ == __name__
    assert list(parameters_of(made)) == ["n_rows", "notes"]
    assert list(configs_of(made)) == ["cfg"]
    assert parse_flow(made).nodes["start"].decorators == ("mark", "other")
    assert [one.name for one in vars(made)["_flow_decorators"]] == ["team"]


def test_one_function_serves_several_steps_with_decorators_of_their_own() -> None:
    graph = graph_of(
        flow("Twice").step("start", work, next_step="end", decorators=[mark()]).step("end", work)
    )
    assert graph.nodes["start"].decorators == ("mark",)
    assert graph.nodes["end"].decorators == ()
    assert not hasattr(work, "is_step")


def test_a_function_that_is_a_step_already_keeps_its_decorators() -> None:
    @Mark()
    @step
    def marked(self: Any) -> None: ...

    graph = graph_of(flow("F").step("start", marked, next_step="end").step("end", work))
    assert graph.nodes["start"].decorators == ("mark",)


def test_without_the_usual_names_the_first_and_the_last_step_are_entry_and_terminal() -> None:
    graph = graph_of(flow("F").step("load", start, next_step="save").step("save", work))
    assert (graph.start, graph.end) == ("load", "save")


class Door:
    """Knows no artifacts."""

    index = None
    input = None

    def load(self, name: str) -> object:
        raise KeyError(name)

    def names(self) -> list[str]:
        return []

    def read_only_names(self) -> dict[str, str]:
        return {}

    def foreach_stack(self) -> list[Any]:
        return []

    def merge_artifacts(self, *_: object) -> None:
        pass


def run_step(made: type[FlowSpec], name: str, **artifacts: object) -> Chosen | None:
    """As the task runner does: call the step, then follow what it declares."""
    one = made(use_cli=False)
    bind(one, Door(), parse_flow(made).nodes[name])
    for key, value in artifacts.items():
        setattr(one, key, value)
    getattr(one, name)()
    follow_own_transition(one)
    return chosen_transition(one)


def test_when_the_function_returns_the_declared_transition_is_followed() -> None:
    made = built().build()
    assert run_step(made, "start") == Chosen(("a", "b"))
    assert run_step(made, "a", items=[7]) == Chosen(("each",), foreach="items", items=[7])
    assert run_step(made, "each", kind=2) == Chosen(("d",), condition="kind", value=2)
    assert run_step(made, "end") is None


@pytest.mark.parametrize("number", [2, "count"])
def test_a_gang_takes_its_size_from_a_number_or_an_attribute(number: int | str) -> None:
    made = (
        flow("Gang")
        .step("start", start, next_step="many", num_parallel=number)
        .step("many", work, next_step="join")
        .step("join", join, next_step="end")
        .step("end", work)
        .build()
    )
    assert run_step(made, "start", count=2) == Chosen(("many",), num_parallel=2)


def test_a_built_step_that_calls_self_next_is_told_to_leave_it_out() -> None:
    made = flow("F").step("start", calls_next, next_step="end").step("end", work).build()
    with pytest.raises(InvalidNextException, match=r"given to the builder.*Take self.next out"):
        run_step(made, "start")


def one_step(**keywords: Any) -> FlowBuilder:
    function = keywords.pop("function", start)
    return flow("F").step("start", function, **keywords).step("end", work)


MISUSED: dict[str, tuple[Callable[[], FlowBuilder], list[str]]] = {
    "no step": (lambda: flow("F"), ["no step", ".step("]),
    "a name with a blank": (lambda: flow("My Flow").step("end", work), ["'My Flow'"]),
    "an unknown next step": (
        lambda: one_step(next_step="ende"),
        ["'start' goes to 'ende'", "start, end"],
    ),
    "a next step that is a function": (lambda: one_step(next_step=[work]), ["name of a step"]),
    "a next step named twice": (
        lambda: one_step(next_step=["end", "end"]),
        ["every next step once"],
    ),
    "two steps of one name": (
        lambda: flow("F").step("a", start, next_step="a").step("a", work),
        ["name of another step"],
    ),
    "a step named as a parameter": (
        lambda: flow("F").parameter("end").step("start", start, next_step="end").step("end", work),
        ["'end'", "another step or parameter"],
    ),
    "a parameter twice": (
        lambda: flow("F").parameter("n").parameter("n").step("end", work),
        ["'n' stands twice"],
    ),
    "a step that goes nowhere": (
        lambda: flow("F").step("start", start).step("end", work),
        ["'start' goes nowhere"],
    ),
    "several ends": (
        lambda: flow("F").step("start", start).step("stop", work),
        ["one step without next_step", "(start, stop)"],
    ),
    "foreach without next step": (
        lambda: flow("F").step("start", start, foreach="items").step("end", work),
        ["has foreach, but no next_step"],
    ),
    "foreach over a list": (
        lambda: one_step(next_step="end", foreach=[1]),
        ["foreach=[1]", "foreach='items'"],
    ),
    "foreach to two steps": (
        lambda: one_step(next_step=["start", "end"], foreach="items"),
        ["foreach and 2 next steps"],
    ),
    "foreach and num_parallel": (
        lambda: one_step(next_step="end", foreach="items", num_parallel=2),
        ["both foreach and num_parallel"],
    ),
    "a gang of none": (lambda: one_step(next_step="end", num_parallel=0), ["num_parallel=0"]),
    "allow_empty alone": (lambda: one_step(next_step="end", allow_empty=True), ["without foreach"]),
    "condition without cases": (lambda: one_step(condition="kind"), ["no cases"]),
    "cases without condition": (lambda: one_step(cases={1: "end"}), ["no condition"]),
    "cases and next step": (
        lambda: one_step(next_step="end", condition="kind", cases={1: "end", 2: "end"}),
        ["both cases and next_step"],
    ),
    "one case": (lambda: one_step(condition="kind", cases={1: "end"}), ["at least two"]),
    "a case that is no literal": (
        lambda: one_step(condition="kind", cases={(1,): "end", 2: "end"}),
        ["the case (1,)"],
    ),
    "an unknown step in a case": (
        lambda: one_step(condition="kind", cases={1: "end", 2: "gone"}),
        ["goes to 'gone'"],
    ),
    "join without inputs": (
        lambda: one_step(next_step="end", join=True),
        ["join=True", "1 argument"],
    ),
    "inputs without join": (
        lambda: one_step(function=join, next_step="end", join=False),
        ["join=False", "2 arguments"],
    ),
    "a function of nothing": (
        lambda: one_step(function=lambda: None, next_step="end"),
        ["0 arguments"],
    ),
    "no function": (lambda: one_step(function=print, next_step="end"), ["not a plain function"]),
    "a decorator that is none": (
        lambda: one_step(next_step="end", decorators=["retry"]),
        ["'retry', which is not a decorator"],
    ),
}


@pytest.mark.parametrize("misuse", MISUSED)
def test_misuse_is_told_at_build_with_its_place_and_a_remedy(misuse: str) -> None:
    make, words = MISUSED[misuse]
    with pytest.raises(FlowError) as caught:
        make().build()
    error = caught.value
    assert [word for word in words if word not in str(error)] == [], str(error)
    assert error.remedy
    assert error.source_file == __file__
    assert error.line_no is not None


def test_the_module_of_a_built_flow_is_the_script() -> None:
    made = flow("F").step("end", work).build()
    assert sys.modules[made.__module__].__file__ == __file__
    assert made(use_cli=False).script_name == "test_builder.py"
