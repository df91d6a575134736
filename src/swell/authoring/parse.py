"""From a flow class to its Graph: reads ``self.next`` from the source of each step.

It reads what is written and judges nothing: what it cannot read stands in ``Node.fault``.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from swell.authoring.flow import Flow
from swell.authoring.foreach_options import (
    FOREACH_EXTRAS,
    canary_problem,
    max_failures_problem,
)
from swell.authoring.shape import analyse
from swell.authoring.step import steps_of
from swell.authoring.transition import DeclaredNext, declared_next
from swell.errors import FlowError
from swell.model.graph import Graph, NextFault, Node, NodeType


def parse_flow(flow_class: type[Flow]) -> Graph:
    """The graph of ``flow_class``, inherited steps included, analysed but not checked.

    Raises FlowError when the source of a step cannot be found.
    """
    functions = steps_of(flow_class)
    sources = _Sources()
    steps = {name: _read_step(name, function, sources) for name, function in functions.items()}
    start = _entry(functions, "start")
    end = _entry(functions, "end")
    parents: dict[str, list[str]] = {name: [] for name in steps}
    for name, step in steps.items():
        for target in dict.fromkeys(step.targets):
            if target in parents and (target != name or step.condition is None):
                parents[target].append(name)
    nodes = {
        name: msgspec.structs.replace(
            step,
            type=_node_type(step, is_start=name == start, is_end=name == end),
            parents=tuple(parents[name]),
        )
        for name, step in steps.items()
    }
    graph = Graph(
        flow=flow_class.__name__,
        nodes=nodes,
        start=start,
        end=end,
        doc=_clean_doc(flow_class.__doc__),
        file=_file_of(flow_class),
    )
    return analyse(graph)


def _entry(functions: dict[str, Callable[..., Any]], role: str) -> str:
    """The step that is 'start' or 'end': annotated, so named, or the only one."""
    if len(functions) == 1:
        return next(iter(functions))
    annotated = annotated_steps(functions, role)
    if annotated:
        return annotated[0] if len(annotated) == 1 else ""
    return role if role in functions else ""


def annotated_steps(functions: dict[str, Callable[..., Any]], role: str) -> list[str]:
    """Steps marked ``@step(start=True)`` or ``@step(end=True)``."""
    return [name for name, function in functions.items() if getattr(function, role, False) is True]


def _node_type(step: Node, *, is_start: bool, is_end: bool) -> NodeType:
    if is_end:
        return NodeType.END
    if step.type is NodeType.LINEAR and step.num_args > 1:
        return NodeType.JOIN
    if step.type is NodeType.LINEAR and is_start:
        return NodeType.START
    return step.type


# --- one step --------------------------------------------------------------------


def _read_step(name: str, function: Callable[..., Any], sources: _Sources) -> Node:
    decorators = tuple(decorator.name for decorator in getattr(function, "decorators", ()))
    inner = _unwrap(function)
    code = inner.__code__
    declared = declared_next(function)
    if declared is not None:
        num_args, line = code.co_argcount, code.co_firstlineno
        transition = _declared(declared)
    else:
        definition = sources.definition(name, inner)
        arguments = definition.args
        num_args, line = len(arguments.posonlyargs) + len(arguments.args), definition.lineno
        transition = _written(definition, inner.__globals__)
    return Node(
        name=name,
        type=transition.type,
        targets=transition.targets,
        foreach_var=transition.foreach_var,
        condition=transition.condition,
        cases=transition.cases,
        num_parallel=transition.num_parallel,
        is_parallel_step="parallel" in decorators,
        is_join=num_args > 1,
        allow_empty=transition.allow_empty,
        max_failures=transition.max_failures,
        canary=transition.canary,
        decorators=decorators,
        doc=_clean_doc(function.__doc__),
        file=code.co_filename,
        line=line,
        next_line=transition.line,
        num_args=num_args,
        fault=transition.fault,
        fault_detail=transition.fault_detail,
    )


def _unwrap(function: Any) -> Any:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


class _Next(NamedTuple):
    """A transition as read."""

    type: NodeType = NodeType.LINEAR
    targets: tuple[str, ...] = ()
    foreach_var: str | None = None
    condition: str | None = None
    cases: dict[str, str] = {}  # noqa: RUF012 (never changed)
    num_parallel: bool = False
    allow_empty: bool = False
    max_failures: str | None = None
    canary: int = 0
    line: int = 0
    fault: NextFault | None = None
    fault_detail: str = ""


def _declared(declared: DeclaredNext) -> _Next:
    if declared.condition is not None:
        return _Next(
            NodeType.SWITCH,
            tuple(dict.fromkeys(declared.cases.values())),
            condition=declared.condition,
            cases={repr(value): name for value, name in declared.cases.items()},
        )
    if declared.foreach is not None or declared.num_parallel is not None:
        canary, budget = declared.canary, declared.max_failures
        problem = (canary is not None and canary_problem(canary)) or (
            budget is not None and max_failures_problem(budget)
        )
        if problem:
            return _Next(fault=NextFault.FORM, fault_detail=problem)
        return _Next(
            NodeType.FOREACH,
            declared.targets,
            foreach_var=declared.foreach,
            num_parallel=declared.num_parallel is not None,
            allow_empty=declared.allow_empty,
            max_failures=None if budget is None else str(budget),
            canary=canary or 0,
        )
    if not declared.targets:
        return _Next(fault=NextFault.MISSING)
    kind = NodeType.SPLIT if len(declared.targets) > 1 else NodeType.LINEAR
    return _Next(kind, declared.targets)


_Definition = ast.FunctionDef | ast.AsyncFunctionDef


def _written(definition: _Definition, module: dict[str, Any]) -> _Next:
    arguments = [*definition.args.posonlyargs, *definition.args.args]
    me = arguments[0].arg if arguments else "self"
    call = _next_call(definition.body[-1], me)
    if call is None:
        return _without_last_call(definition, me)
    for statement in definition.body[:-1]:
        if _next_call(statement, me) is not None:
            return _Next(
                line=statement.lineno,
                fault=NextFault.MISPLACED,
                fault_detail=f"self.next is called twice, in lines {statement.lineno} "
                f"and {call.lineno}",
            )
    try:
        return _Form(me, module).read(call)._replace(line=call.lineno)
    except _BadForm as problem:
        return _Next(line=call.lineno, fault=NextFault.FORM, fault_detail=str(problem))


def _without_last_call(definition: _Definition, me: str) -> _Next:
    for node in ast.walk(definition):
        if isinstance(node, ast.Expr) and _next_call(node, me) is not None:
            detail = f"self.next stands in line {node.lineno}, but is not the last statement"
            return _Next(line=node.lineno, fault=NextFault.MISPLACED, fault_detail=detail)
    return _Next(fault=NextFault.MISSING)


def _next_call(statement: ast.stmt, me: str) -> ast.Call | None:
    """The call, if ``statement`` is ``self.next(…)`` and nothing else."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and _attribute_of(call.func, me) == "next":
        return call
    return None


def _attribute_of(expression: ast.expr, me: str) -> str | None:
    """'x' for ``self.x``."""
    if isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name):
        return expression.attr if expression.value.id == me else None
    return None


class _BadForm(Exception):
    """What is wrong with the arguments of ``self.next``, in words."""


class _Form(NamedTuple):
    """Reads the arguments of ``self.next``, in a step whose first argument is ``me``."""

    me: str
    module: dict[str, Any]

    def read(self, call: ast.Call) -> _Next:
        keywords = self._keywords(call)
        main = [word for word in keywords if word not in FOREACH_EXTRAS]
        if len(main) > 1:
            raise _BadForm(f"it takes one keyword, not both {main[0]} and {main[1]}")
        extra = [word for word in keywords if word in FOREACH_EXTRAS]
        if extra and main != ["foreach"]:
            raise _BadForm(f"{extra[0]} stands only beside foreach")
        has_dict = any(isinstance(argument, ast.Dict) for argument in call.args)
        if main == ["condition"] or has_dict:
            return self._switch(call.args, keywords)
        targets = tuple(self._step(argument) for argument in call.args)
        if not targets:
            raise _BadForm("it names no step to go to")
        if len(set(targets)) < len(targets):
            raise _BadForm("it names a step twice")
        if not main:
            kind = NodeType.SPLIT if len(targets) > 1 else NodeType.LINEAR
            return _Next(kind, targets)
        if len(targets) > 1:
            raise _BadForm(f"{main[0]} goes to one step, not to {len(targets)}")
        if main == ["num_parallel"]:
            return _Next(NodeType.FOREACH, targets, num_parallel=True)
        return _Next(
            NodeType.FOREACH,
            targets,
            foreach_var=self._text(keywords["foreach"], "foreach"),
            allow_empty=self._flag(keywords.get("allow_empty")),
            max_failures=self._budget(keywords.get("max_failures")),
            canary=self._canary(keywords.get("canary")),
        )

    def _keywords(self, call: ast.Call) -> dict[str, ast.expr]:
        known = ("foreach", "num_parallel", "condition", *FOREACH_EXTRAS)
        found: dict[str, ast.expr] = {}
        for keyword in call.keywords:
            if keyword.arg is None:
                raise _BadForm("its keywords must be written out, not given as **…")
            if keyword.arg not in known:
                raise _BadForm(f"'{keyword.arg}' is not one of its keywords")
            found[keyword.arg] = keyword.value
        return found

    def _step(self, expression: ast.expr) -> str:
        name = _attribute_of(expression, self.me)
        if name is None:
            raise _BadForm(f"'{_shown(expression)}' is not a step written as {self.me}.<step>")
        return name

    def _switch(self, arguments: list[ast.expr], keywords: dict[str, ast.expr]) -> _Next:
        if len(arguments) != 1 or not isinstance(arguments[0], ast.Dict):
            raise _BadForm("a condition needs one dict of cases, written out in the call")
        if list(keywords) != ["condition"]:
            raise _BadForm("a dict of cases needs condition='<name of an attribute>'")
        cases: dict[str, str] = {}
        for key, value in zip(arguments[0].keys, arguments[0].values, strict=True):
            case = self._case(key)
            if case in cases:
                raise _BadForm(f"the case {case} stands in it twice")
            cases[case] = self._step(value)
        return _Next(
            NodeType.SWITCH,
            tuple(dict.fromkeys(cases.values())),
            condition=self._text(keywords["condition"], "condition"),
            cases=cases,
        )

    def _case(self, key: ast.expr | None) -> str:
        if key is None:
            raise _BadForm("its cases must be written out, not given as **…")
        literal = key.operand if isinstance(key, ast.UnaryOp) else key
        if isinstance(literal, ast.Constant) and isinstance(literal.value, (str, int, float)):
            return ast.unparse(key)
        root, depth = key, 0
        while isinstance(root, ast.Attribute):
            root, depth = root.value, depth + 1
        if depth >= 2 and isinstance(root, ast.Name) and root.id == self.me:
            return ast.unparse(key)
        raise _BadForm(
            f"the case {_shown(key)} is neither a text, number or bool nor {self.me}.<config>.<key>"
        )

    def _text(self, expression: ast.expr, keyword: str) -> str:
        if isinstance(expression, ast.Name):
            value = self.module.get(expression.id)
        else:
            value = getattr(expression, "value", None)
        if not isinstance(value, str) or not isinstance(expression, (ast.Name, ast.Constant)):
            raise _BadForm(
                f"{keyword}={_shown(expression)} is not the name of an attribute, as text"
            )
        return value

    @staticmethod
    def _flag(expression: ast.expr | None) -> bool:
        if expression is None:
            return False
        if isinstance(expression, ast.Constant) and isinstance(expression.value, bool):
            return expression.value
        raise _BadForm("allow_empty is written as True or False")

    @staticmethod
    def _budget(expression: ast.expr | None) -> str | None:
        if expression is None:
            return None
        value = _literal(expression, "max_failures")
        if problem := max_failures_problem(value):
            raise _BadForm(problem)
        return str(value)

    @staticmethod
    def _canary(expression: ast.expr | None) -> int:
        if expression is None:
            return 0
        value = _literal(expression, "canary")
        if (problem := canary_problem(value)) or not isinstance(value, int):
            raise _BadForm(problem)
        return value


def _literal(expression: ast.expr, keyword: str) -> object:
    """The value of a number or text as it is written."""
    try:
        value: object = ast.literal_eval(expression)
    except (ValueError, TypeError):
        raise _BadForm(
            f"{keyword}={_shown(expression)}: its value is written out, as a number or text"
        ) from None
    return value


def _shown(expression: ast.expr) -> str:
    text = ast.unparse(expression)
    return text if len(text) <= 60 else text[:57] + "..."


# --- sources ---------------------------------------------------------------------


class _Sources:
    """Function definitions of source files, each file read and parsed once."""

    def __init__(self) -> None:
        self._files: dict[str, dict[int, _Definition]] = {}

    def definition(self, step: str, function: Any) -> _Definition:
        """The definition of ``function``; raises FlowError when its source is gone."""
        code = function.__code__
        definitions = self._files.get(code.co_filename)
        if definitions is None:
            source = _source(code.co_filename, function.__globals__)
            definitions = _definitions(source, code.co_filename)
            self._files[code.co_filename] = definitions
        found = definitions.get(code.co_firstlineno)
        if found is None:
            raise FlowError(
                f"The source of step '{step}' is not in line {code.co_firstlineno} of "
                f"{code.co_filename}.",
                remedy="Keep the flow in a file (or a notebook cell) and start it again: its steps "
                "are read from their source, which must not change in between.",
            )
        return found


def _source(file: str, module: dict[str, Any]) -> bytes:
    try:
        with open(file, "rb") as source:
            return source.read()
    except OSError:
        # Notebooks and zipped modules: linecache knows them.
        return "".join(linecache.getlines(file, module)).encode()


def _definitions(source: bytes, file: str) -> dict[int, _Definition]:
    """Functions by the line of their first decorator, or else of their ``def``."""
    try:
        pending: list[ast.AST] = [ast.parse(source, file)]
    except (SyntaxError, ValueError) as error:
        raise FlowError(
            f"{file} cannot be parsed any more: {error}.",
            remedy="It changed since it was imported. Mend it and start again.",
        ) from error
    found: dict[int, _Definition] = {}
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found[min([node.lineno, *(deco.lineno for deco in node.decorator_list)])] = node
        pending.extend(_inner_statements(node))
    return found


def _inner_statements(node: ast.AST) -> Iterator[ast.AST]:
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        inner = getattr(node, field, None)
        if isinstance(inner, list):
            yield from inner


def _file_of(flow_class: type[Flow]) -> str:
    module = sys.modules.get(flow_class.__module__)
    file = getattr(module, "__file__", None)
    if file:
        return str(file)
    for function in steps_of(flow_class).values():
        return str(_unwrap(function).__code__.co_filename)
    return ""


def _clean_doc(doc: str | None) -> str:
    """``doc`` without its indentation; the first line has none to begin with."""
    if not doc:
        return ""
    first, *others = doc.expandtabs().splitlines()
    margins = [len(line) - len(line.lstrip()) for line in others if line.strip()]
    margin = min(margins, default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in others)]).strip()
