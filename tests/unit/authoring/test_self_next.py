"""``self.next`` at run time: what it chooses, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from swell.authoring.config import ConfigValue
from swell.authoring.flow import bind, chosen_transition, follow_own_transition
from swell.authoring.parse import parse_flow
from swell.authoring.step import step
from swell.authoring.transition import Chosen, empty_foreach, not_iterable
from swell.errors import InvalidNextException
from swell.script import FlowSpec


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


class Ways(FlowSpec):
    """One step for each form; ``act`` stands in for what the code does instead."""

    @step
    def start(self) -> None:
        self.next(self.split)

    @step
    def split(self) -> None:
        self.next(self.each, self.gang)

    @step
    def each(self) -> None:
        self.next(self.work, foreach="items")

    @step
    def gang(self) -> None:
        self.next(self.work, num_parallel=self.count)

    @step
    def switch(self) -> None:
        self.next({"a": self.work, 2: self.end, self.cfg.key: self.switch}, condition="kind")

    @step
    def work(self) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        pass

    def helper(self) -> None:
        pass


GRAPH = parse_flow(Ways)


def at(name: str, **artifacts: object) -> Ways:
    flow = Ways(use_cli=False)
    bind(flow, Door(), GRAPH.nodes[name])
    for key, value in artifacts.items():
        setattr(flow, key, value)
    return flow


def chosen(name: str, **artifacts: object) -> Chosen | None:
    flow = at(name, **artifacts)
    getattr(flow, name)()
    return chosen_transition(flow)


# --- what it chooses ---


def test_one_and_several_targets() -> None:
    assert chosen("start") == Chosen(("split",))
    assert chosen("split") == Chosen(("each", "gang"))
    assert chosen("end") is None


def test_a_foreach_hands_over_the_iterable_untouched() -> None:
    def items() -> Iterator[int]:
        raise AssertionError("iterated too early")
        yield 1

    iterable = items()
    found = chosen("each", items=iterable)
    assert found is not None
    assert found.items is iterable
    assert (found.targets, found.foreach) == (("work",), "items")


def test_num_parallel_is_a_number_of_tasks() -> None:
    assert chosen("gang", count=4) == Chosen(("work",), num_parallel=4)


@pytest.mark.parametrize(("kind", "target"), [("a", "work"), (2, "end"), ("k", "switch")])
def test_a_switch_takes_the_case_of_its_value(kind: object, target: str) -> None:
    found = chosen("switch", kind=kind, cfg=ConfigValue({"key": "k"}))
    assert found == Chosen((target,), condition="kind", value=kind)


# --- what it refuses ---


WRONG: dict[str, tuple[str, Callable[[Any], object], list[str]]] = {
    "an unknown keyword": ("start", lambda f: f.next(f.end, fan="x"), ["'fan'", "foreach='items'"]),
    "two keywords": (
        "each",
        lambda f: f.next(f.work, foreach="x", num_parallel=2),
        ["both 'foreach' and 'num_parallel'"],
    ),
    "no target": ("start", lambda f: f.next(), ["no step to go to"]),
    "a target that is no step": ("start", lambda f: f.next(f.helper), ["helper", "not a step"]),
    "a target that is text": ("start", lambda f: f.next("end"), ["'end'", "not a step"]),
    "foreach not as text": ("each", lambda f: f.next(f.work, foreach=[1]), ["a list", "as text"]),
    "foreach to several": (
        "each",
        lambda f: f.next(f.work, f.end, foreach="x"),
        ["2 steps (work, end)"],
    ),
    "foreach over nothing known": (
        "each",
        lambda f: f.next(f.work, foreach="items"),
        ["no self.items", "Assign self.items"],
    ),
    "foreach over a number": (
        "each",
        lambda f: (setattr(f, "items", 3), f.next(f.work, foreach="items")),
        ["self.items, which is an int", "cannot be iterated"],
    ),
    "num_parallel of zero": ("gang", lambda f: f.next(f.work, num_parallel=0), ["(0)", "least 1"]),
    "num_parallel of True": ("gang", lambda f: f.next(f.work, num_parallel=True), ["(True)"]),
    "num_parallel of text": ("gang", lambda f: f.next(f.work, num_parallel="2"), ["a str ('2')"]),
    "a condition nobody knows": (
        "switch",
        lambda f: f.next({"a": f.work, 2: f.end}, condition="kind"),
        ["no self.kind"],
    ),
    "a condition without dict": ("switch", lambda f: f.next(f.work, condition="kind"), ["dict"]),
    "a dict without condition": ("switch", lambda f: f.next({"a": f.work}), ["condition="]),
    "another target than its source says": (
        "start",
        lambda f: f.next(f.end),
        ["expected split, got end"],
    ),
    "another form than its source says": (
        "gang",
        lambda f: (setattr(f, "items", [1]), f.next(f.work, foreach="items")),
        ["expected work by num_parallel", "got work by foreach over 'items'"],
    ),
    "allow_empty alone": (
        "start",
        lambda f: f.next(f.split, allow_empty=True),
        ["without foreach"],
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_call_names_the_step_the_argument_and_the_line(what: str) -> None:
    name, call, words = WRONG[what]
    with pytest.raises(InvalidNextException) as caught:
        call(at(name))
    error = caught.value
    assert [word for word in [f"'{name}'", *words] if word not in str(error)] == [], str(error)
    assert error.remedy
    assert error.source_file == __file__
    assert error.line_no is not None


def test_a_second_call_is_refused() -> None:
    flow = at("start")
    flow.start()
    with pytest.raises(InvalidNextException, match="second time"):
        flow.start()


@pytest.mark.parametrize("kind", ["c", 3, ["unhashable"]])
def test_a_value_without_a_case_tells_variable_value_and_cases(kind: object) -> None:
    flow = at("switch", kind=kind, cfg=ConfigValue({"key": "k"}))
    with pytest.raises(RuntimeError) as caught:
        flow.switch()
    for word in ("'switch'", "self.kind", repr(kind), "'a', 2, 'k'"):
        assert word in str(caught.value)


def test_an_empty_foreach_says_how_to_allow_it() -> None:
    error = empty_foreach(at("each"), Chosen(("work",), foreach="items"))
    for word in ("'each'", "self.items", "allow_empty=True", "switch"):
        assert word in str(error)
    assert error.line_no == GRAPH.nodes["each"].next_line


def test_an_iterable_that_breaks_tells_its_own_error() -> None:
    error = not_iterable(at("each"), "items", 3, TypeError("0-d array"))
    assert "TypeError: 0-d array" in str(error)


# --- the step's own transition ---


def followed(name: str, keywords: dict[str, object] | None = None, **artifacts: object) -> Any:
    flow = at(name, **artifacts)
    follow_own_transition(flow, keywords)
    return chosen_transition(flow)


def test_a_skipped_step_goes_where_its_source_says() -> None:
    assert followed("split") == Chosen(("each", "gang"))
    assert followed("each", items=[1]) == Chosen(("work",), foreach="items", items=[1])
    assert followed("end") is None
    found = followed("switch", kind=2, cfg=ConfigValue({"key": "k"}))
    assert found.targets == ("end",)


def test_other_keywords_replace_those_of_the_source() -> None:
    assert followed("each", {"foreach": "others"}, others=[2]).items == [2]
    assert followed("gang", {"num_parallel": 3}).num_parallel == 3


def test_skipping_a_gang_needs_its_number() -> None:
    with pytest.raises(InvalidNextException, match=r"'gang'.*num_parallel"):
        followed("gang")


def test_what_the_step_chose_itself_stands_unless_keywords_are_given() -> None:
    flow = at("each", items=[1], others=[2])
    flow.each()
    follow_own_transition(flow)
    assert chosen_transition(flow) == Chosen(("work",), foreach="items", items=[1])
    follow_own_transition(flow, {"foreach": "others"})
    assert chosen_transition(flow) == Chosen(("work",), foreach="others", items=[2])
