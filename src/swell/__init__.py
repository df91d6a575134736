"""Flows as one plain Python script: write it, run it, look at it, resume it.

Public names are loaded when they are first asked for; ``import swell`` loads nothing else.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; typing itself would cost 10 ms

if TYPE_CHECKING:
    from swell import cards as cards
    from swell.authoring.config import Config as Config
    from swell.authoring.config import ConfigValue as ConfigValue
    from swell.authoring.config_expr import config_expr as config_expr
    from swell.authoring.include_file import IncludeFile as IncludeFile
    from swell.authoring.mutator import FlowMutator as FlowMutator
    from swell.authoring.mutator import StepMutator as StepMutator
    from swell.authoring.parameter import JSONType as JSONType
    from swell.authoring.parameter import JSONTypeClass as JSONTypeClass
    from swell.authoring.parameter import Parameter as Parameter
    from swell.authoring.step import step as step
    from swell.authoring.user_decorator import USER_SKIP_STEP as USER_SKIP_STEP
    from swell.authoring.user_decorator import UserStepDecorator as UserStepDecorator
    from swell.authoring.user_decorator import user_step_decorator as user_step_decorator
    from swell.builder import flow as flow
    from swell.cards.decorator import card as card
    from swell.datastore.files import File as File
    from swell.datastore.files import Folder as Folder
    from swell.decorators.batch import batch as batch
    from swell.decorators.catch import catch as catch
    from swell.decorators.conda import conda as conda
    from swell.decorators.conda_base import conda_base as conda_base
    from swell.decorators.environment import environment as environment
    from swell.decorators.kubernetes import kubernetes as kubernetes
    from swell.decorators.pack import pack as pack
    from swell.decorators.parallel import parallel as parallel
    from swell.decorators.project import project as project
    from swell.decorators.pypi import pypi as pypi
    from swell.decorators.pypi_base import pypi_base as pypi_base
    from swell.decorators.pytorch_parallel import pytorch_parallel as pytorch_parallel
    from swell.decorators.resources import resources as resources
    from swell.decorators.retry import retry as retry
    from swell.decorators.schedule import schedule as schedule
    from swell.decorators.secrets import secrets as secrets
    from swell.decorators.timeout import timeout as timeout
    from swell.decorators.trigger import trigger as trigger
    from swell.decorators.trigger_on_finish import trigger_on_finish as trigger_on_finish
    from swell.errors import NonRetryable as NonRetryable
    from swell.helpers.parallel import parallel_imap_unordered as parallel_imap_unordered
    from swell.helpers.parallel import parallel_map as parallel_map
    from swell.helpers.parsers import pyproject_toml_parser as pyproject_toml_parser
    from swell.helpers.parsers import requirements_txt_parser as requirements_txt_parser
    from swell.helpers.parsers import yaml_parser as yaml_parser
    from swell.helpers.profile import profile as profile
    from swell.programs.notebook import NBRunner as NBRunner
    from swell.programs.runner import Runner as Runner
    from swell.s3.client import S3 as S3
    from swell.script import FlowSpec as FlowSpec
    from swell.session.notebook import DataArtifact as DataArtifact
    from swell.session.notebook import Flow as Flow
    from swell.session.notebook import Metaflow as Metaflow
    from swell.session.notebook import Run as Run
    from swell.session.notebook import Step as Step
    from swell.session.notebook import Swell as Swell
    from swell.session.notebook import Task as Task
    from swell.session.notebook import default_metadata as default_metadata
    from swell.session.notebook import default_namespace as default_namespace
    from swell.session.notebook import get_metadata as get_metadata
    from swell.session.notebook import get_namespace as get_namespace
    from swell.session.notebook import metadata as metadata
    from swell.session.notebook import namespace as namespace
    from swell.task.current import current as current

    __version__: str

_PLACES = {
    "authoring.config": "Config ConfigValue",
    "authoring.config_expr": "config_expr",
    "authoring.include_file": "IncludeFile",
    "authoring.mutator": "FlowMutator StepMutator",
    "authoring.parameter": "JSONType JSONTypeClass Parameter",
    "authoring.step": "step",
    "authoring.user_decorator": "USER_SKIP_STEP UserStepDecorator user_step_decorator",
    "builder": "flow",
    "cards.decorator": "card",
    "datastore.files": "File Folder",
    "decorators.batch": "batch",
    "decorators.catch": "catch",
    "decorators.conda": "conda",
    "decorators.conda_base": "conda_base",
    "decorators.environment": "environment",
    "decorators.kubernetes": "kubernetes",
    "decorators.pack": "pack",
    "decorators.parallel": "parallel",
    "decorators.project": "project",
    "decorators.pypi": "pypi",
    "decorators.pypi_base": "pypi_base",
    "decorators.pytorch_parallel": "pytorch_parallel",
    "decorators.resources": "resources",
    "decorators.retry": "retry",
    "decorators.schedule": "schedule",
    "decorators.secrets": "secrets",
    "decorators.timeout": "timeout",
    "decorators.trigger": "trigger",
    "decorators.trigger_on_finish": "trigger_on_finish",
    "errors": "NonRetryable",
    "helpers.parallel": "parallel_imap_unordered parallel_map",
    "helpers.parsers": "pyproject_toml_parser requirements_txt_parser yaml_parser",
    "helpers.profile": "profile",
    "programs.notebook": "NBRunner",
    "programs.runner": "Runner",
    "s3.client": "S3",
    "script": "FlowSpec",
    "session.notebook": "DataArtifact Flow Metaflow Run Step Swell Task "
    "default_metadata default_namespace get_metadata get_namespace metadata namespace",
    "session.stored_cards": "get_cards",
    "task.current": "current",
}
"""Module → the public names it holds."""

_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names.split()}

__all__ = [
    "S3",
    "USER_SKIP_STEP",
    "Config",
    "ConfigValue",
    "DataArtifact",
    "File",
    "Flow",
    "FlowMutator",
    "FlowSpec",
    "Folder",
    "IncludeFile",
    "JSONType",
    "JSONTypeClass",
    "Metaflow",
    "NBRunner",
    "NonRetryable",
    "Parameter",
    "Run",
    "Runner",
    "Step",
    "StepMutator",
    "Swell",
    "Task",
    "UserStepDecorator",
    "__version__",
    "batch",
    "card",
    "cards",
    "catch",
    "conda",
    "conda_base",
    "config_expr",
    "current",
    "default_metadata",
    "default_namespace",
    "environment",
    "flow",
    "get_metadata",
    "get_namespace",
    "kubernetes",
    "metadata",
    "namespace",
    "pack",
    "parallel",
    "parallel_imap_unordered",
    "parallel_map",
    "profile",
    "project",
    "pypi",
    "pypi_base",
    "pyproject_toml_parser",
    "pytorch_parallel",
    "requirements_txt_parser",
    "resources",
    "retry",
    "schedule",
    "secrets",
    "step",
    "timeout",
    "trigger",
    "trigger_on_finish",
    "user_step_decorator",
    "yaml_parser",
]


if not TYPE_CHECKING:  # so that a checker reports a name that does not exist

    def __getattr__(name):
        import importlib

        if name == "cards":
            return importlib.import_module("swell.cards")
        if name == "__version__":
            return importlib.import_module("swell.version").VERSION
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module 'swell' has no attribute '{name}'")
        value = getattr(importlib.import_module(f"swell.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
