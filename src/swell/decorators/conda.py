"""``@conda``: refused, because a step would run without the packages it names."""

from __future__ import annotations

from typing import ClassVar

from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.arguments import flag
from swell.decorators.refusal import refused
from swell.model.graph import Graph


class CondaDecorator(StepDecorator):
    """Not supported, unless ``disabled``: use ``@pypi``."""

    name = "conda"
    defaults: ClassVar = {"packages": {}, "libraries": {}, "python": None, "disabled": None}

    def check(self, graph: Graph, step: str) -> None:
        if not flag(self, "disabled"):
            raise refused(self, f"step '{step}'", "@pypi(packages={…})")


conda = StepDecoratorFactory(CondaDecorator)
