"""``@resources``: what a step asks of whatever machine it runs on."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import msgspec

from swell.authoring.decorator import Decorator, StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import number, optional_number, optional_whole_number
from swell.model.job import StepPlan
from swell.model.resources import Resources

_AUTO = {"cpu": "cpu", "memory": "memory_mb"}
"""What may be sized from history: argument → field of Resources."""


class ResourcesDecorator(StepDecorator):
    """The step's wish: ``cpu`` cores, ``memory``, ``disk`` and ``shared_memory`` in MB, ``gpu``.

    ``memory="auto"`` and ``cpu="auto"`` ask for what earlier runs of the step needed.
    Any other name is something that ``--limit NAME=N`` limits: ``@resources(api=1)``.
    """

    name = "resources"
    defaults: ClassVar = {
        "cpu": 1,
        "gpu": None,
        "disk": None,
        "memory": 4000,
        "shared_memory": None,
    }

    def check_arguments(self) -> None:
        wish(self)

    def takes(self, argument: str) -> bool:
        return True

    def plan(self, plan: StepPlan) -> StepPlan:
        return msgspec.structs.replace(plan, resources=larger(plan.resources, wish(self)))


def wish(decorator: Decorator) -> Resources:
    """What was written: an argument left at its default is not said.

    Memory and disk are rounded up to whole MB. Raises FlowError for what is no amount.
    """
    auto = tuple(name for name in _AUTO if decorator.given.get(name) == "auto")

    def megabytes(argument: str) -> int | None:
        if argument not in decorator.given or argument in auto:
            return None
        if argument in _AUTO:
            _refuse_other_words(decorator, argument)
        value = optional_number(decorator, argument, above=True)
        return None if value is None else math.ceil(value)

    cpu = None
    if "cpu" in decorator.given and "cpu" not in auto:
        _refuse_other_words(decorator, "cpu")
        cpu = optional_number(decorator, "cpu", above=True)
    return Resources(
        cpu=cpu,
        memory_mb=megabytes("memory"),
        gpu=optional_whole_number(decorator, "gpu"),
        disk_mb=megabytes("disk"),
        shared_memory_mb=megabytes("shared_memory"),
        auto=auto,
        named=tuple(
            (name, number(decorator, name, above=True))
            for name in decorator.given
            if name not in decorator.defaults
        ),
    )


def larger(one: Resources, other: Resources) -> Resources:
    """Field by field the larger of two wishes; None counts as nothing said. A number holds
    where the other wish is "auto"."""
    named = dict(one.named)
    for name, amount in other.named:
        named[name] = max(amount, named.get(name, amount))
    fields: dict[str, Any] = {"auto": (), "named": tuple(named.items())}
    for field in Resources.__struct_fields__:
        if field in fields:
            continue
        said = [v for v in (getattr(one, field), getattr(other, field)) if v is not None]
        fields[field] = max(said, default=None)
    auto = (name for name in _AUTO if name in one.auto or name in other.auto)
    fields["auto"] = tuple(name for name in auto if fields[_AUTO[name]] is None)
    return Resources(**fields)


def _refuse_other_words(decorator: Decorator, argument: str) -> None:
    given = decorator.given[argument]
    if isinstance(given, str) and given.strip()[:1].isalpha():
        raise decorator.problem(
            f"@{decorator.name}: {argument} is {given!r}.",
            remedy='Give a number above 0, or "auto": what earlier runs of the step needed.',
        )


resources = StepDecoratorFactory(ResourcesDecorator)
