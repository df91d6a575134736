"""Mutators: classes that people write to change steps and flows before a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from swell.authoring.config_expr import evaluate, evaluate_keywords
from swell.authoring.decorator import flows_own_list, place_of_caller, steps_own_list
from swell.errors import FlowError

_Target = TypeVar("_Target", bound=Callable[..., Any])


class _Mutator:
    """What step and flow mutators share."""

    attribute: ClassVar[str]

    def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
        use = MutatorUse(cls, arguments, keywords)
        if len(arguments) == 1 and not keywords and _is_target(arguments[0]):
            return MutatorUse(cls, (), {})(arguments[0])
        return use

    def init(self, *arguments: Any, **keywords: Any) -> None:
        """Called with the arguments of the use, before anything else."""

    def pre_mutate(self, mutable: Any) -> None:
        """Called once configs are known, before parameters are read."""

    def mutate(self, mutable: Any) -> None:
        """Called once the whole command line is known."""


class StepMutator(_Mutator):
    """Derive from it to change the decorators of a step before the run: ``@M`` above ``@step``.

    ``pre_mutate`` and ``mutate`` get a ``MutableStep``. Both run once, in the driver.
    """

    attribute = "step_mutators"


class FlowMutator(_Mutator):
    """Derive from it to change a flow before the run: ``@M`` above the flow class.

    ``pre_mutate`` and ``mutate`` get a ``MutableFlow``. Both run once, in the driver.
    """

    attribute = "_flow_mutators"


class MutatorUse:
    """One use of a mutator with its arguments; attaches to a step or a flow class."""

    def __init__(
        self, kind: type[_Mutator], arguments: tuple[Any, ...], keywords: Mapping[str, Any]
    ) -> None:
        self.kind = kind
        self.name = f"{kind.__module__}.{kind.__qualname__}"
        self.arguments = arguments
        self.keywords = dict(keywords)
        self.source_file, self.line_no = place_of_caller()

    def __call__(self, target: _Target) -> _Target:
        own_list = steps_own_list if issubclass(self.kind, StepMutator) else flows_own_list
        own_list(target, self.kind.__name__, self.kind.attribute).insert(0, self)
        return target

    def make(self, configs: Mapping[str, object]) -> _Mutator:
        """The user's object, initialised; raises FlowError if it takes no arguments."""
        if (self.arguments or self.keywords) and self.kind.init is _Mutator.init:
            raise FlowError(
                f"@{self.name} was given arguments, but defines no init.",
                remedy="Define 'def init(self, *args, **kwargs)', or drop the arguments.",
                source_file=self.source_file,
                line_no=self.line_no,
            )
        made: _Mutator = object.__new__(self.kind)
        made.init(*evaluate(self.arguments, configs), **evaluate_keywords(self.keywords, configs))
        return made

    def __repr__(self) -> str:
        return f"@{self.name}"


def _is_target(value: object) -> bool:
    return isinstance(value, type) or getattr(value, "is_step", False) is True
