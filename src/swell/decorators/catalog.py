"""All decorators by name, for ``--with`` and mutators; loads every one of them."""

from __future__ import annotations

from swell.authoring.decorator import FlowDecorator, StepDecorator
from swell.authoring.with_spec import DecoratorNames
from swell.decorators.batch import BatchDecorator
from swell.decorators.catch import CatchDecorator
from swell.decorators.conda import CondaDecorator
from swell.decorators.conda_base import CondaBaseDecorator
from swell.decorators.environment import EnvironmentDecorator
from swell.decorators.kubernetes import KubernetesDecorator
from swell.decorators.pack import PackDecorator
from swell.decorators.parallel import ParallelDecorator
from swell.decorators.project import ProjectDecorator
from swell.decorators.pypi import PypiDecorator
from swell.decorators.pypi_base import PypiBaseDecorator
from swell.decorators.pytorch_parallel import PytorchParallelDecorator
from swell.decorators.resources import ResourcesDecorator
from swell.decorators.retry import RetryDecorator
from swell.decorators.schedule import ScheduleDecorator
from swell.decorators.secrets import SecretsDecorator
from swell.decorators.timeout import TimeoutDecorator
from swell.decorators.trigger import TriggerDecorator
from swell.decorators.trigger_on_finish import TriggerOnFinishDecorator

ALL_STEP_DECORATORS: tuple[type[StepDecorator], ...] = (
    ResourcesDecorator,
    RetryDecorator,
    CatchDecorator,
    TimeoutDecorator,
    EnvironmentDecorator,
    SecretsDecorator,
    PackDecorator,
    ParallelDecorator,
    PypiDecorator,
    BatchDecorator,
    CondaDecorator,
    KubernetesDecorator,
    PytorchParallelDecorator,
)

ALL_FLOW_DECORATORS: tuple[type[FlowDecorator], ...] = (
    ProjectDecorator,
    PypiBaseDecorator,
    ScheduleDecorator,
    TriggerDecorator,
    TriggerOnFinishDecorator,
    CondaBaseDecorator,
)


def decorator_names() -> DecoratorNames:
    """Name → class of all of them."""
    return DecoratorNames(
        {kind.name: kind for kind in ALL_STEP_DECORATORS},
        {kind.name: kind for kind in ALL_FLOW_DECORATORS},
    )
