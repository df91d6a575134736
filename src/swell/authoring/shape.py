"""What follows from a graph's edges: order, open splits, matching joins, cycles.

Pure, without recursion, and linear in the size of the graph. Unbalanced and cyclic
graphs are taken as far as they go; ``findings`` says what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from swell.model.graph import Graph, Node, NodeType


class Branch:
    """One branch of an open split: ``target`` is the step it began with.

    Branches are told apart by identity; ``outer`` is the branch around the split.
    """

    __slots__ = ("outer", "split", "target")

    def __init__(self, split: str, target: str, outer: Branch | None) -> None:
        self.split = split
        self.target = target
        self.outer = outer


class Imbalance(msgspec.Struct, frozen=True):
    """A place where splits and joins do not balance.

    ``kind``: 'unjoined' (the terminal step is reached inside ``split``), 'no_split' (a
    join of nothing), 'unrelated' (parents inside different splits), 'branches' (a join
    of other branches than those of ``split``: ``expected`` and ``found``), 'merged' (a
    step that is no join, reached from different branches), 'two_joins' (``split`` is
    closed by ``expected[0]`` and by this step), 'direct' (``split`` leads to this join
    without a step between).
    """

    kind: str
    step: str
    split: str = ""
    expected: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


class _Flowing(msgspec.Struct):
    """What is known while walking the graph in order."""

    inside: dict[str, Branch | None]
    matching_joins: dict[str, str]
    imbalances: list[Imbalance]


def analyse(graph: Graph) -> Graph:
    """``graph`` with ``order``, ``matching_join`` and ``split_parents`` filled in."""
    order = topological_order(graph)
    walked = _walk(graph, order)
    nodes = {
        name: msgspec.structs.replace(
            node,
            matching_join=walked.matching_joins.get(name),
            split_parents=_split_names(walked.inside.get(name)),
        )
        for name, node in graph.nodes.items()
    }
    return msgspec.structs.replace(graph, nodes=nodes, order=tuple(order))


def imbalances(graph: Graph) -> list[Imbalance]:
    """Where splits and joins do not balance, in the order of the graph."""
    return _walk(graph, graph.order or topological_order(graph)).imbalances


def reachable(graph: Graph) -> set[str]:
    """Steps that the entry leads to, itself included."""
    seen = {graph.start} & graph.nodes.keys()
    pending = list(seen)
    while pending:
        for target in _edges(graph, graph.nodes[pending.pop()]):
            if target not in seen:
                seen.add(target)
                pending.append(target)
    return seen


def topological_order(graph: Graph) -> list[str]:
    """Reachable steps, each after all that lead to it; steps behind a cycle are left out."""
    steps = reachable(graph)
    waiting = dict.fromkeys(steps, 0)
    for name in steps:
        for target in _edges(graph, graph.nodes[name]):
            waiting[target] += 1
    order = [graph.start] if waiting.get(graph.start) == 0 else []
    for name in order:  # grows while it is read
        for target in _edges(graph, graph.nodes[name]):
            waiting[target] -= 1
            if waiting[target] == 0:
                order.append(target)
    return order


def find_cycle(graph: Graph) -> list[str]:
    """The steps of one cycle in order, the first again at the end; empty without one.

    A switch to itself is none.
    """
    done: set[str] = set()
    for first in graph.nodes:
        if first in done:
            continue
        path: dict[str, None] = {first: None}
        edges = [iter(_edges(graph, graph.nodes[first]))]
        while edges:
            target = next(edges[-1], None)
            if target is None:
                edges.pop()
                done.add(path.popitem()[0])
            elif target in path:
                steps = list(path)
                return [*steps[steps.index(target) :], target]
            elif target not in done:
                path[target] = None
                edges.append(iter(_edges(graph, graph.nodes[target])))
    return []


def _edges(graph: Graph, node: Node) -> Iterable[str]:
    """Targets that exist, each once, without a switch's own step."""
    is_switch = node.type is NodeType.SWITCH
    return [
        target
        for target in dict.fromkeys(node.targets)
        if target in graph.nodes and not (is_switch and target == node.name)
    ]


def _walk(graph: Graph, order: Iterable[str]) -> _Flowing:
    walked = _Flowing({}, {}, [])
    arriving: dict[str, list[Branch | None]] = {graph.start: [None]}
    for name in order:
        node = graph.nodes[name]
        here = _enter(graph, node, arriving.pop(name, [None]), walked)
        walked.inside[name] = here
        leaving = here
        if node.is_join and here is not None:
            leaving = here.outer
        opens = node.type in (NodeType.SPLIT, NodeType.FOREACH)
        for target in _edges(graph, node):
            branch = Branch(name, target, leaving) if opens else leaving
            if node.type is NodeType.SPLIT and graph.nodes[target].is_join:
                walked.imbalances.append(Imbalance("direct", target, name))
            arriving.setdefault(target, []).append(branch)
    return walked


def _enter(
    graph: Graph, node: Node, arriving: list[Branch | None], walked: _Flowing
) -> Branch | None:
    """The branch that ``node`` is in (a join: one of those it closes)."""
    branches = list(dict.fromkeys(arriving))
    first = branches[0]
    if node.is_join:
        _close(graph, node, branches, walked)
    elif len(branches) > 1:
        split = _innermost(branches)
        walked.imbalances.append(
            Imbalance("merged", node.name, split, found=tuple(dict.fromkeys(_targets(branches))))
        )
    if node.type is NodeType.END and first is not None and not node.is_join:
        walked.imbalances.append(
            Imbalance("unjoined", node.name, first.split, graph.nodes[first.split].targets)
        )
    return first


def _close(graph: Graph, node: Node, branches: list[Branch | None], walked: _Flowing) -> None:
    open_ones = [branch for branch in branches if branch is not None]
    if not open_ones:
        walked.imbalances.append(Imbalance("no_split", node.name))
        return
    first = open_ones[0]
    splits = tuple(dict.fromkeys(branch.split for branch in open_ones))
    same_outer = all(branch.outer is first.outer for branch in open_ones)
    if len(open_ones) < len(branches) or len(splits) > 1 or not same_outer:
        walked.imbalances.append(Imbalance("unrelated", node.name, first.split, found=splits))
        return
    expected = tuple(dict.fromkeys(graph.nodes[first.split].targets))
    found = tuple(_targets(branches))
    if set(found) != set(expected):
        walked.imbalances.append(Imbalance("branches", node.name, first.split, expected, found))
        return
    other = walked.matching_joins.setdefault(first.split, node.name)
    if other != node.name:
        walked.imbalances.append(Imbalance("two_joins", node.name, first.split, (other,)))


def _targets(branches: Iterable[Branch | None]) -> list[str]:
    return [branch.target for branch in branches if branch is not None]


def _innermost(branches: Iterable[Branch | None]) -> str:
    return next((branch.split for branch in branches if branch is not None), "")


def _split_names(branch: Branch | None) -> tuple[str, ...]:
    names: list[str] = []
    while branch is not None:
        names.append(branch.split)
        branch = branch.outer
    return tuple(reversed(names))
