"""``@conda_base``: refused, because steps would run without the packages it names."""

from __future__ import annotations

from typing import ClassVar

from swell.authoring.decorator import FlowDecorator, FlowDecoratorFactory
from swell.decorators.arguments import flag
from swell.decorators.refusal import refused
from swell.model.graph import Graph


class CondaBaseDecorator(FlowDecorator):
    """Not supported, unless ``disabled``: use ``@pypi_base``."""

    name = "conda_base"
    defaults: ClassVar = {"packages": {}, "libraries": {}, "python": None, "disabled": None}

    def check(self, graph: Graph) -> None:
        if not flag(self, "disabled"):
            raise refused(self, f"flow {graph.flow}", "@pypi_base(packages={…})")


conda_base = FlowDecoratorFactory(CondaBaseDecorator)
