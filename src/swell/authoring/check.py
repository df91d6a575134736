"""The rules a graph has to keep before anything runs; the first finding ends the check.

Every rule is a generator over the graph, in the fixed order of ``RULES``; all are linear
in its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from swell.authoring.parse import annotated_steps
from swell.authoring.shape import Imbalance, find_cycle, imbalances, reachable
from swell.authoring.step import steps_of
from swell.authoring.transition import FORMS
from swell.errors import LintWarn
from swell.model.graph import Graph, NextFault, Node, NodeType

if TYPE_CHECKING:
    from swell.authoring.flow import Flow

RESERVED_STEP_NAMES = ("name", "next", "input", "index", "cmd")
_SPLITS = (NodeType.SPLIT, NodeType.FOREACH, NodeType.SWITCH)
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


class _Checked(NamedTuple):
    """What rules look at."""

    graph: Graph
    functions: dict[str, Callable[..., Any]]

    @property
    def nodes(self) -> Iterable[Node]:
        return self.graph.nodes.values()

    def finding(
        self, cause: str, remedy: str, at: Node | None, *, at_next: bool = False
    ) -> LintWarn:
        """A LintWarn at a step, or at its ``self.next``."""
        line = None
        if at is not None:
            line = (at.next_line if at_next else 0) or at.line or None
        file = at.file if at is not None else self.graph.file
        return LintWarn(cause, remedy=remedy, source_file=file or None, line_no=line)


def check_graph(graph: Graph, flow_class: type[Flow]) -> None:
    """Raise LintWarn for the first rule that ``graph`` breaks, with file, line and remedy."""
    checked = _Checked(graph, steps_of(flow_class))
    for rule in RULES:
        for finding in rule(checked):
            raise finding


# --- 1 to 3: names, entry, terminal step -----------------------------------------------


def _reserved_names(flow: _Checked) -> Iterator[LintWarn]:
    for node in flow.nodes:
        if node.name in RESERVED_STEP_NAMES:
            yield flow.finding(
                f"'{node.name}' cannot be the name of a step: it means something else on a flow.",
                "Rename the step.",
                node,
            )


def _one_entry_and_terminal(flow: _Checked) -> Iterator[LintWarn]:
    for role, what, found in (
        ("start", "entry", flow.graph.start),
        ("end", "terminal", flow.graph.end),
    ):
        if found:
            continue
        annotated = annotated_steps(flow.functions, role)
        if annotated:
            yield flow.finding(
                f"Several steps are marked @step({role}=True): {', '.join(annotated)}.",
                "Mark exactly one.",
                flow.graph.nodes[annotated[1]],
            )
        else:
            listed = ", ".join(flow.functions) or "none"
            yield flow.finding(
                f"Flow {flow.graph.flow} has no {what} step (its steps: {listed}).",
                f"Name one step '{role}', or mark it @step({role}=True).",
                None,
            )


def _names_beside_annotations(flow: _Checked) -> Iterator[LintWarn]:
    for role, chosen in (("start", flow.graph.start), ("end", flow.graph.end)):
        if chosen != role and role in flow.graph.nodes:
            yield flow.finding(
                f"Step '{chosen}' is marked @step({role}=True), and another step is "
                f"named '{role}'.",
                f"Take the mark away, or rename the step '{role}'.",
                flow.graph.nodes[role],
            )


# --- 4 to 6: around entry and terminal, names --------------------------------------------


def _ends_of_the_graph(flow: _Checked) -> Iterator[LintWarn]:
    start, end = flow.graph.nodes[flow.graph.start], flow.graph.nodes[flow.graph.end]
    for node in flow.nodes:
        if start.name in node.targets:
            yield flow.finding(
                f"Step '{node.name}' goes to '{start.name}', the entry; nothing may lead to it.",
                "Go to another step; put what is to be repeated into a step of its own.",
                node,
                at_next=True,
            )
    if end.targets:
        yield flow.finding(
            f"Step '{end.name}' is the terminal step, but goes to {', '.join(end.targets)}.",
            "Remove its self.next, or make another step the terminal one.",
            end,
            at_next=True,
        )


def _terminal_step(flow: _Checked) -> Iterator[LintWarn]:
    end = flow.graph.nodes[flow.graph.end]
    if end.fault is not NextFault.MISSING:
        yield flow.finding(
            f"Step '{end.name}' is the terminal step, but calls self.next.",
            "Remove the call.",
            end,
            at_next=True,
        )
    if end.is_join:
        yield flow.finding(
            f"Step '{end.name}' is the terminal step and cannot be a join "
            f"(it takes {end.num_args} arguments).",
            "Put a join before it, and give it 'self' alone.",
            end,
        )


def _name_characters(flow: _Checked) -> Iterator[LintWarn]:
    for node in flow.nodes:
        if node.name.startswith("_") or not _NAME_CHARACTERS.issuperset(node.name):
            yield flow.finding(
                f"'{node.name}' cannot be the name of a step.",
                "Use small letters a to z, digits and '_', not beginning with '_'.",
                node,
            )


# --- 7 to 10: one step by itself -----------------------------------------------------------


def _arguments(flow: _Checked) -> Iterator[LintWarn]:
    for node in flow.nodes:
        if node.num_args > 2:
            yield flow.finding(
                f"Step '{node.name}' takes {node.num_args} arguments.",
                "Give it 'self' alone, or 'self, inputs' for a join.",
                node,
            )
        elif node.num_args == 0:
            yield flow.finding(f"Step '{node.name}' takes no argument.", "Give it 'self'.", node)
        elif node.is_join and node.type in _SPLITS:
            yield flow.finding(
                f"Step '{node.name}' is a join (it takes two arguments) and also goes to "
                f"{', '.join(node.targets)} as a {node.type.value}.",
                "Add a step after the join, and split there.",
                node,
            )


def _has_next(flow: _Checked) -> Iterator[LintWarn]:
    for node in _all_but_the_terminal(flow):
        if node.fault is NextFault.MISSING:
            yield flow.finding(
                f"Step '{node.name}' does not say where the flow goes from there.",
                f"Add self.next(self.<step>) as its last line, or make '{node.name}' the "
                "terminal step.",
                node,
            )
        elif node.fault is NextFault.MISPLACED:
            yield flow.finding(
                f"In step '{node.name}' {node.fault_detail}.",
                "Call it once, as the last line of the step, outside of if, try and loops. "
                "To choose between steps, use a switch: "
                "self.next({'x': self.a, 'y': self.b}, condition='name').",
                node,
                at_next=True,
            )


def _known_form(flow: _Checked) -> Iterator[LintWarn]:
    for node in _all_but_the_terminal(flow):
        if node.fault is NextFault.FORM:
            yield flow.finding(
                f"The self.next of step '{node.name}' cannot be read: {node.fault_detail}.",
                f"{FORMS} Cases of a switch are literals or self.<config>.<key>.",
                node,
                at_next=True,
            )


def _targets_exist(flow: _Checked) -> Iterator[LintWarn]:
    for node in flow.nodes:
        for target in node.targets:
            if target not in flow.graph.nodes:
                yield flow.finding(
                    f"Step '{node.name}' goes to '{target}', which is not a step of "
                    f"{flow.graph.flow}.",
                    f"Define '{target}' with @step, or pick one of: "
                    f"{', '.join(nearest(target, flow.graph.nodes))}.",
                    node,
                    at_next=True,
                )


# --- 11 to 14: the graph as a whole ----------------------------------------------------------


def _no_cycle(flow: _Checked) -> Iterator[LintWarn]:
    cycle = find_cycle(flow.graph)
    if cycle:
        yield flow.finding(
            f"The flow goes round in a circle: {' → '.join(cycle)}.",
            "Break it. A step can only be repeated by a switch that has itself among its cases.",
            flow.graph.nodes[cycle[-2]],
            at_next=True,
        )


def _all_reachable(flow: _Checked) -> Iterator[LintWarn]:
    reached = reachable(flow.graph)
    for node in flow.nodes:
        if node.name not in reached:
            yield flow.finding(
                f"No way leads from '{flow.graph.start}' to step '{node.name}'.",
                f"Go to it by self.next(self.{node.name}) somewhere, or remove it.",
                node,
            )


def _balance(flow: _Checked) -> Iterator[LintWarn]:
    for imbalance in imbalances(flow.graph):
        cause, remedy = _IMBALANCE_WORDS[imbalance.kind](imbalance)
        yield flow.finding(cause, remedy, flow.graph.nodes[imbalance.step])


def _unjoined(it: Imbalance) -> tuple[str, str]:
    return (
        f"The terminal step '{it.step}' is reached while the split of step '{it.split}' "
        f"({', '.join(it.expected)}) is still open.",
        f"Join it before: a step 'def join(self, inputs)' between them and '{it.step}'.",
    )


def _no_split(it: Imbalance) -> tuple[str, str]:
    return (
        f"Step '{it.step}' is a join (it takes two arguments), but no split is open there.",
        "Remove its second argument, or split before it. The branches of a switch are not "
        "joined: they meet in an ordinary step.",
    )


def _unrelated(it: Imbalance) -> tuple[str, str]:
    return (
        f"Step '{it.step}' joins branches of unrelated splits ({', '.join(it.found)}).",
        "Join each split by itself first, the inner one before the outer one.",
    )


def _branches(it: Imbalance) -> tuple[str, str]:
    return (
        f"Step '{it.step}' joins the split of step '{it.split}', but not all of its branches: "
        f"expected {', '.join(it.expected)}, found {', '.join(it.found)}.",
        f"Lead every branch of '{it.split}' to '{it.step}'.",
    )


def _merged(it: Imbalance) -> tuple[str, str]:
    return (
        f"Step '{it.step}' is reached by several branches of the split of step '{it.split}' "
        f"({', '.join(it.found)}), but is no join.",
        f"Give it a second argument: def {it.step}(self, inputs).",
    )


def _two_joins(it: Imbalance) -> tuple[str, str]:
    return (
        f"The split of step '{it.split}' is joined twice: by '{it.expected[0]}' and by "
        f"'{it.step}'.",
        "Lead all of its branches to one join.",
    )


def _direct(it: Imbalance) -> tuple[str, str]:
    return (
        f"The split of step '{it.split}' leads straight into the join '{it.step}': "
        "that branch has no step, so there is nothing to join.",
        "Add a step between them.",
    )


_IMBALANCE_WORDS: dict[str, Callable[[Imbalance], tuple[str, str]]] = {
    "unjoined": _unjoined,
    "no_split": _no_split,
    "unrelated": _unrelated,
    "branches": _branches,
    "merged": _merged,
    "two_joins": _two_joins,
    "direct": _direct,
}


def _whole_switches(flow: _Checked) -> Iterator[LintWarn]:
    for node in flow.nodes:
        if node.type is NodeType.SWITCH and len(node.cases) < 2:
            yield flow.finding(
                f"The switch of step '{node.name}' on self.{node.condition} has "
                f"{len(node.cases) or 'no'} case{'' if len(node.cases) == 1 else 's'}.",
                "Give it at least two, or go on with a plain self.next(self.<step>).",
                node,
                at_next=True,
            )


# --- 15 to 20: pairs of steps --------------------------------------------------------------------


def _edges(flow: _Checked) -> Iterator[tuple[Node, Node]]:
    for node in flow.nodes:
        for target in node.targets:
            yield node, flow.graph.nodes[target]


def _foreach_has_steps(flow: _Checked) -> Iterator[LintWarn]:
    for node, target in _edges(flow):
        if node.type is NodeType.FOREACH and target.is_join:
            yield flow.finding(
                f"The foreach of step '{node.name}' leads straight into the join '{target.name}'.",
                "Add a step between them: it runs once per item.",
                node,
                at_next=True,
            )


def _num_parallel_needs_parallel(flow: _Checked) -> Iterator[LintWarn]:
    for node, target in _edges(flow):
        if node.num_parallel and not target.is_parallel_step:
            yield flow.finding(
                f"Step '{node.name}' goes to '{target.name}' with num_parallel, but "
                f"'{target.name}' is not decorated with @parallel.",
                f"Put @parallel above @step of '{target.name}'.",
                target,
            )


def _parallel_needs_join(flow: _Checked) -> Iterator[LintWarn]:
    for node, target in _edges(flow):
        if node.is_parallel_step and not target.is_join:
            yield flow.finding(
                f"The @parallel step '{node.name}' is followed by '{target.name}', "
                "which is not a join.",
                f"Write def {target.name}(self, inputs), or put a join between them.",
                target,
            )


def _parallel_needs_num_parallel(flow: _Checked) -> Iterator[LintWarn]:
    for node, target in _edges(flow):
        if target.is_parallel_step and not node.num_parallel:
            yield flow.finding(
                f"Step '{target.name}' is decorated with @parallel, but '{node.name}' goes to it "
                "without num_parallel.",
                f"Write self.next(self.{target.name}, num_parallel=…), or drop @parallel.",
                node,
                at_next=True,
            )


def _switch_before_join(flow: _Checked) -> Iterator[LintWarn]:
    for node, target in _edges(flow):
        if node.type is NodeType.SWITCH and target.is_join:
            yield flow.finding(
                f"The switch of step '{node.name}' leads straight into the join '{target.name}'.",
                "Put a step between them: the branches of a switch meet in an ordinary step.",
                node,
                at_next=True,
            )


RULES: tuple[Callable[[_Checked], Iterator[LintWarn]], ...] = (
    _reserved_names,
    _one_entry_and_terminal,
    _names_beside_annotations,
    _ends_of_the_graph,
    _terminal_step,
    _name_characters,
    _arguments,
    _has_next,
    _known_form,
    _targets_exist,
    _no_cycle,
    _all_reachable,
    _balance,
    _whole_switches,
    _foreach_has_steps,
    _num_parallel_needs_parallel,
    _parallel_needs_join,
    _parallel_needs_num_parallel,
    _switch_before_join,
)
"""In the order they are asked. No backend forbids nested foreaches, so no rule does."""


def _all_but_the_terminal(flow: _Checked) -> Iterator[Node]:
    return (node for node in flow.nodes if node.name != flow.graph.end)


def nearest(name: str, known: Iterable[str], most: int = 5) -> list[str]:
    """Names like ``name``, the most similar first; else the first of ``known``."""
    import difflib

    listed = list(known)
    return difflib.get_close_matches(name, listed, n=most, cutoff=0.5) or listed[:most]
