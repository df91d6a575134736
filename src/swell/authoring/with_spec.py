"""``--with name:key=value``: decorators named in text, for all steps that lack them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from swell.authoring.decorator import Decorator, FlowDecorator, StepDecorator
from swell.authoring.dotted import import_dotted
from swell.authoring.mutator import FlowMutator, MutatorUse, StepMutator
from swell.authoring.run_declaration import RunDeclaration
from swell.authoring.user_decorator import OwnStepDecorator, UserStepDecorator, full_name
from swell.errors import (
    FlowError,
    UnknownFlowDecoratorException,
    UnknownStepDecoratorException,
    UsageError,
)

HIDDEN = "***"
# A new argument begins at ',word=', so that values may hold commas.
_NEXT_ARGUMENT = re.compile(r",(?=\s*\w+\s*=)")


class DecoratorNames(NamedTuple):
    """The decorators that text may name: name → class."""

    step: Mapping[str, type[StepDecorator]]
    flow: Mapping[str, type[FlowDecorator]] = {}


class WithSpec(NamedTuple):
    """A parsed ``name:key=value,…``."""

    name: str
    arguments: dict[str, Any]


def parse_spec(text: str) -> WithSpec:
    """Values are read as JSON, else as int, float, text. Raises UsageError on bad form."""
    name, _, rest = text.strip().partition(":")
    if not name.strip():
        raise UsageError(
            f"'{text}' names no decorator.", remedy="Write it like retry or retry:times=2."
        )
    arguments = {}
    for part in _NEXT_ARGUMENT.split(rest) if rest.strip() else ():
        key, equals, value = part.partition("=")
        if not equals or not key.strip().isidentifier():
            raise UsageError(
                f"'{part.strip()}' in '{text}' is not key=value.",
                remedy=f"Write it like {name}:key=value,other=value.",
            )
        arguments[key.strip()] = _read_value(value.strip())
    return WithSpec(name.strip(), arguments)


def without_secrets(text: str, names: DecoratorNames) -> str:
    """A spec as it may be stored and shown: ``environment:vars=***``."""
    name, _, rest = text.partition(":")
    kind = names.step.get(name.strip())
    if kind is None or not kind.secret_arguments:
        return text
    parts = _NEXT_ARGUMENT.split(rest)
    keys = [part.partition("=")[0] for part in parts]
    shown = [
        f"{key}={HIDDEN}" if key.strip() in kind.secret_arguments else part
        for key, part in zip(keys, parts, strict=True)
    ]
    return f"{name}:{','.join(shown)}" if rest else text


def completed(kept: Iterable[str], given: Iterable[str]) -> tuple[str, ...]:
    """What ``without_secrets`` left of specs, for use again: one that lost its values must be
    among ``given`` and is left out here. Raises UsageError where it is not."""
    named = {parse_spec(text).name for text in given}
    whole = []
    for text in kept:
        spec = parse_spec(text)
        if HIDDEN not in spec.arguments.values():
            whole.append(text)
        elif spec.name not in named:
            raise UsageError(
                f"The run was begun with --with {text}: such values are not kept.",
                remedy=f"Give them again, before the command: --with '{spec.name}:…'.",
            )
    return tuple(whole)


def step_decorator_named(text: str, names: DecoratorNames) -> StepDecorator | MutatorUse:
    """The decorator or step mutator that ``text`` names, with its arguments.

    Raises UnknownStepDecoratorException listing all names, InvalidDecoratorAttribute.
    """
    spec = parse_spec(text)
    kind = names.step.get(spec.name)
    if kind is not None:
        decorator: StepDecorator = _made(kind, spec)
        return decorator
    own = _own_kind(spec.name, (UserStepDecorator, StepMutator))
    if own is None:
        known = [*names.step, *sorted(map(full_name, _loaded((UserStepDecorator, StepMutator))))]
        raise UnknownStepDecoratorException(
            f"There is no step decorator '{spec.name}'.", remedy=f"Known: {', '.join(known)}."
        )
    made: StepDecorator | MutatorUse = _made(own, spec)
    return made


def flow_decorator_named(text: str, names: DecoratorNames) -> FlowDecorator | MutatorUse:
    """The same for flow decorators and flow mutators."""
    spec = parse_spec(text)
    kind = names.flow.get(spec.name)
    if kind is not None:
        decorator: FlowDecorator = _made(kind, spec)
        return decorator
    own = _own_kind(spec.name, (FlowMutator,))
    if own is None:
        known = [*names.flow, *sorted(map(full_name, _loaded((FlowMutator,))))]
        raise UnknownFlowDecoratorException(
            f"There is no flow decorator '{spec.name}'.", remedy=f"Known: {', '.join(known)}."
        )
    made: FlowDecorator | MutatorUse = _made(own, spec)
    return made


def add_with_specs(declared: RunDeclaration, specs: Iterable[str], names: DecoratorNames) -> None:
    """Add what ``specs`` name to all steps that lack it, repeatable ones to all.

    Specs that come first win over later ones of the same name. They stand above what is
    written in the code: their own decorators are outermost.
    """
    for text in specs:
        for step in declared.steps:
            add_to_step(declared, step, step_decorator_named(text, names))


def add_to_step(declared: RunDeclaration, step: str, added: StepDecorator | MutatorUse) -> bool:
    """Add unless it stands there already and may stand once; says whether it was added."""
    if isinstance(added, MutatorUse):
        mutators = declared.step_mutators.setdefault(step, [])
        if any(other.name == added.name for other in mutators):
            return False
        mutators.insert(0, added)
        return True
    standing = declared.steps[step]
    may_repeat = added.repeatable and not isinstance(added, OwnStepDecorator)
    if not may_repeat and any(other.name == added.name for other in standing):
        return False
    standing.insert(0, added)
    return True


def _made(kind: Any, spec: WithSpec) -> Any:
    try:
        made = kind(**spec.arguments)
    except FlowError as error:
        error.source_file = error.line_no = None
        raise
    if isinstance(made, (Decorator, MutatorUse)):
        # It stands on the command line, not in a file.
        made.source_file = made.line_no = None
    return made


def _own_kind(name: str, roots: tuple[type[Any], ...]) -> type[Any] | None:
    """A class of the user's: by a unique tail of its name if loaded, else imported."""
    loaded: list[type[Any]] = [
        kind
        for kind in _loaded(roots)
        if full_name(kind) == name or full_name(kind).endswith(f".{name}")
    ]
    if len(loaded) > 1:
        exact: list[type[Any]] = [kind for kind in loaded if full_name(kind) == name]
        if len(exact) != 1:
            raise UnknownStepDecoratorException(
                f"'{name}' fits several decorators: {', '.join(sorted(map(full_name, loaded)))}.",
                remedy="Write more of its name.",
            )
        loaded = exact
    if loaded:
        return loaded[0]
    if "." not in name:
        return None
    found = import_dotted(name, "Decorator")
    return found if isinstance(found, type) and issubclass(found, roots) else None


def _loaded(roots: tuple[type[Any], ...]) -> list[type[Any]]:
    found: list[type[Any]] = []
    for root in roots:
        for kind in _all_subclasses(root):
            if not kind.__module__.startswith("swell.") and kind not in found:
                found.append(kind)
    return found


def _all_subclasses(root: type[Any]) -> Iterator[type[Any]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _all_subclasses(kind)


def _read_value(text: str) -> Any:
    for read in (json.loads, int, float):
        try:
            return read(text.replace('\\"', '"'))
        except ValueError:
            continue
    return text
