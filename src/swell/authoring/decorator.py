"""What a decorator is: arguments checked where it stands, a pure plan, a door into the task."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from swell.authoring.config_expr import SpreadKey, evaluate_keywords
from swell.authoring.flow import Flow
from swell.errors import (
    BadFlowDecoratorException,
    BadStepDecoratorException,
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    FlowError,
    InvalidDecoratorAttribute,
)

# Every script loads this module: the records, and msgspec under them, come with the run.
if TYPE_CHECKING:
    from swell.authoring.context import TaskContext
    from swell.model.graph import Graph
    from swell.model.job import StepPlan

_Self = TypeVar("_Self", bound="Decorator")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_FlowClass = TypeVar("_FlowClass", bound=type)

NO_ARGUMENTS: Mapping[str, object] = MappingProxyType({})


class Decorator:
    """One use of a decorator: its name, the arguments given, and where it stands.

    ``defaults`` lists all arguments. ``given`` may hold late config values until
    ``resolve`` has replaced them; only a resolved decorator is planned or entered.
    ``secret_arguments`` are never shown. Raises InvalidDecoratorAttribute for an argument
    it does not know.
    """

    name: str = ""
    defaults: ClassVar[Mapping[str, object]] = NO_ARGUMENTS
    repeatable: ClassVar[bool] = False
    secret_arguments: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, **arguments: object) -> None:
        self.given: dict[str, Any] = arguments
        self.source_file, self.line_no = place_of_caller()
        self._refuse_unknown_arguments()

    @property
    def attributes(self) -> dict[str, Any]:
        """All arguments, defaults included."""
        return {**self.defaults, **self.given}

    @property
    def shown_attributes(self) -> dict[str, Any]:
        """All arguments fit for eyes: what is secret is replaced by ``'***'``."""
        return {
            key: "***" if key in self.secret_arguments and key in self.given else value
            for key, value in self.attributes.items()
        }

    def resolve(self: _Self, configs: Mapping[str, object]) -> _Self:
        """A copy with config values in place and all arguments checked.

        Raises FlowError where a value is not of the kind its argument wants.
        """
        resolved = object.__new__(type(self))
        resolved.__dict__.update(self.__dict__)
        resolved.given = evaluate_keywords(self.given, configs)
        resolved._refuse_unknown_arguments()
        resolved.check_arguments()
        return resolved

    def check_arguments(self) -> None:
        """Raise FlowError if an argument's value cannot be used; sees resolved values."""

    def takes(self, argument: str) -> bool:
        """Whether ``argument`` may be given besides those with a default."""
        return False

    def problem(self, message: str, remedy: str = "") -> FlowError:
        """An error about this use of the decorator, with its place in the script."""
        return FlowError(message, remedy=remedy, source_file=self.source_file, line_no=self.line_no)

    def __repr__(self) -> str:
        shown = self.shown_attributes
        return f"@{self.name}({', '.join(f'{key}={shown[key]!r}' for key in self.given)})"

    def _refuse_unknown_arguments(self) -> None:
        for key in self.given:
            if key in self.defaults or isinstance(key, SpreadKey) or self.takes(key):
                continue
            known = ", ".join(self.defaults)
            raise InvalidDecoratorAttribute(
                f"@{self.name} has no argument '{key}'.",
                remedy=f"It takes: {known}." if known else "It takes no arguments.",
                source_file=self.source_file,
                line_no=self.line_no,
            )


class StepDecorator(Decorator):
    """Stands above ``@step``.

    ``layer`` orders what is entered around a step, whatever the order they are written
    in: 0 sees all failures, 1 prepares, 2 watches the user's code, 3 is the user's own.
    """

    layer: ClassVar[int] = 1

    def plan(self, plan: StepPlan) -> StepPlan:
        """The step's plan with this decorator's wishes; pure, before the run."""
        return plan

    def around(self, task: TaskContext) -> AbstractContextManager[object]:
        """What is entered before the step's code and left after it, in the attempt."""
        return nullcontext()

    def check(self, graph: Graph, step: str) -> None:
        """Raise FlowError if it cannot stand on ``step``; called before the run."""

    def __call__(self, function: _Function) -> _Function:
        """Attach to a step: the topmost decorator comes first in ``function.decorators``."""
        standing = steps_own_list(function, self.name, "decorators")
        if not self.repeatable and any(other.name == self.name for other in standing):
            raise duplicate_on_step(self, function.__name__)
        standing.insert(0, self)
        return function


class JoinedStepDecorator(StepDecorator):
    """A decorator that users wrote: innermost, and entered together with all such of a step,
    because one that skips the step keeps those inside it from being entered."""

    layer = 3

    def joined(self, uses: Iterable[StepDecorator]) -> StepDecorator:
        """All ``uses``, outermost first, as one decorator."""
        return self


class FlowDecorator(Decorator):
    """Stands above the flow class."""

    def plan(self, plan: StepPlan) -> StepPlan:
        """The plan of one step with this decorator's wishes; pure, before the run."""
        return plan

    def check(self, graph: Graph) -> None:
        """Raise FlowError if it cannot stand on this flow; called before the run."""

    def __call__(self, flow: _FlowClass) -> _FlowClass:
        """Attach to a flow class, in its own ``_flow_decorators``, topmost first."""
        standing = flows_own_list(flow, self.name, "_flow_decorators")
        if not self.repeatable and any(other.name == self.name for other in standing):
            raise _duplicate_on_flow(self, flow)
        standing.insert(0, self)
        return flow


_StepKind = TypeVar("_StepKind", bound=StepDecorator)
_FlowKind = TypeVar("_FlowKind", bound=FlowDecorator)


class StepDecoratorFactory(Generic[_StepKind]):
    """The public name of a step decorator: works as ``@retry`` and as ``@retry(times=3)``."""

    def __init__(self, kind: type[_StepKind]) -> None:
        self.kind = kind
        self.__name__ = kind.name
        self.__doc__ = kind.__doc__

    @overload
    def __call__(self, function: _Function, /) -> _Function: ...
    @overload
    def __call__(self, **arguments: Any) -> _StepKind: ...
    def __call__(self, *target: Any, **arguments: Any) -> Any:
        return _made_or_attached(self.kind, target, arguments)

    def __repr__(self) -> str:
        return f"<step decorator {self.kind.name}>"


class FlowDecoratorFactory(Generic[_FlowKind]):
    """The public name of a flow decorator: works as ``@d`` and as ``@d(name=…)``."""

    def __init__(self, kind: type[_FlowKind]) -> None:
        self.kind = kind
        self.__name__ = kind.name
        self.__doc__ = kind.__doc__

    @overload
    def __call__(self, flow: _FlowClass, /) -> _FlowClass: ...
    @overload
    def __call__(self, **arguments: Any) -> _FlowKind: ...
    def __call__(self, *target: Any, **arguments: Any) -> Any:
        return _made_or_attached(self.kind, target, arguments)

    def __repr__(self) -> str:
        return f"<flow decorator {self.kind.name}>"


def _made_or_attached(
    kind: type[Decorator], target: tuple[Any, ...], arguments: dict[str, Any]
) -> Any:
    decorator: Any = kind(**arguments)
    if not target:
        return decorator
    if len(target) > 1 or arguments or not callable(target[0]):
        raise decorator.problem(
            f"@{kind.name} was given {', '.join(repr(value) for value in target)} without a name.",
            remedy="Write arguments as name=value.",
        )
    return decorator(target[0])


def decorators_of(flow: type, step: str) -> tuple[StepDecorator, ...]:
    """The decorators written above ``step``, topmost first.

    A step that is redefined in a derived flow has those of its new definition alone.
    """
    return tuple(getattr(getattr(flow, step), "decorators", ()))


def flow_decorators_of(flow: type) -> tuple[FlowDecorator, ...]:
    """The flow decorators of ``flow`` and its bases, nearest class first.

    Raises DuplicateFlowDecoratorException if one that may stand once is met twice.
    """
    found: list[FlowDecorator] = []
    for cls in flow.__mro__:
        for decorator in cls.__dict__.get("_flow_decorators", ()):
            if not decorator.repeatable and any(o.name == decorator.name for o in found):
                raise _duplicate_on_flow(decorator, flow)
            found.append(decorator)
    return tuple(found)


def planned(
    step: str,
    decorators: Iterable[StepDecorator],
    flow_decorators: Iterable[FlowDecorator] = (),
) -> StepPlan:
    """What resolved decorators decide for ``step``: flow decorators first, then in order."""
    from msgspec import structs

    from swell.model.job import StepPlan

    plan = StepPlan(step=step)
    for flow_decorator in flow_decorators:
        plan = flow_decorator.plan(plan)
    for decorator in decorators:
        plan = decorator.plan(plan)
    here = plan.warnings_here if plan.backend == "local" else ()
    return structs.replace(plan, warnings=(*plan.warnings, *here), warnings_here=())


def in_entering_order(decorators: Iterable[StepDecorator]) -> list[StepDecorator]:
    """What the task runner enters, outermost first.

    By layer, and within a layer as written; those which are entered as one become one.
    """
    order: list[StepDecorator] = []
    together: list[JoinedStepDecorator] = []
    for decorator in sorted(decorators, key=lambda decorator: decorator.layer):
        if isinstance(decorator, JoinedStepDecorator):
            together.append(decorator)
        else:
            order.append(decorator)
    if together:
        order.append(together[0].joined(together))
    return order


def steps_own_list(function: Any, name: str, attribute: str) -> list[Any]:
    """The list ``attribute`` on a step's function, made if need be.

    Raises BadStepDecoratorException if ``function`` is not a step.
    """
    if not getattr(function, "is_step", False):
        file, line = place_of(function)
        what = "class" if isinstance(function, type) else "function"
        called = getattr(function, "__name__", repr(function))
        remedy = f"Put @step directly above the function, and @{name} above @step."
        if what == "class":
            remedy = f"Put @{name} above each step that needs it, or use --with {name}."
        raise BadStepDecoratorException(
            f"@{name} stands above {what} '{called}', which is not a step.",
            remedy=remedy,
            source_file=file,
            line_no=line,
        )
    made: list[Any] = function.__dict__.setdefault(attribute, [])
    return made


def flows_own_list(flow: Any, name: str, attribute: str) -> list[Any]:
    """The list ``attribute`` in a flow class's own dict, made if need be.

    Raises BadFlowDecoratorException if ``flow`` is not a flow class.
    """
    if not (isinstance(flow, type) and issubclass(flow, Flow)):
        file, line = place_of(flow)
        called = getattr(flow, "__name__", repr(flow))
        raise BadFlowDecoratorException(
            f"@{name} stands above '{called}', which is not a flow.",
            remedy=f"Put @{name} above the class that derives from FlowSpec.",
            source_file=file,
            line_no=line,
        )
    if attribute not in flow.__dict__:
        setattr(flow, attribute, [])
    made: list[Any] = flow.__dict__[attribute]
    return made


def place_of(target: object) -> tuple[str | None, int | None]:
    """File and line of a function, or of the caller for anything else."""
    code = getattr(target, "__code__", None)
    if code is not None:
        return code.co_filename, code.co_firstlineno
    return place_of_caller()


def place_of_caller() -> tuple[str | None, int | None]:
    """File and line of the nearest frame outside swell."""
    frame = sys._getframe(1)
    while frame is not None:
        if not str(frame.f_globals.get("__name__", "")).startswith("swell."):
            return frame.f_code.co_filename, frame.f_lineno
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None, None


def duplicate_on_step(decorator: Decorator, step: str) -> DuplicateStepDecoratorException:
    """The error for a decorator that stands twice on ``step``."""
    return DuplicateStepDecoratorException(
        f"@{decorator.name} stands twice on step '{step}'.",
        remedy="Keep one of the two.",
        source_file=decorator.source_file,
        line_no=decorator.line_no,
    )


def _duplicate_on_flow(decorator: Decorator, flow: type) -> DuplicateFlowDecoratorException:
    return DuplicateFlowDecoratorException(
        f"@{decorator.name} stands twice on flow {flow.__name__} and the flows it derives from.",
        remedy="Keep one of the two.",
        source_file=decorator.source_file,
        line_no=decorator.line_no,
    )
