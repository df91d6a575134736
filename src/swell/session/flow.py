"""From a flow class to the flow as one run uses it: configs, mutators, ``--with``, checks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from swell.authoring.check import check_graph
from swell.authoring.config import ConfigValue, spec_of
from swell.authoring.config_expr import evaluate
from swell.authoring.config_values import GivenConfigs, resolve_configs
from swell.authoring.declared import constants_of
from swell.authoring.flow import Flow
from swell.authoring.parameter import Parameter, ParameterContext
from swell.authoring.parse import parse_flow
from swell.authoring.run_declaration import RunDeclaration, declare_for_run
from swell.errors import FlowError, UsageError
from swell.model.graph import Graph
from swell.model.job import StepPlan
from swell.session.sizing import refuse_contradictions
from swell.session.user import user_name
from swell.settings import Settings
from swell.task.runner import FlowInForce

if TYPE_CHECKING:
    from swell.authoring.with_spec import DecoratorNames
    from swell.decorators.project import Project


KeptConfigs = Callable[[Collection[str]], Mapping[str, Any]]
"""Attributes of configs → the values of those that another run kept."""


class FlowAtHand:
    """The flow class of the script that runs, before ``settle``: parameters are known."""

    def __init__(self, flow_class: type[Flow], settings: Settings) -> None:
        self.flow_class = flow_class
        self.settings = settings
        self.configs: dict[str, Any] = {}
        self._declaration: RunDeclaration | None = None
        self._mutation: Any = None

    @property
    def name(self) -> str:
        """The flow's name."""
        return self.flow_class.__name__

    @property
    def script(self) -> str | None:
        """The path of the script that was started; None in a notebook."""
        path = getattr(sys.modules.get("__main__"), "__file__", None)
        return os.path.abspath(path) if path else None

    def read_configs(self, given: GivenConfigs, kept: KeptConfigs | None = None) -> None:
        """Resolve configs and run ``pre_mutate``. Raises UsageError and FlowError.

        Those that ``kept`` knows have their value from there.
        """
        declaration = declare_for_run(self.flow_class)
        configs = declaration.configs
        known = kept(configs) if kept is not None and configs else {}
        self.configs = {spec_of(configs[name]).name: value for name, value in known.items()}
        unknown = {name: config for name, config in configs.items() if name not in known}
        if unknown:
            self.configs |= resolve_configs(unknown, given, self.context())
        self._adopt(declaration)

    def take_configs(self, configs: Mapping[str, Any]) -> None:
        """Use ``configs`` (by config name) as they were in another process or run."""
        self.configs = dict(configs)
        self._adopt(declare_for_run(self.flow_class))

    def _adopt(self, declaration: RunDeclaration) -> None:
        self._declaration = declaration
        if declaration.flow_mutators or any(declaration.step_mutators.values()):
            from swell.authoring.mutation import Mutation

            self._mutation = Mutation(declaration, self.configs, decorator_names())
            self._mutation.pre_mutate()

    @property
    def is_read(self) -> bool:
        """Whether configs have been resolved."""
        return self._declaration is not None

    @property
    def declaration(self) -> RunDeclaration:
        """What the class and its mutators say so far."""
        assert self._declaration is not None, "read_configs comes first"
        return self._declaration

    def parameters(self) -> dict[str, Parameter]:
        """Attribute name → parameter, config values in place."""
        declared = self.declaration.parameters
        return {name: parameter.resolve(self.configs) for name, parameter in declared.items()}

    def context(self) -> ParameterContext:
        """What functions given as defaults are called with."""
        return ParameterContext(
            flow_name=self.name,
            user_name=user_name(self.settings),
            parameter_name="",
            logger=lambda text: print(text, file=sys.stderr),
            ds_type="local",
            configs=self.configs,
        )

    def settle(self, withs: Sequence[str]) -> SettledFlow:
        """Add ``withs`` (first wins), mutate, resolve, parse and check: what a run uses.

        Raises LintWarn and FlowError with the place in the script.
        """
        declaration = self.declaration
        graph = parse_flow(self.flow_class)
        check_graph(graph, self.flow_class)
        if withs:
            from swell.authoring.with_spec import add_with_specs

            add_with_specs(declaration, withs, decorator_names())
        if self._mutation is not None:
            self._mutation.mutate()
        resolved = declaration.resolve(self.configs)
        resolved.check(graph)
        return SettledFlow(self, resolved, graph, tuple(withs))


class SettledFlow:
    """A flow that was checked and may run."""

    def __init__(
        self, at_hand: FlowAtHand, declaration: RunDeclaration, graph: Graph, withs: tuple[str, ...]
    ) -> None:
        self.at_hand = at_hand
        self.declaration = declaration
        self.graph = graph
        self.withs = withs
        self.plans: dict[str, StepPlan] = {step: self._planned(step) for step in graph.nodes}
        refuse_contradictions(self.plans)
        self.constants = {
            name: evaluate(value, at_hand.configs)
            for name, value in constants_of(at_hand.flow_class).items()
        }

    @property
    def name(self) -> str:
        """The flow's name."""
        return self.at_hand.name

    @property
    def shown_withs(self) -> tuple[str, ...]:
        """``withs`` as they may be stored: without the values of secret arguments."""
        from swell.authoring.with_spec import without_secrets

        return tuple(without_secrets(text, decorator_names()) for text in self.withs)

    def settle_plans(self, plans: Mapping[str, StepPlan]) -> None:
        """Use ``plans`` from now on: more is known of where the steps run."""
        self.plans = dict(plans)

    def _planned(self, step: str) -> StepPlan:
        plan = self.declaration.planned(step)
        if plan.pack_s is None:
            return plan
        from swell.decorators.pack import packed

        names = [decorator.name for decorator in self.declaration.decorators_of(step)]
        return packed(plan, self.graph, names)

    def in_force(self) -> FlowInForce:
        """What the task runner needs."""
        return FlowInForce(
            self.at_hand.flow_class,
            self.graph,
            {step: self.declaration.decorators_of(step) for step in self.graph.nodes},
            self.read_only(),
        )

    def read_only(self) -> dict[str, str]:
        """Attribute → 'parameter', 'config' or 'constant'."""
        kinds = dict.fromkeys(self.declaration.parameters, "parameter")
        kinds.update(dict.fromkeys(self.declaration.configs, "config"))
        kinds.update(dict.fromkeys(self.constants, "constant"))
        return kinds

    def config_artifacts(self) -> dict[str, Any]:
        """Attribute → value of every config."""
        return {
            attribute: self.at_hand.configs[spec_of(config).name]
            for attribute, config in self.declaration.configs.items()
        }

    def project(self, branch: str | None, production: bool | None) -> Project | None:
        """The project of a run; None without ``@project``. Raises UsageError."""
        for decorator in self.declaration.flow_decorators:
            if decorator.name == "project":
                from swell.decorators.project import ProjectDecorator, resolve_project

                assert isinstance(decorator, ProjectDecorator)
                user = user_name(self.at_hand.settings)
                return resolve_project(decorator, self.name, user, branch, production)
        if branch is not None or production:
            raise UsageError(
                f"--branch and --production are for flows with @project, and {self.name} has none.",
                remedy="Put @project(name=…) above the flow, or leave the option away.",
            )
        return None

    def encoded_configs(self) -> bytes:
        """The config values for a process that imports the script anew.

        Raises FlowError for a value that is no plain data.
        """
        try:
            return msgspec.json.encode(
                {
                    name: value.to_dict() if isinstance(value, ConfigValue) else value
                    for name, value in self.at_hand.configs.items()
                }
            )
        except TypeError as error:
            raise FlowError(
                f"A config holds what cannot travel to other processes: {error}.",
                remedy="Let its parser give numbers, text, lists and mappings only.",
            ) from error


def decorator_names() -> DecoratorNames:
    """All decorators that text may name."""
    from swell.cards.decorator import CardDecorator
    from swell.decorators import catalog

    names = catalog.decorator_names()
    return names._replace(step={**names.step, CardDecorator.name: CardDecorator})
