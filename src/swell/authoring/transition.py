"""``self.next`` at run time: what was called, what it means, and whether it is allowed.

Pure but for reading attributes of the flow; loaded at the first transition of a process.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from swell.authoring.foreach_options import FOREACH_EXTRAS
from swell.authoring.step import steps_of
from swell.errors import InternalError, InvalidNextException
from swell.model.graph import Node, NodeType

FORMS = (
    "Allowed are: self.next(self.a) · self.next(self.a, self.b, …) · "
    "self.next(self.a, foreach='items') · self.next(self.a, num_parallel=n) · "
    "self.next({'x': self.a, 'y': self.b}, condition='name')."
)
_KEYWORDS = ("foreach", "num_parallel", "condition")


class Chosen(msgspec.Struct, frozen=True):
    """Where a step goes. ``targets``: of a switch the chosen one alone.

    ``items`` is the foreach's iterable itself, not yet iterated; ``value`` is what the
    switch looked at.
    """

    targets: tuple[str, ...]
    foreach: str | None = None
    items: Any = None
    num_parallel: int | None = None
    condition: str | None = None
    value: Any = None
    allow_empty: bool = False


class DeclaredNext(msgspec.Struct, frozen=True):
    """A transition given to the builder instead of ``self.next``.

    ``cases`` maps values to steps; ``num_parallel`` is a number or the name of an
    artifact that holds one.
    """

    targets: tuple[str, ...] = ()
    foreach: str | None = None
    condition: str | None = None
    cases: dict[Any, str] = {}
    num_parallel: int | str | None = None
    allow_empty: bool = False
    canary: int | None = None
    max_failures: int | str | None = None


class Call(NamedTuple):
    """A call of ``self.next`` as it was made, and where."""

    targets: tuple[Any, ...]
    keywords: Mapping[str, Any]
    file: str | None
    line: int | None


def plain_choice(flow: Any, node: Node, targets: tuple[Any, ...]) -> Chosen | None:
    """The short way for ``self.next(self.a)`` as the source says it; None for all else."""
    if len(targets) != 1 or len(node.targets) != 1 or node.foreach_var or node.num_parallel:
        return None
    function = getattr(targets[0], "__func__", None)
    name = node.targets[0]
    if function is None or function.__name__ != name or targets[0].__self__ is not flow:
        return None
    if getattr(type(flow), name, None) is not function:
        return None
    if declared_next(getattr(type(flow), node.name)) is not None:
        return None
    return Chosen(node.targets)


def choose(flow: Any, call: Call) -> Chosen:
    """What a call written in a step's code means.

    Raises InvalidNextException for a form that is not allowed, a second call, or another
    transition than the one read from the source; RuntimeError for a value without case.
    """
    node = _node(flow)
    if flow.__swell__.chosen is not None:
        raise _wrong(flow, call, "called self.next a second time.", "Call it once, at the end.")
    if node is not None and declared_next(steps_of(type(flow))[node.name]) is not None:
        raise _wrong(
            flow,
            call,
            "called self.next, but its next step was given to the builder.",
            "Take self.next out of the function.",
        )
    chosen, shape = _resolve(flow, call)
    if node is not None and shape != expected_shape(node):
        raise _wrong(
            flow,
            call,
            f"goes another way than its source says: expected {_words(expected_shape(node))}, "
            f"got {_words(shape)}.",
            "The last line of a step is its one self.next, and its targets are written out.",
        )
    return chosen


def resolve(flow: Any, call: Call) -> Chosen:
    """What ``call`` means, without comparing it to the source. Raises as ``choose``."""
    return _resolve(flow, call)[0]


def own_call(flow: Any, keywords: Mapping[str, object] | None = None) -> Call:
    """The transition a step declares or is written with, as a call.

    ``keywords`` replace its own. Raises InvalidNextException where only the step's code
    knows a value (``num_parallel``) and ``keywords`` do not give it.
    """
    node = _node(flow)
    if node is None:
        raise InternalError("A flow object outside a task has no transition of its own.")
    functions = steps_of(type(flow))
    declared = declared_next(functions[node.name])
    own = _declared_call(flow, node, declared) if declared else _written_call(flow, node)
    call = own if keywords is None else own._replace(keywords=dict(keywords))
    if node.num_parallel and "num_parallel" not in call.keywords:
        raise _wrong(
            flow,
            call,
            "was skipped or replaced, so how many parallel tasks to start is not known.",
            "Give it with the keywords of the transition: {'num_parallel': 4}.",
        )
    return call


def declared_next(function: Callable[..., Any]) -> DeclaredNext | None:
    """The transition that the builder gave to a step function."""
    found: DeclaredNext | None = getattr(function, "declared_next", None)
    return found


def empty_foreach(flow: Any, chosen: Chosen) -> InvalidNextException:
    """The error for a foreach without items, for the runner to raise."""
    return _wrong(
        flow,
        _own_place(flow),
        f"opens a foreach over 'self.{chosen.foreach}', which is empty: there is no task to start.",
        "Branch around it with a switch, or write "
        f"foreach='{chosen.foreach}', allow_empty=True to go on to the join without inputs.",
    )


def not_iterable(
    flow: Any, name: str, value: object, error: BaseException | None = None
) -> InvalidNextException:
    """The error for a foreach over ``value``, which cannot be iterated over."""
    return _wrong(flow, _own_place(flow), *_not_iterable_words(name, value, error))


# --- reading a call ------------------------------------------------------------


class Shape(NamedTuple):
    """What of a transition can be told before it runs; of a switch: all its targets."""

    kind: str
    targets: tuple[str, ...]
    variable: str | None = None


def expected_shape(node: Node) -> Shape:
    """The shape that was read from the source."""
    if node.num_parallel:
        return Shape("num_parallel", node.targets)
    if node.type is NodeType.FOREACH:
        return Shape("foreach", node.targets, node.foreach_var)
    if node.type is NodeType.SWITCH:
        return Shape("switch", tuple(sorted(set(node.targets))), node.condition)
    return Shape("plain", node.targets)


def _resolve(flow: Any, call: Call) -> tuple[Chosen, Shape]:
    keywords = call.keywords
    unknown = [word for word in keywords if word not in (*_KEYWORDS, *FOREACH_EXTRAS)]
    if unknown:
        raise _wrong(flow, call, f"gave self.next the unknown keyword '{unknown[0]}'.", FORMS)
    main = [word for word in _KEYWORDS if word in keywords]
    if len(main) > 1:
        raise _wrong(
            flow, call, f"gave self.next both '{main[0]}' and '{main[1]}'; it takes one.", FORMS
        )
    extra = [word for word in keywords if word in FOREACH_EXTRAS]
    if extra and main != ["foreach"]:
        raise _wrong(flow, call, f"gave self.next {extra[0]} without foreach.", FORMS)
    if not call.targets:
        raise _wrong(flow, call, "gave self.next no step to go to.", FORMS)
    # callable() first: asking a step's method whether it is a Mapping costs 40 page faults
    # in a forked task.
    if main == ["condition"] or any(
        not callable(target) and isinstance(target, Mapping) for target in call.targets
    ):
        return _switch(flow, call)
    targets = tuple(_step_name(flow, call, target) for target in call.targets)
    if main and len(targets) > 1:
        raise _wrong(
            flow,
            call,
            f"gave self.next {len(targets)} steps ({', '.join(targets)}) beside {main[0]}; "
            "it takes one.",
            "Put what they do into one step, or split inside the foreach.",
        )
    if main == ["foreach"]:
        return _foreach(flow, call, targets)
    if main == ["num_parallel"]:
        number = _num_parallel(flow, call)
        return Chosen(targets, num_parallel=number), Shape("num_parallel", targets)
    return Chosen(targets), Shape("plain", targets)


def _foreach(flow: Any, call: Call, targets: tuple[str, ...]) -> tuple[Chosen, Shape]:
    name = call.keywords["foreach"]
    if not isinstance(name, str):
        raise _wrong(
            flow,
            call,
            f"gave foreach {_type(name)}; it takes the name of an attribute as text.",
            "Assign the list first, self.items = …, then write foreach='items'.",
        )
    items = _attribute(flow, call, name, "foreach")
    if not (hasattr(type(items), "__iter__") or hasattr(type(items), "__getitem__")):
        raise _wrong(flow, call, *_not_iterable_words(name, items, None))
    allow_empty = bool(call.keywords.get("allow_empty", False))
    chosen = Chosen(targets, foreach=name, items=items, allow_empty=allow_empty)
    return chosen, Shape("foreach", targets, name)


def _num_parallel(flow: Any, call: Call) -> int:
    number = call.keywords["num_parallel"]
    try:
        count = operator.index(number)
    except TypeError:
        count = 0
    if isinstance(number, bool) or count < 1:
        raise _wrong(
            flow,
            call,
            f"gave num_parallel {_type(number)} ({number!r}); it takes a whole number "
            "of at least 1.",
            "Say how many tasks are to run together.",
        )
    return count


def _switch(flow: Any, call: Call) -> tuple[Chosen, Shape]:
    cases = call.targets[0]
    name = call.keywords.get("condition")
    if len(call.targets) != 1 or not isinstance(cases, Mapping) or not cases:
        raise _wrong(flow, call, "gave self.next a condition without one dict of cases.", FORMS)
    if len(call.keywords) != 1 or not isinstance(name, str):
        raise _wrong(
            flow,
            call,
            "gave self.next a dict of cases, but not condition='…' with the name of an attribute.",
            FORMS,
        )
    names = {value: _step_name(flow, call, target) for value, target in cases.items()}
    shape = Shape("switch", tuple(sorted(set(names.values()))), name)
    value = _attribute(flow, call, name, "condition")
    try:
        target = names[value]
    except (KeyError, TypeError):
        listed = ", ".join(repr(case) for case in names)
        raise RuntimeError(
            f"Step '{_step(flow)}' has no case for self.{name} = {value!r}. Its cases are "
            f"{listed}. Add a case for this value, or assign one of these."
        ) from None
    return Chosen((target,), condition=name, value=value), shape


def _step_name(flow: Any, call: Call, target: Any) -> str:
    function = getattr(target, "__func__", None)
    if function is not None and target.__self__ is flow:
        own_name: str = function.__name__
        if getattr(type(flow), own_name, None) is function and hasattr(function, "is_step"):
            return own_name
        steps = steps_of(type(flow))
        for name, step in steps.items():
            if step is function and getattr(target, "__name__", name) == name:
                return name
        for name, step in steps.items():
            if step is function:
                return name
    steps = steps_of(type(flow))
    label = getattr(target, "__name__", None) or repr(target)
    raise _wrong(
        flow,
        call,
        f"gave self.next {label}, which is not a step.",
        f"Mark it with @step, or go to one of: {', '.join(steps)}.",
    )


def _attribute(flow: Any, call: Call, name: str, keyword: str) -> Any:
    try:
        return getattr(flow, name)
    except AttributeError as error:
        raise _wrong(
            flow,
            call,
            f"says {keyword}='{name}', but there is no self.{name}.",
            f"Assign self.{name} before self.next.",
        ) from error


# --- a step's own transition as a call ------------------------------------------


def _declared_call(flow: Any, node: Node, declared: DeclaredNext) -> Call:
    place = _own_place(flow)
    keywords: dict[str, Any] = {}
    if declared.condition is not None:
        keywords["condition"] = declared.condition
        cases = {value: getattr(flow, name) for value, name in declared.cases.items()}
        return place._replace(targets=(cases,), keywords=keywords)
    if declared.foreach is not None:
        keywords["foreach"] = declared.foreach
        if declared.allow_empty:
            keywords["allow_empty"] = True
    if declared.num_parallel is not None:
        number = declared.num_parallel
        if isinstance(number, str):
            number = _attribute(flow, place, number, "num_parallel")
        keywords["num_parallel"] = number
    targets = tuple(getattr(flow, name) for name in node.targets)
    return place._replace(targets=targets, keywords=keywords)


def _written_call(flow: Any, node: Node) -> Call:
    place = _own_place(flow)
    if node.type is NodeType.SWITCH:
        cases = {_case_value(flow, case): getattr(flow, name) for case, name in node.cases.items()}
        return place._replace(targets=(cases,), keywords={"condition": node.condition})
    keywords: dict[str, Any] = {}
    if node.foreach_var is not None:
        keywords["foreach"] = node.foreach_var
        if node.allow_empty:
            keywords["allow_empty"] = True
    return place._replace(
        targets=tuple(getattr(flow, name) for name in node.targets), keywords=keywords
    )


def _case_value(flow: Any, case: str) -> Any:
    """The value of a case as written: a literal, or ``self.config.key``."""
    import ast

    expression = ast.parse(case, mode="eval").body
    path: list[str] = []
    while isinstance(expression, ast.Attribute):
        path.append(expression.attr)
        expression = expression.value
    if not path:
        return ast.literal_eval(case)
    value: Any = flow
    for name in reversed(path):
        value = getattr(value, name)
    return value


# --- words -----------------------------------------------------------------------


def _own_place(flow: Any) -> Call:
    node = _node(flow)
    if node is None:
        return Call((), {}, None, None)
    return Call((), {}, node.file or None, node.next_line or node.line or None)


def _wrong(flow: Any, call: Call, what: str, remedy: str) -> InvalidNextException:
    return InvalidNextException(
        f"Step '{_step(flow)}' {what}",
        remedy=remedy,
        source_file=call.file,
        line_no=call.line,
    )


def _not_iterable_words(name: str, value: object, error: BaseException | None) -> tuple[str, str]:
    why = f" ({type(error).__name__}: {error})" if error else ""
    return (
        f"opens a foreach over self.{name}, which is {_type(value)} and cannot be "
        f"iterated over{why}.",
        "Assign a list, or anything else that 'for' takes.",
    )


def _node(flow: Any) -> Node | None:
    found: Node | None = flow.__swell__.node
    return found


def _step(flow: Any) -> str:
    node = _node(flow)
    return "?" if node is None else node.name


def _type(value: object) -> str:
    kind = type(value).__name__
    return f"an {kind}" if kind[:1] in "aeiouAEIOU" else f"a {kind}"


def _words(shape: Shape) -> str:
    targets = ", ".join(shape.targets) or "nothing"
    if shape.kind == "plain":
        return targets
    if shape.variable is not None:
        return f"{targets} by {shape.kind} over '{shape.variable}'"
    return f"{targets} by {shape.kind}"
