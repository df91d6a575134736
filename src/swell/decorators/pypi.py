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

    A step on another machine has them. Steps on this machine run in the interpreter that
    started the flow; a warning says so.
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
    """The plan with the packages, and a warning that they are not installed here.

    A step's own decorator adds to what one on the flow said, and wins where both name a
    package; ``disabled``, it takes back what that one said.
    """
    if flag(decorator, "disabled"):
        return msgspec.structs.replace(plan, packages=(), python=None, warnings_here=())
    attributes = decorator.attributes
    packages = {**dict(plan.packages), **attributes["packages"]}
    python = attributes["python"] or plan.python
    return msgspec.structs.replace(
        plan,
        packages=tuple(sorted(packages.items())),
        python=python,
        warnings_here=(f"@{decorator.name} {_HERE}",) if packages or python else (),
    )


pypi = StepDecoratorFactory(PypiDecorator)
