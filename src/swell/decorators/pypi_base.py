"""``@pypi_base``: packages that all steps of a flow want."""

from __future__ import annotations

from typing import ClassVar

from swell.authoring.decorator import FlowDecorator, FlowDecoratorFactory
from swell.decorators.pypi import check_packages, packages_planned
from swell.model.job import StepPlan


class PypiBaseDecorator(FlowDecorator):
    """As ``@pypi``, for every step of the flow that has none of its own."""

    name = "pypi_base"
    defaults: ClassVar = {"packages": {}, "python": None, "disabled": None}

    def check_arguments(self) -> None:
        check_packages(self)

    def plan(self, plan: StepPlan) -> StepPlan:
        return packages_planned(self, plan)


pypi_base = FlowDecoratorFactory(PypiBaseDecorator)
