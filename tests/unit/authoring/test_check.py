"""One flow per rule: the check names the step, the place and what to do."""

from __future__ import annotations

import importlib.util
import itertools
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from swell.authoring.check import check_graph
from swell.authoring.flow import Flow
from swell.authoring.parse import parse_flow
from swell.authoring.step import step
from swell.errors import LintWarn
from swell.script import FlowSpec

Load = Callable[[str], type[Flow]]

HEAD = """
from swell.authoring.step import step
from swell.script import FlowSpec

class Parallel:
    name = "parallel"

def parallel(function):
    function.decorators.insert(0, Parallel())
    return function

class F(FlowSpec):
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Makes a flow of steps written as 'name(self): self.next(self.a)', one a line."""

    def load(lines: str) -> type[Flow]:
        body = []
        for line in textwrap.dedent(lines).strip().splitlines():
            if line[0] in " @#" or line.startswith("def "):
                body.append(line)
            else:
                body.append(f"@step\ndef {line}")
        path = tmp_path / "flow_of_test.py"
        path.write_text(HEAD + textwrap.indent("\n".join(body), "    ") + "\n")
        spec = importlib.util.spec_from_file_location("flow_of_test", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found: type[Flow] = module.F
        return found

    return load


def check(flow: type[Flow]) -> None:
    check_graph(parse_flow(flow), flow)


END = "end(self): pass"

BAD = {
    "1 reserved name": (
        "start(self): self.next(self.input)\ninput(self): self.next(self.end)\n" + END,
        ["'input'", "Rename"],
    ),
    "2 no entry": ("begin(self): self.next(self.end)\n" + END, ["no entry step", "'start'"]),
    "2 two entries": (
        "@step(start=True)\ndef a(self): self.next(self.end)\n"
        "@step(start=True)\ndef b(self): self.next(self.end)\n" + END,
        ["a, b", "exactly one"],
    ),
    "2 no terminal step": (
        "start(self): self.next(self.a)\na(self): pass",
        ["no terminal step", "'end'"],
    ),
    "3 named start beside another annotated one": (
        "@step(start=True)\ndef a(self): self.next(self.end)\n"
        "start(self): self.next(self.end)\n" + END,
        ["'a'", "'start'", "Take the mark away"],
    ),
    "4 something leads to the entry": (
        "start(self): self.next(self.a)\na(self): self.next(self.start)\n" + END,
        ["'a' goes to 'start'", "entry"],
    ),
    "4 the terminal step leads somewhere": (
        "start(self): self.next(self.end)\nend(self): self.next(self.a)\na(self): pass",
        ["'end' is the terminal step", "goes to a"],
    ),
    "5 the terminal step calls self.next": (
        "start(self): self.next(self.end)\nend(self): self.next()",
        ["'end'", "Remove the call"],
    ),
    "5 the terminal step is a join": (
        "start(self): self.next(self.end)\nend(self, inputs): pass",
        ["'end'", "Put a join before"],
    ),
    "6 a bad name": (
        "start(self): self.next(self.Big)\nBig(self): self.next(self.end)\n" + END,
        ["'Big'", "small letters"],
    ),
    "6 a name that begins with _": (
        "start(self): self.next(self._a)\n_a(self): self.next(self.end)\n" + END,
        ["'_a'", "not beginning with '_'"],
    ),
    "7 too many arguments": (
        "start(self, a, b): self.next(self.end)\n" + END,
        ["takes 3 arguments", "'self, inputs'"],
    ),
    "7 a join that is a split": (
        "start(self): self.next(self.a, self.b)\n"
        "a(self): self.next(self.j)\nb(self): self.next(self.j)\n"
        "j(self, inputs): self.next(self.a, self.b)\n" + END,
        ["'j' is a join", "Add a step after the join"],
    ),
    "7 no self": ("start(): pass\n" + END, ["takes no argument", "'self'"]),
    "8 no self.next": ("start(self): pass\n" + END, ["'start'", "Add self.next"]),
    "8 self.next inside an if": (
        "start(self):\n    if self.x:\n        self.next(self.end)\n" + END,
        ["line 16", "outside of if", "switch"],
    ),
    "8 self.next twice": (
        "start(self):\n    self.next(self.end)\n    self.next(self.end)\n" + END,
        ["called twice, in lines 15 and 16"],
    ),
    "9 an unknown form": (
        "start(self): self.next(self.end, fan_out='xs')\n" + END,
        ["'fan_out' is not one of its keywords", "foreach='items'"],
    ),
    "9 a step that is not written out": (
        "start(self): self.next(getattr(self, 'end'))\n" + END,
        ["getattr(self, 'end')", "self.<step>"],
    ),
    "9 a case that is a variable": (
        "start(self):\n    kind = 'x'\n"
        "    self.next({kind: self.a, 'y': self.end}, condition='v')\n"
        "a(self): self.next(self.end)\n" + END,
        ["the case kind", "self.<config>.<key>"],
    ),
    "9 two targets with foreach": (
        "start(self): self.next(self.a, self.end, foreach='xs')\na(self): self.next(self.end)\n"
        + END,
        ["foreach goes to one step, not to 2"],
    ),
    "9 a dict without condition": (
        "start(self): self.next({'a': self.a, 'b': self.end})\na(self): self.next(self.end)\n"
        + END,
        ["condition="],
    ),
    "9 a foreach that is no text": (
        "start(self): self.next(self.a, foreach=self.xs)\na(self): self.next(self.end)\n" + END,
        ["foreach=self.xs is not the name"],
    ),
    "10 an unknown target": (
        "start(self): self.next(self.midle)\nmiddle(self): self.next(self.end)\n" + END,
        ["'midle'", "not a step of F", "middle"],
    ),
    "11 a cycle": (
        "start(self): self.next(self.a)\na(self): self.next(self.b)\n"
        "b(self): self.next(self.c)\nc(self): self.next(self.b)\n" + END,
        ["b → c → b", "switch"],
    ),
    "12 an unreachable step": (
        "start(self): self.next(self.end)\nalone(self): self.next(self.end)\n" + END,
        ["'start' to step 'alone'", "self.next(self.alone)"],
    ),
    "13 a split that is not joined": (
        "start(self): self.next(self.a, foreach='xs')\na(self): self.next(self.end)\n" + END,
        ["'end'", "split of step 'start' (a) is still open"],
    ),
    "13 branches that meet in an ordinary step": (
        "start(self): self.next(self.a, self.b)\na(self): self.next(self.end)\n"
        "b(self): self.next(self.end)\n" + END,
        ["'end'", "'start'", "(a, b)"],
    ),
    "13 a join of some branches": (
        "start(self): self.next(self.a, self.b, self.c)\na(self): self.next(self.j)\n"
        "b(self): self.next(self.j)\nc(self): self.next(self.k)\n"
        "j(self, inputs): self.next(self.k)\nk(self, inputs): self.next(self.end)\n" + END,
        ["'j'", "expected a, b, c, found a, b"],
    ),
    "13 a join without a split": (
        "start(self): self.next(self.j)\nj(self, inputs): self.next(self.end)\n" + END,
        ["'j' is a join", "no split is open"],
    ),
    "13 a join across unrelated splits": (
        "start(self): self.next(self.a, self.b)\na(self): self.next(self.a1, self.a2)\n"
        "b(self): self.next(self.b1, self.b2)\na1(self): self.next(self.j)\n"
        "a2(self): self.next(self.k)\nb1(self): self.next(self.j)\nb2(self): self.next(self.k)\n"
        "j(self, inputs): self.next(self.m)\nk(self, inputs): self.next(self.m)\n"
        "m(self, inputs): self.next(self.end)\n" + END,
        ["'j'", "unrelated splits (a, b)"],
    ),
    "13 a foreach that is joined in two places": (
        "start(self): self.next(self.w, foreach='xs')\n"
        "w(self): self.next({1: self.a, 2: self.b}, condition='v')\n"
        "a(self): self.next(self.j)\nb(self): self.next(self.k)\n"
        "j(self, inputs): self.next(self.end)\nk(self, inputs): self.next(self.end)\n" + END,
        ["joined twice", "'j'", "'k'"],
    ),
    "13 a branch without a step": (
        "start(self): self.next(self.a, self.j)\na(self): self.next(self.j)\n"
        "j(self, inputs): self.next(self.end)\n" + END,
        ["leads straight into the join 'j'"],
    ),
    "14 a switch with one case": (
        "start(self): self.next({'x': self.a}, condition='v')\na(self): self.next(self.end)\n"
        + END,
        ["'start' on self.v has 1 case", "at least two"],
    ),
    "15 a foreach that is joined directly": (
        "start(self): self.next(self.j, foreach='xs')\nj(self, inputs): self.next(self.end)\n"
        + END,
        ["'start'", "'j'", "once per item"],
    ),
    "16 num_parallel without @parallel": (
        "start(self): self.next(self.a, num_parallel=2)\na(self): self.next(self.j)\n"
        "j(self, inputs): self.next(self.end)\n" + END,
        ["'a' is not decorated with @parallel", "Put @parallel"],
    ),
    "17 @parallel without a join": (
        "start(self): self.next(self.a, num_parallel=2)\n"
        "@parallel\n@step\ndef a(self): self.next(self.b)\nb(self): self.next(self.j)\n"
        "j(self, inputs): self.next(self.end)\n" + END,
        ["'a' is followed by 'b'", "not a join"],
    ),
    "18 @parallel reached in another way": (
        "start(self): self.next(self.a, foreach='xs')\n"
        "@parallel\n@step\ndef a(self): self.next(self.j)\n"
        "j(self, inputs): self.next(self.end)\n" + END,
        ["'start' goes to it without num_parallel"],
    ),
    "20 a switch straight into a join": (
        "start(self): self.next(self.w, foreach='xs')\n"
        "w(self): self.next({1: self.a, 2: self.j}, condition='v')\na(self): self.next(self.j)\n"
        "j(self, inputs): self.next(self.end)\n" + END,
        ["'w' leads straight into the join 'j'"],
    ),
}


@pytest.mark.parametrize("rule", BAD)
def test_a_flow_that_breaks_a_rule_is_refused_with_place_and_remedy(rule: str, load: Load) -> None:
    lines, words = BAD[rule]
    with pytest.raises(LintWarn) as caught:
        check(load(lines))
    error = caught.value
    assert [word for word in words if word not in str(error)] == [], str(error)
    assert error.remedy
    assert error.source_file is not None
    assert error.source_file.endswith("flow_of_test.py")


GOOD = {
    "one step alone": "only(self): pass",
    "annotated": (
        "@step(start=True)\ndef a(self): self.next(self.z)\n@step(end=True)\ndef z(self): pass"
    ),
    "branches": (
        "start(self): self.next(self.a, self.b)\na(self): self.next(self.j)\n"
        "b(self): self.next(self.j)\nj(self, inputs): self.next(self.end)\n" + END
    ),
    "nested foreach": (
        "start(self): self.next(self.a, foreach='x')\na(self): self.next(self.b, foreach='y')\n"
        "b(self): self.next(self.j)\nj(self, inputs): self.next(self.k)\n"
        "k(self, inputs): self.next(self.end)\n" + END
    ),
    "a gang": (
        "start(self): self.next(self.a, num_parallel=2)\n"
        "@parallel\n@step\ndef a(self): self.next(self.j)\n"
        "j(self, inputs): self.next(self.end)\n" + END
    ),
    "a switch that meets again": (
        "start(self): self.next({'a': self.a, -2: self.b, True: self.m}, condition='v')\n"
        "a(self): self.next(self.m)\nb(self): self.next(self.m)\nm(self): self.next(self.end)\n"
        + END
    ),
    "a switch in a foreach, its branches joined after a step each": (
        "start(self): self.next(self.w, foreach='xs')\n"
        "w(self): self.next({1: self.a, 2: self.b}, condition='v')\n"
        "a(self): self.next(self.j)\nb(self): self.next(self.j)\n"
        "j(self, inputs): self.next(self.end)\n" + END
    ),
    "a foreach in one branch of a switch": (
        "start(self): self.next({1: self.a, 2: self.m}, condition='v')\n"
        "a(self): self.next(self.b, foreach='xs')\nb(self): self.next(self.j)\n"
        "j(self, inputs): self.next(self.m)\nm(self): self.next(self.end)\n" + END
    ),
    "recursion in a foreach": (
        "start(self): self.next(self.w, foreach='xs')\n"
        "w(self): self.next({'more': self.w, 'done': self.a}, condition='v')\n"
        "a(self): self.next(self.j)\nj(self, inputs): self.next(self.end)\n" + END
    ),
}


@pytest.mark.parametrize("shape", GOOD)
def test_a_sound_flow_passes(shape: str, load: Load) -> None:
    check(load(GOOD[shape]))


def test_the_finding_points_at_the_line_of_self_next(load: Load) -> None:
    flow = load("start(self):\n    x = 1\n    self.next(self.nowhere)\n" + END)
    with pytest.raises(LintWarn) as caught:
        check(flow)
    assert caught.value.line_no == 16


def test_the_first_broken_rule_is_the_one_told(load: Load) -> None:
    flow = load("start(self): self.next(self.Gone)\nBad(self): pass\n" + END)
    with pytest.raises(LintWarn) as caught:
        check(flow)
    assert "'Bad' cannot be the name of a step" in str(caught.value)


def diamonds(count: int) -> str:
    lines = ["start(self): self.next(self.s0)"]
    for number in range(count):
        following = f"s{number + 1}" if number + 1 < count else "end"
        lines += [
            f"s{number}(self): self.next(self.a{number}, self.b{number})",
            f"a{number}(self): self.next(self.j{number})",
            f"b{number}(self): self.next(self.j{number})",
            f"j{number}(self, inputs): self.next(self.{following})",
        ]
    return "\n".join([*lines, END])


def test_work_grows_with_the_graph_and_not_with_its_paths(load: Load) -> None:
    """30 diamonds have a billion paths: a check that follows paths would not come back."""
    flow = load(diamonds(30))
    graph = parse_flow(flow)
    check_graph(graph, flow)
    assert graph.nodes["s29"].matching_join == "j29"
    assert len(graph.order) == 122


def test_a_chain_of_two_thousand_steps_meets_no_recursion_limit(load: Load) -> None:
    names = ["start", *(f"s{number}" for number in range(1998)), "end"]
    lines = [f"{one}(self): self.next(self.{two})" for one, two in itertools.pairwise(names)]
    graph = parse_flow(flow := load("\n".join([*lines, END])))
    check_graph(graph, flow)
    assert graph.order == tuple(names)


def test_splits_nested_a_thousand_deep_meet_no_recursion_limit(load: Load) -> None:
    lines = ["start(self): self.next(self.f0)"]
    for depth in range(500):
        inner = f"f{depth + 1}" if depth < 499 else "leaf"
        outer = f"j{depth - 1}" if depth else "end"
        lines.append(f"f{depth}(self): self.next(self.{inner}, foreach='xs')")
        lines.append(f"j{depth}(self, inputs): self.next(self.{outer})")
    lines.append("leaf(self): self.next(self.j499)")
    graph = parse_flow(flow := load("\n".join([*lines, END])))
    check_graph(graph, flow)
    assert len(graph.nodes["leaf"].split_parents) == 500


def test_a_flow_without_steps_is_told_so() -> None:
    class Empty(FlowSpec):
        pass

    with pytest.raises(LintWarn, match="its steps: none"):
        check(Empty)


def test_a_step_that_is_a_generator_is_refused_where_it_is_marked() -> None:
    from swell.errors import FlowError

    with pytest.raises(FlowError, match="generator") as caught:

        @step
        def start(self: object) -> object:
            yield 1

    assert caught.value.line_no is not None
