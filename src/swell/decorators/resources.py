"""``@resources``: what a step asks of whatever machine it runs on."""

from __future__ import annotations

import math
from typing import ClassVar

import msgspec

from swell.authoring.decorator import Decorator, StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import optional_number, optional_whole_number
from swell.model.job import StepPlan
from swell.model.resources import Resources


class ResourcesDecorator(StepDecorator):
    """The step's wish: ``cpu`` cores, ``memory``, ``disk`` and ``shared_memory`` in MB, ``gpu``."""

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

    def plan(self, plan: StepPlan) -> StepPlan:
        return msgspec.structs.replace(plan, resources=larger(plan.resources, wish(self)))


def wish(decorator: Decorator) -> Resources:
    """What was written: an argument left at its default is not said.

    Memory and disk are rounded up to whole MB. Raises FlowError for what is no amount.
    """

    def megabytes(argument: str) -> int | None:
        if argument not in decorator.given:
            return None
        value = optional_number(decorator, argument, above=True)
        return None if value is None else math.ceil(value)

    cpu = optional_number(decorator, "cpu", above=True) if "cpu" in decorator.given else None
    return Resources(
        cpu=cpu,
        memory_mb=megabytes("memory"),
        gpu=optional_whole_number(decorator, "gpu"),
        disk_mb=megabytes("disk"),
        shared_memory_mb=megabytes("shared_memory"),
    )


def larger(one: Resources, other: Resources) -> Resources:
    """Field by field the larger of two wishes; None counts as nothing said."""
    fields = {}
    for field in Resources.__struct_fields__:
        said = [v for v in (getattr(one, field), getattr(other, field)) if v is not None]
        fields[field] = max(said, default=None)
    return Resources(**fields)


def too_large_for(asked: Resources, machine: Resources) -> str | None:
    """In words what ``asked`` exceeds of ``machine``; None if it fits or is not known."""
    units = {"cpu": "cpu", "memory_mb": "MB of memory", "gpu": "gpu", "disk_mb": "MB of disk"}
    over = [
        f"{wanted:,g} {unit} (there is {there:,g})"
        for field, unit in units.items()
        if (wanted := getattr(asked, field)) is not None
        and (there := getattr(machine, field)) is not None
        and wanted > there
    ]
    return ", ".join(over) or None


resources = StepDecoratorFactory(ResourcesDecorator)
