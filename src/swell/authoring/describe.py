"""A graph told to people and tools: the dot drawing, plain data, and Metaflow's own view of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from swell.authoring.declared import configs_of, constants_of, parameters_of
from swell.authoring.step import steps_of
from swell.model.graph import Graph, Node, NodeType

if TYPE_CHECKING:
    from swell.authoring.flow import Flow

_SHOWN_CONSTANT_CHARACTERS = 200


# --- the view of tools: flow._graph['step'].out_funcs ------------------------------


class NodeView:
    """One step under the names that existing tools use."""

    def __init__(self, node: Node) -> None:
        self.name = node.name
        self.type = node.type.value
        self.out_funcs = list(node.targets)
        self.in_funcs = sorted(node.parents)
        self.split_parents = list(node.split_parents)
        self.matching_join = node.matching_join
        self.parallel_step = node.is_parallel_step
        self.parallel_foreach = node.num_parallel
        self.foreach_param = node.foreach_var
        self.condition = node.condition
        self.switch_cases = plain_cases(node)
        self.num_args = node.num_args
        self.decorators = list(node.decorators)
        self.doc = node.doc
        self.source_file = node.file
        self.func_lineno = node.line


class GraphView:
    """``view['step']``, ``'step' in view``, iteration over the steps."""

    def __init__(self, graph: Graph) -> None:
        self.name = graph.flow
        self.doc = graph.doc
        self.start_step = graph.start
        self.end_step = graph.end
        self.nodes = {name: NodeView(node) for name, node in graph.nodes.items()}
        self.sorted_nodes = list(graph.order)

    def __getitem__(self, step: str) -> NodeView:
        return self.nodes[step]

    def __contains__(self, step: object) -> bool:
        return step in self.nodes

    def __iter__(self) -> Iterator[NodeView]:
        return iter(self.nodes.values())


# --- current.graph, and what is kept with the run ------------------------------------


def graph_info(
    graph: Graph, flow_class: type[Flow], shown: Callable[[Any], Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """The dict that ``current.graph`` answers: plain data only.

    ``shown`` gives the arguments of a decorator fit for eyes; by default its
    ``shown_attributes``.
    """
    shown = shown or _shown_attributes
    functions = steps_of(flow_class)
    return {
        "file": graph.file.replace("\\", "/").rpartition("/")[2],
        "start_step": graph.start,
        "end_step": graph.end,
        "parameters": [
            {"name": name, "type": type(parameter).__name__}
            for name, parameter in parameters_of(flow_class).items()
        ]
        + [{"name": name, "type": "Config"} for name in configs_of(flow_class)],
        "constants": [
            {"name": name, "type": type(value).__name__, "value": _short(value)}
            for name, value in constants_of(flow_class).items()
        ],
        "steps": {
            name: _step_info(node, functions[name], shown) for name, node in graph.nodes.items()
        },
        "graph_structure": structure(graph),
        "doc": graph.doc,
        "decorators": [
            _decorator_info(decorator, shown)
            for one_class in flow_class.__mro__
            for decorator in vars(one_class).get("_flow_decorators", ())
        ],
        "extensions": {},
    }


def _step_info(
    node: Node, function: Any, shown: Callable[[Any], Mapping[str, Any]]
) -> dict[str, Any]:
    info: dict[str, Any] = {
        "name": node.name,
        "type": tool_type(node),
        "line": node.line,
        "doc": node.doc,
        "decorators": [
            _decorator_info(decorator, shown) for decorator in getattr(function, "decorators", ())
        ],
        "next": list(node.targets),
    }
    if node.foreach_var is not None:
        info["foreach_artifact"] = node.foreach_var
    if node.num_parallel:
        info["num_parallel"] = True
    if node.type is NodeType.SWITCH:
        info["condition"] = node.condition
        info["switch_cases"] = plain_cases(node)
    if node.matching_join is not None:
        info["matching_join"] = node.matching_join
    node_info = getattr(function, "node_info", None)
    if node_info:
        info["node_info"] = plain(node_info)
    return info


def _decorator_info(decorator: Any, shown: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": decorator.name,
        "attributes": plain(shown(decorator)),
        "statically_defined": True,
    }


def tool_type(node: Node) -> str:
    """The type of a step in ``current.graph['steps']``."""
    if node.num_parallel:
        return "split-parallel"
    return {NodeType.SPLIT: "split-static", NodeType.FOREACH: "split-foreach"}.get(
        node.type, node.type.value
    )


def structure(graph: Graph) -> list[Any]:
    """Steps in order, each split followed by a list of its branches (lists again)."""
    root: list[Any] = []
    # Where a step's line goes: the list of the branch it is in.
    lists: dict[str, list[Any]] = {graph.start: root}
    closing: dict[str, list[Any]] = {}
    for name in graph.order:
        node = graph.nodes[name]
        line = closing.pop(name) if name in closing else lists.get(name, root)
        line.append(name)
        if node.type in (NodeType.SPLIT, NodeType.FOREACH):
            branches: list[Any] = [[] for _ in node.targets]
            line.append(branches)
            if node.matching_join is not None:
                closing[node.matching_join] = line
            for target, branch in zip(node.targets, branches, strict=True):
                lists.setdefault(target, branch)
        else:
            for target in node.targets:
                if target != name:
                    lists.setdefault(target, line)
    return root


def plain_cases(node: Node) -> dict[str, str]:
    """Cases as bare text: ``a`` for ``'a'``, ``config.key`` for ``self.config.key``."""
    found = {}
    for case, target in node.cases.items():
        is_text = len(case) > 1 and case[0] in "'\"" and case[-1] == case[0]
        is_config = not is_text and "." in case and not case.lstrip("-")[0].isdigit()
        bare = case[1:-1] if is_text else case.partition(".")[2] if is_config else case
        found[bare] = target
    return found


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it; what it cannot hold becomes text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    return str(value)


def _shown_attributes(decorator: Any) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = decorator.shown_attributes
    return shown


def _short(value: object) -> str:
    text = repr(value)
    if len(text) <= _SHOWN_CONSTANT_CHARACTERS:
        return text
    return text[:_SHOWN_CONSTANT_CHARACTERS] + "..."


# --- drawings and listings -------------------------------------------------------------


def dot(graph: Graph) -> str:
    """The graph in the dot language of Graphviz."""
    lines = [f"digraph {graph.flow} {{", '  node [fontname="Helvetica" shape="record"];']
    for node in graph.nodes.values():
        kind = f"{tool_type(node)}: {node.condition}" if node.condition else tool_type(node)
        shape = ' shape="hexagon"' if node.type is NodeType.SWITCH else ""
        label = f'<<b>{node.name}</b><br/><font point-size="10">{kind}</font>>'
        lines.append(f'  "{node.name}" [label={label}{shape}];')
    for node in graph.nodes.values():
        if node.type is NodeType.SWITCH:
            for case, target in plain_cases(node).items():
                label = case.replace("\\", "\\\\").replace('"', '\\"')
                lines.append(f'  "{node.name}" -> "{target}" [label="{label}"];')
        else:
            lines.extend(f'  "{node.name}" -> "{target}";' for target in node.targets)
    return "\n".join([*lines, "}"])


def raw(graph: Graph) -> str:
    """Every step with all that is known of it, as plain lines."""
    lines = [f"flow {graph.flow} ({graph.file})"]
    for name in [*graph.order, *(name for name in graph.nodes if name not in graph.order)]:
        node = graph.nodes[name]
        lines.append(f"step {name} [{tool_type(node)}] line {node.line}")
        for label, values in (
            ("decorators", [f"@{decorator}" for decorator in node.decorators]),
            ("next", node.targets),
            ("from", node.parents),
            ("inside", node.split_parents),
        ):
            if values:
                lines.append(f"  {label}: {', '.join(values)}")
        for label, value in (
            ("foreach", node.foreach_var),
            ("condition", node.condition),
            ("joined by", node.matching_join),
        ):
            if value:
                lines.append(f"  {label}: {value}")
        lines.extend(f"  case {case}: {target}" for case, target in plain_cases(node).items())
    return "\n".join(lines)


def shown_steps(graph: Graph) -> Iterator[Node]:
    """Steps as ``show`` lists them: in order, then those nothing leads to."""
    for name in graph.order:
        yield graph.nodes[name]
    for name, node in graph.nodes.items():
        if name not in graph.order:
            yield node
