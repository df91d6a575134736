"""Runs mutators over a declared flow, and what they are given: MutableFlow, MutableStep."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from swell.authoring.config import spec_of
from swell.authoring.decorator import (
    Decorator,
    FlowDecorator,
    FlowDecoratorFactory,
    StepDecorator,
    StepDecoratorFactory,
)
from swell.authoring.mutator import FlowMutator, MutatorUse, StepMutator
from swell.authoring.parameter import Parameter, refuse_duplicate_names
from swell.authoring.run_declaration import RunDeclaration
from swell.authoring.user_decorator import OwnStepDecorator, UserStepDecorator
from swell.authoring.with_spec import (
    DecoratorNames,
    flow_decorator_named,
    step_decorator_named,
)
from swell.errors import (
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    FlowError,
)

DecoratorSpec = tuple[str, str, list[Any], dict[str, Any]]
"""Name, qualified name, arguments, keywords."""


class Mutation:
    """The mutators of one run: ``pre_mutate`` first, ``mutate`` after the command line.

    Each mutator is made once and keeps its state between the two. They change
    ``declared``. Raises what the user's code raises, and FlowError for what is not allowed.
    """

    def __init__(
        self, declared: RunDeclaration, configs: Mapping[str, object], names: DecoratorNames
    ) -> None:
        self.declared = declared
        self.configs = configs
        self.names = names
        self._made: dict[MutatorUse, Any] = {}

    def pre_mutate(self) -> None:
        """Run every ``pre_mutate``: those of the flow first, also ones added meanwhile."""
        flow = MutableFlow(self, is_early=True)
        for use in _growing(self.declared.flow_mutators):
            self._object(use).pre_mutate(flow)
        for name, step in flow.steps:
            for use in _growing(self.declared.step_mutators.get(name, [])):
                self._object(use).pre_mutate(step)
        refuse_duplicate_names(self.declared.parameters)

    def mutate(self) -> None:
        """Run every ``mutate``: those of the flow first."""
        flow = MutableFlow(self, is_early=False)
        for use in _growing(self.declared.flow_mutators):
            self._object(use).mutate(flow)
        for name, step in flow.steps:
            for use in _growing(self.declared.step_mutators.get(name, [])):
                self._object(use).mutate(step)

    def _object(self, use: MutatorUse) -> Any:
        if use not in self._made:
            self._made[use] = use.make(self.configs)
        return self._made[use]


class _Mutable(ABC):
    """What mutable flows and steps share: a view of their decorators."""

    IGNORE, ERROR, OVERRIDE = 1, 2, 3

    def __init__(self, mutation: Mutation, is_early: bool) -> None:
        self._mutation = mutation
        self._is_early = is_early

    @property
    def decorator_specs(self) -> Iterator[DecoratorSpec]:
        """(name, qualified name, arguments, keywords) of every decorator and mutator."""
        for one in self._standing():
            yield _spec(one)

    def has_decorator(self, name: str) -> bool:
        """Whether one of this name, short or qualified, stands here."""
        return any(_is_called(one, name) for one in self._standing())

    def get_decorator_specs(self, name: str) -> list[DecoratorSpec]:
        """The specs of those of this name."""
        return [_spec(one) for one in self._standing() if _is_called(one, name)]

    @abstractmethod
    def _standing(self) -> list[Any]:
        """All decorators and mutators that stand here."""

    def _only_early(self, what: str) -> None:
        if not self._is_early:
            raise FlowError(
                f"{what} is not possible in mutate.", remedy="Do it in pre_mutate instead."
            )


class MutableFlow(_Mutable):
    """A flow as its mutators see it; steps, parameters and configs also by attribute."""

    @property
    def configs(self) -> Iterator[tuple[str, Any]]:
        """(config name, value)"""
        yield from self._mutation.configs.items()

    @property
    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(attribute name, parameter)"""
        yield from list(self._declared.parameters.items())

    @property
    def steps(self) -> Iterator[tuple[str, MutableStep]]:
        """(step name, mutable step)"""
        for name in list(self._declared.steps):
            yield name, MutableStep(self._mutation, self._is_early, name)

    def add_parameter(self, name: str, value: Parameter, overwrite: bool = False) -> None:
        """Declare a parameter under attribute ``name``; in ``pre_mutate`` only."""
        self._only_early(f"Adding parameter '{name}'")
        if not isinstance(value, Parameter):
            raise FlowError(
                f"add_parameter('{name}', …) was given a {type(value).__name__}.",
                remedy="Give a Parameter or an IncludeFile.",
            )
        declared = self._declared
        if not overwrite and (name in declared.parameters or hasattr(declared.flow, name)):
            raise FlowError(
                f"Flow {declared.flow.__name__} already has '{name}'.",
                remedy="Use another name, or add_parameter(…, overwrite=True).",
            )
        declared.parameters[name] = value

    def remove_parameter(self, name: str) -> bool:
        """Forget the parameter whose option is ``name``; in ``pre_mutate`` only."""
        self._only_early(f"Removing parameter '{name}'")
        parameters = self._declared.parameters
        found = [key for key, parameter in parameters.items() if parameter.name == name]
        for key in found:
            del parameters[key]
        return bool(found)

    def add_decorator(
        self,
        deco: Any,
        deco_args: list[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
        duplicates: int = _Mutable.IGNORE,
    ) -> None:
        """Add a flow decorator or flow mutator; in ``pre_mutate`` only."""
        self._only_early("Adding a flow decorator")
        named = flow_decorator_named(deco, self._mutation.names) if isinstance(deco, str) else deco
        added = _use(named, tuple(deco_args or ()), dict(deco_kwargs or {}))
        declared = self._declared
        if isinstance(added, MutatorUse) and issubclass(added.kind, FlowMutator):
            _add(declared.flow_mutators, added, duplicates, at_end=True)
        elif isinstance(added, FlowDecorator):
            _add(declared.flow_decorators, added, duplicates, may_repeat=added.repeatable)
        else:
            raise FlowError(
                f"{deco!r} cannot be added to a flow.",
                remedy="Give a flow decorator, a FlowMutator, or text like 'project:name=x'.",
            )

    def remove_decorator(
        self,
        name: str,
        deco_args: list[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
    ) -> bool:
        """Remove those of this name (and arguments, if given); in ``pre_mutate`` only."""
        self._only_early("Removing a flow decorator")
        if any(_is_called(use, name) for use in self._declared.flow_mutators):
            raise FlowError(
                f"Flow mutator '{name}' cannot be removed while mutators run.",
                remedy="Take it off the flow class.",
            )
        return _remove(self._declared.flow_decorators, name, deco_args, deco_kwargs)

    @property
    def _declared(self) -> RunDeclaration:
        return self._mutation.declared

    def _standing(self) -> list[Any]:
        return [*self._declared.flow_decorators, *self._declared.flow_mutators]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        declared = self._declared
        if name in declared.steps:
            return MutableStep(self._mutation, self._is_early, name)
        if name in declared.parameters:
            return declared.parameters[name]
        if name in declared.configs:
            return self._mutation.configs[spec_of(declared.configs[name]).name]
        if name in self._mutation.configs:
            return self._mutation.configs[name]
        raise AttributeError(
            f"Flow {declared.flow.__name__} has no step, parameter or config '{name}'."
        )


class MutableStep(_Mutable):
    """A step as mutators see it."""

    def __init__(self, mutation: Mutation, is_early: bool, name: str) -> None:
        super().__init__(mutation, is_early)
        self.name = name

    @property
    def flow(self) -> MutableFlow:
        """The flow it belongs to."""
        return MutableFlow(self._mutation, self._is_early)

    def add_decorator(
        self,
        deco: Any,
        deco_args: list[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
        duplicates: int = _Mutable.IGNORE,
    ) -> None:
        """Add a decorator (itself, its class, or text as for ``--with``), outermost.

        ``duplicates`` says what to do if it stands there: IGNORE the new one, ERROR, or
        OVERRIDE the old one. Step mutators can be added in ``pre_mutate`` only.
        """
        named = step_decorator_named(deco, self._mutation.names) if isinstance(deco, str) else deco
        added = _use(named, tuple(deco_args or ()), dict(deco_kwargs or {}))
        declared = self._mutation.declared
        if isinstance(added, MutatorUse) and issubclass(added.kind, StepMutator):
            self._only_early("Adding a step mutator")
            mutators = declared.step_mutators.setdefault(self.name, [])
            _add(mutators, added, duplicates, at_end=True)
        elif isinstance(added, StepDecorator):
            may_repeat = added.repeatable and not isinstance(added, OwnStepDecorator)
            _add(declared.steps[self.name], added, duplicates, may_repeat=may_repeat)
        else:
            raise FlowError(
                f"{deco!r} cannot be added to a step.",
                remedy="Give a step decorator, its class, or text like 'retry:times=2'.",
            )

    def remove_decorator(
        self,
        name: str,
        deco_args: list[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
    ) -> bool:
        """Remove those of this name (and arguments, if given); says whether there were any."""
        declared = self._mutation.declared
        mutators = declared.step_mutators.get(self.name, [])
        if any(_is_called(use, name) for use in mutators):
            self._only_early("Removing a step mutator")
        removed = _remove(declared.steps[self.name], name, deco_args, deco_kwargs)
        return _remove(mutators, name, deco_args, deco_kwargs) or removed

    def _standing(self) -> list[Any]:
        declared = self._mutation.declared
        return [*declared.steps[self.name], *declared.step_mutators.get(self.name, [])]


def _growing(uses: list[MutatorUse]) -> Iterator[MutatorUse]:
    """Nearest to the step or class first, then those added while this goes on."""
    done: list[MutatorUse] = []
    for use in reversed(list(uses)):
        done.append(use)
        yield use
    while later := [use for use in uses if use not in done]:
        done.append(later[0])
        yield later[0]


def _use(deco: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """The use of a decorator that ``deco`` means: a public name, a class, or a use itself.

    Arguments may be given with a use that has none yet.
    """
    if isinstance(deco, (StepDecoratorFactory, FlowDecoratorFactory)):
        deco = deco.kind
    elif isinstance(deco, (Decorator, MutatorUse)):
        if not (arguments or keywords):
            return deco
        if _spec(deco)[2:] == ([], {}):
            deco = deco.kind if isinstance(deco, (OwnStepDecorator, MutatorUse)) else type(deco)
    if not isinstance(deco, type):
        if arguments or keywords:
            raise FlowError(
                f"Arguments for {deco!r} were given twice.",
                remedy="Give them either with the decorator or in deco_kwargs.",
            )
        return deco
    if issubclass(deco, (StepMutator, FlowMutator)):
        return MutatorUse(deco, arguments, keywords)
    if arguments:
        raise FlowError(
            f"Arguments for {deco.__name__} were given without names.",
            remedy="Give them in deco_kwargs.",
        )
    if issubclass(deco, UserStepDecorator):
        return OwnStepDecorator(deco, keywords)
    return deco(**keywords) if issubclass(deco, Decorator) else deco


def _add(
    standing: list[Any],
    added: Any,
    duplicates: int,
    *,
    may_repeat: bool = False,
    at_end: bool = False,
) -> None:
    same = [one for one in standing if one.name == added.name]
    if same and not may_repeat:
        if duplicates == _Mutable.IGNORE:
            return
        if duplicates != _Mutable.OVERRIDE:
            raise _twice(added)
        standing[:] = [one for one in standing if one not in same]
    standing.insert(len(standing) if at_end else 0, added)


def _twice(added: Any) -> FlowError:
    kind: type[FlowError] = DuplicateStepDecoratorException
    if isinstance(added, FlowDecorator):
        kind = DuplicateFlowDecoratorException
    return kind(
        f"A mutator adds @{added.name}, which stands there already.",
        remedy="Add it with duplicates=IGNORE or OVERRIDE, or where it is missing only.",
    )


def _remove(
    standing: list[Any],
    name: str,
    arguments: list[Any] | None,
    keywords: Mapping[str, Any] | None,
) -> bool:
    def goes(one: Any) -> bool:
        _, _, its_arguments, its_keywords = _spec(one)
        if not _is_called(one, name):
            return False
        if arguments is None and keywords is None:
            return True
        return its_arguments == list(arguments or []) and its_keywords == dict(keywords or {})

    before = len(standing)
    standing[:] = [one for one in standing if not goes(one)]
    return len(standing) < before


def _spec(one: Any) -> DecoratorSpec:
    short = one.name.rpartition(".")[2]
    if isinstance(one, MutatorUse):
        return short, one.name, list(one.arguments), dict(one.keywords)
    if isinstance(one, OwnStepDecorator):
        return short, one.name, [], dict(one.given)
    decorator: Decorator = one
    kind = type(decorator)
    return decorator.name, f"{kind.__module__}.{kind.__qualname__}", [], dict(decorator.given)


def _is_called(one: Any, name: str) -> bool:
    qualified = _spec(one)[1]
    return name in (one.name, qualified) or one.name.endswith(f".{name}")
