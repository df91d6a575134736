"""``@pytorch_parallel``: refused, because its tasks would not find each other."""

from __future__ import annotations

from typing import ClassVar

from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.refusal import refused
from swell.model.graph import Graph


class PytorchParallelDecorator(StepDecorator):
    """Not supported: use ``@parallel`` and give torch the addresses of ``current.parallel``."""

    name = "pytorch_parallel"
    defaults: ClassVar = {"master_port": None}

    def check(self, graph: Graph, step: str) -> None:
        raise refused(self, f"step '{step}'", "@parallel with current.parallel")


pytorch_parallel = StepDecoratorFactory(PytorchParallelDecorator)
