"""``@pypi``: packages that a step wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from swell.authoring.decorator import Decorator, StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import flag, optional_text
from swell.model.job import StepPlan

_HERE = "is not applied on this machine: steps use the packages of the running interpreter"


class PypiDecorator(StepDecorator):
    """Want ``packages`` (name → version) and a ``python`` version for one step.

    Steps on this machine run in the interpreter that started the flow; a warning says so.
    """

    name = "pypi"
    defaults: ClassVar = {"packages": {}, "python": None, "disabled": None}

    def check_arguments(self) -> None:
        check_packages(self)

    def plan(self, plan: StepPlan) -> StepPlan:
        return packages_planned(self, plan)


def check_packages(decorator: Decorator) -> None:
    """Raise FlowError unless packages map names to versions."""
    flag(decorator, "disabled")
    optional_text(decorator, "python")
    packages = decorator.attributes["packages"]
    if not isinstance(packages, Mapping):
        raise decorator.problem(
            f"@{decorator.name}: packages is a {type(packages).__name__}, not a dict.",
            remedy="Write packages={'pandas': '2.2.3'}.",
        )
    for name, version in packages.items():
        if not isinstance(name, str) or not name or not isinstance(version, str):
            raise decorator.problem(
                f"@{decorator.name}: {name!r}: {version!r} is no package and version.",
                remedy="Write both as text; '' means any version.",
            )


def packages_planned(decorator: Decorator, plan: StepPlan) -> StepPlan:
    """The plan with a warning that packages are not installed here; a step's own decorator
    replaces what one on the flow said."""
    warnings = tuple(warning for warning in plan.warnings if not warning.endswith(_HERE))
    attributes = decorator.attributes
    wants_something = attributes["packages"] or attributes["python"]
    if wants_something and not flag(decorator, "disabled"):
        warnings = (*warnings, f"@{decorator.name} {_HERE}")
    return msgspec.structs.replace(plan, warnings=warnings)


pypi = StepDecoratorFactory(PypiDecorator)
