"""What a flow declares for one run: a view that mutators and ``--with`` change, not the class."""

from __future__ import annotations

from collections.abc import Mapping

from swell.authoring.config import Config
from swell.authoring.declared import configs_of, parameters_of
from swell.authoring.decorator import (
    FlowDecorator,
    StepDecorator,
    decorators_of,
    flow_decorators_of,
    planned,
)
from swell.authoring.flow import Flow
from swell.authoring.mutator import MutatorUse
from swell.authoring.parameter import Parameter, refuse_duplicate_names
from swell.authoring.step import steps_of
from swell.model.graph import Graph
from swell.model.job import StepPlan


class RunDeclaration:
    """Parameters, configs, and the decorators of every step, topmost first.

    Made by ``declare_for_run``; changed by mutators and ``--with`` until ``resolve`` makes the one
    that a run uses, whose decorators and parameters have config values in place. Nothing
    here is shared between runs.
    """

    def __init__(
        self,
        flow: type[Flow],
        parameters: dict[str, Parameter],
        configs: dict[str, Config],
        steps: dict[str, list[StepDecorator]],
        flow_decorators: list[FlowDecorator],
    ) -> None:
        self.flow = flow
        self.parameters = parameters
        self.configs = configs
        self.steps = steps
        self.flow_decorators = flow_decorators
        self.step_mutators: dict[str, list[MutatorUse]] = {}
        self.flow_mutators: list[MutatorUse] = []

    def decorators_of(self, step: str) -> tuple[StepDecorator, ...]:
        """The decorators of ``step`` in this run, topmost first."""
        return tuple(self.steps[step])

    def planned(self, step: str) -> StepPlan:
        """What they decide for ``step``; for a resolved view."""
        return planned(step, self.steps[step], self.flow_decorators)

    def resolve(self, configs: Mapping[str, object]) -> RunDeclaration:
        """A view with config values (by config name) in place and all arguments checked.

        Raises FlowError naming the decorator or parameter.
        """
        return RunDeclaration(
            self.flow,
            {name: parameter.resolve(configs) for name, parameter in self.parameters.items()},
            self.configs,
            {
                step: [decorator.resolve(configs) for decorator in decorators]
                for step, decorators in self.steps.items()
            },
            [decorator.resolve(configs) for decorator in self.flow_decorators],
        )

    def check(self, graph: Graph) -> None:
        """Let every decorator check that it can stand where it stands; raises FlowError."""
        for flow_decorator in self.flow_decorators:
            flow_decorator.check(graph)
        for step, decorators in self.steps.items():
            for decorator in decorators:
                decorator.check(graph, step)


def declare_for_run(flow: type[Flow]) -> RunDeclaration:
    """What the class says. Raises FlowError for parameters or decorators met twice."""
    parameters = parameters_of(flow)
    refuse_duplicate_names(parameters)
    steps = steps_of(flow)
    declared = RunDeclaration(
        flow,
        parameters,
        configs_of(flow),
        {step: list(decorators_of(flow, step)) for step in steps},
        list(flow_decorators_of(flow)),
    )
    for step, function in steps.items():
        declared.step_mutators[step] = list(getattr(function, "step_mutators", ()))
    for one_class in reversed(flow.__mro__):
        declared.flow_mutators += one_class.__dict__.get("_flow_mutators", ())
    return declared
