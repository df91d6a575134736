"""``max_failures`` and ``canary`` beside ``foreach``: read from the source, refused in words."""

from __future__ import annotations

import linecache
from typing import Any

import pytest

from swell.authoring.foreach_options import canary_problem, max_failures_problem
from swell.authoring.parse import parse_flow
from swell.builder import flow
from swell.errors import FlowError
from swell.model.graph import Node

SOURCE = """
from swell.authoring.step import step
from swell.script import FlowSpec

class F(FlowSpec):
    @step
    def start(self):
        self.items = [1]
        self.next(self.work, {keywords})

    @step
    def work(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def start_of(keywords: str) -> Node:
    source = SOURCE.replace("{keywords}", keywords)
    name = f"<cell with {keywords}>"
    namespace: dict[str, Any] = {"__name__": "__main__"}
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)
    return parse_flow(namespace["F"]).nodes["start"]


@pytest.mark.parametrize(
    ("keywords", "budget", "canary"),
    [
        ("foreach='items'", None, 0),
        ("foreach='items', max_failures='2%'", "2%", 0),
        ("foreach='items', max_failures=5, canary=3", "5", 3),
        ("foreach='items', max_failures=0, allow_empty=True", "0", 0),
        ("foreach='items', max_failures='0.5%'", "0.5%", 0),
    ],
)
def test_they_are_read_from_the_source(keywords: str, budget: str | None, canary: int) -> None:
    node = start_of(keywords)
    assert node.fault is None
    assert (node.max_failures, node.canary) == (budget, canary)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ("foreach='items', max_failures='2 percent'", "max_failures='2 percent': it takes a whole"),
        ("foreach='items', max_failures='nan%'", "max_failures='nan%'"),
        ("foreach='items', max_failures='101%'", "max_failures='101%'"),
        ("foreach='items', max_failures=-1", "max_failures=-1: it takes a whole number of"),
        ("foreach='items', max_failures=0.02", "max_failures=0.02"),
        ("foreach='items', max_failures=True", "max_failures=True"),
        ("foreach='items', max_failures=self.x", "its value is written out"),
        ("foreach='items', canary=0", "canary=0: it takes a whole number of at least 1"),
        ("foreach='items', canary='3'", "canary='3'"),
        ("foreach='items', canary=2.5", "canary=2.5"),
        ("canary=3", "canary stands only beside foreach"),
        ("num_parallel=2, max_failures=1", "max_failures stands only beside foreach"),
    ],
)
def test_what_they_cannot_be_is_told_in_words(keywords: str, words: str) -> None:
    assert words in start_of(keywords).fault_detail


@pytest.mark.parametrize("value", [0, 7, "0%", "12.5%", "100%"])
def test_budgets_that_can_be(value: object) -> None:
    assert max_failures_problem(value) == ""


@pytest.mark.parametrize("value", [1, 12])
def test_canaries_that_can_be(value: object) -> None:
    assert canary_problem(value) == ""


def items(self: Any) -> None:
    self.items = [1]


def work(self: Any) -> None: ...


def gather(self: Any, inputs: Any) -> None: ...


def built(**keywords: Any) -> Any:
    return (
        flow("Built")
        .step("start", items, next_step="work", **keywords)
        .step("work", work, next_step="gather")
        .step("gather", gather, next_step="end")
        .step("end", work)
        .build()
    )


def test_the_builder_takes_the_same_keywords() -> None:
    node = parse_flow(built(foreach="items", max_failures="10%", canary=2)).nodes["start"]
    assert (node.max_failures, node.canary) == ("10%", 2)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"foreach": "items", "canary": 0}, "has canary=0: it takes a whole number"),
        ({"foreach": "items", "max_failures": "x"}, "has max_failures='x'"),
        ({"canary": 2}, "has canary without foreach"),
        ({"max_failures": 2}, "has max_failures without foreach"),
    ],
)
def test_the_builder_refuses_them_in_words(keywords: dict[str, Any], words: str) -> None:
    with pytest.raises(FlowError, match=words):
        built(**keywords)
