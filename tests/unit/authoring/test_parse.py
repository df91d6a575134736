"""Steps are read from their source: forms, places, and where the source may live."""

from __future__ import annotations

import functools
import importlib
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swell.authoring.decorator import StepDecorator
from swell.authoring.parse import parse_flow
from swell.authoring.step import step
from swell.errors import FlowError
from swell.model.graph import Node, NodeType
from swell.script import FlowSpec

ITEMS = "items"


class Mark(StepDecorator):
    name = "mark"
    repeatable = True


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


class Forms(FlowSpec):
    """First line.

    Indented
      more.
    """

    @step
    def start(self) -> None:
        """Says what it does.

        At length.
        """
        self.next(self.branch)

    @Mark()
    @logged
    @step
    def branch(this) -> None:  # noqa: N805
        this.next(
            this.each,
            this.gang,
        )

    @step
    def each(self) -> None:
        self.next(self.switch, foreach=ITEMS, allow_empty=True)

    @step
    def gang(self) -> None:
        self.next(self.work, num_parallel=len(self.name) + 1)

    @step
    def switch(self) -> None:
        self.next(
            {"a": self.work, -1: self.switch, True: self.each, self.cfg.key: self.work},
            condition="kind",
        )

    @step
    def work(self) -> None:
        self.next(self.join)

    @step
    def join(self, inputs: Any) -> None:
        self.next(self.end)

    @step
    def end(self) -> None: ...


NODES = parse_flow(Forms).nodes


def line_of(text: str) -> int:
    lines = Path(__file__).read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if text in line)


def test_every_form_has_its_type_and_targets() -> None:
    found = {name: (node.type, node.targets) for name, node in NODES.items()}
    assert found == {
        "start": (NodeType.START, ("branch",)),
        "branch": (NodeType.SPLIT, ("each", "gang")),
        "each": (NodeType.FOREACH, ("switch",)),
        "gang": (NodeType.FOREACH, ("work",)),
        "switch": (NodeType.SWITCH, ("work", "switch", "each")),
        "work": (NodeType.LINEAR, ("join",)),
        "join": (NodeType.JOIN, ("end",)),
        "end": (NodeType.END, ()),
    }


def test_what_belongs_to_a_form_is_read_with_it() -> None:
    assert (NODES["each"].foreach_var, NODES["each"].allow_empty) == ("items", True)
    assert (NODES["gang"].num_parallel, NODES["gang"].foreach_var) == (True, None)
    assert NODES["switch"].condition == "kind"
    assert NODES["switch"].cases == {
        "'a'": "work",
        "-1": "switch",
        "True": "each",
        "self.cfg.key": "work",
    }
    assert (NODES["join"].is_join, NODES["join"].num_args) == (True, 2)


def test_parents_stand_in_order_of_definition_and_leave_a_switch_to_itself_aside() -> None:
    assert NODES["work"].parents == ("gang", "switch")
    assert NODES["switch"].parents == ("each",)


def test_lines_are_those_of_def_and_of_self_next() -> None:
    assert NODES["branch"].line == line_of("def branch(this)")
    assert NODES["branch"].next_line == line_of("        this.next(")
    assert NODES["end"].next_line == 0
    assert NODES["start"].file == __file__


def test_decorators_and_docs_are_kept() -> None:
    assert NODES["branch"].decorators == ("mark",)
    assert NODES["start"].doc == "Says what it does.\n\nAt length."
    assert parse_flow(Forms).doc == "First line.\n\nIndented\n  more."


def test_inherited_steps_are_read_from_the_file_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = tmp_path / "flow_above.py"
    above.write_text(
        "from swell.authoring.step import step\nfrom swell.script import FlowSpec\n\n\n"
        "class Above(FlowSpec):\n    @step\n    def start(self):\n        self.next(self.end)\n\n"
        "    @step\n    def end(self):\n        pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("flow_above")

    class Below(module.Above):  # type: ignore[misc, name-defined]
        @step
        def middle(self) -> None:
            self.next(self.end)

        @step
        def start(self) -> None:
            self.next(self.middle)

    del sys.modules["flow_above"]
    graph = parse_flow(Below)
    assert graph.order == ("start", "middle", "end")
    assert (graph.nodes["end"].file, graph.nodes["end"].line) == (str(above), 11)
    assert graph.nodes["start"].file == __file__


def flow_from_cell(source: str) -> Any:
    """As a notebook does it: the source is in linecache alone, under a made-up name."""
    name = "<cell of a notebook>"
    namespace: dict[str, Any] = {"__name__": "__main__"}
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)
    return namespace["F"]


CELL = """
from swell.authoring.step import step
from swell.script import FlowSpec

class F(FlowSpec):
    @step
    def only(self):
        pass
"""


def test_a_flow_of_a_notebook_cell_is_read_from_linecache() -> None:
    graph = parse_flow(flow_from_cell(CELL))
    assert (graph.start, graph.end) == ("only", "only")
    assert graph.nodes["only"] == Node(
        name="only",
        type=NodeType.END,
        file="<cell of a notebook>",
        line=7,
        fault=graph.nodes["only"].fault,
    )


def test_a_source_that_is_gone_is_told_with_step_and_place() -> None:
    flow = flow_from_cell(CELL)
    linecache.cache.clear()
    with pytest.raises(FlowError, match="'only' is not in line 6 of <cell"):
        parse_flow(flow)


def test_a_source_that_became_nonsense_is_told() -> None:
    flow = flow_from_cell(CELL)
    linecache.cache["<cell of a notebook>"] = (1, None, ["def ("], "")
    with pytest.raises(FlowError, match="cannot be parsed any more"):
        parse_flow(flow)
