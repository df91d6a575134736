"""``@step`` marks a method of a flow as a step; ``steps_of`` finds those of a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, overload

from swell.errors import FlowError

_StepFunction = TypeVar("_StepFunction", bound=Callable[..., Any])

# Bits of ``code.co_flags``: CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
# (https://docs.python.org/3/library/inspect.html#code-objects-bit-flags).
_NOT_A_PLAIN_FUNCTION = 0x20 | 0x80 | 0x200

_OWN_MODULES = ("swell.authoring.flow", "swell.script")


@overload
def step(function: _StepFunction) -> _StepFunction: ...


@overload
def step(
    function: None = None,
    *,
    start: bool = False,
    end: bool = False,
    node_info: Mapping[str, Any] | None = None,
) -> Callable[[_StepFunction], _StepFunction]: ...


def step(
    function: Any = None,
    *,
    start: bool = False,
    end: bool = False,
    node_info: Mapping[str, Any] | None = None,
) -> Any:
    """Mark a method of a flow as a step; it stands below all other decorators.

    ``start`` and ``end`` make it the entry or the terminal step whatever its name;
    ``node_info`` is kept in the graph for tools. Raises FlowError above anything but a
    plain function.
    """

    def mark(function: Any) -> Any:
        code = getattr(function, "__code__", None)
        name = getattr(function, "__name__", repr(function))
        if code is None:
            raise FlowError(
                f"@step stands above {name}, which is not a function.",
                remedy="Put it directly above 'def name(self):' inside the flow class.",
            )
        if code.co_flags & _NOT_A_PLAIN_FUNCTION:
            raise FlowError(
                f"Step '{name}' is a generator or an async function: calling it would not run it.",
                remedy="Take 'yield' or 'async' out of the step, or move that into a function.",
                source_file=code.co_filename,
                line_no=code.co_firstlineno,
            )
        function.is_step = True
        function.name = name
        function.start = start
        function.end = end
        function.node_info = dict(node_info or {})
        function.decorators = []
        return function

    return mark if function is None else mark(function)


def steps_of(flow_class: type) -> dict[str, Callable[..., Any]]:
    """Step functions by name, those of base flows first, in order of definition."""
    found: dict[str, Callable[..., Any]] = {}
    for name, value in class_attributes(flow_class):
        # Not getattr: a Config in the class answers to every name.
        if callable(value) and getattr(value, "__dict__", {}).get("is_step") is True:
            found[name] = value
        else:
            found.pop(name, None)
    return found


def class_attributes(flow_class: type) -> Iterator[tuple[str, object]]:
    """Attributes of the classes that people wrote, base classes first.

    One that is redefined below comes again.
    """
    for one_class in reversed(flow_class.__mro__):
        if one_class is not object and one_class.__module__ not in _OWN_MODULES:
            yield from list(vars(one_class).items())
