"""What `from swell import …` gives: the promised names, of the right kind, each explained."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import swell

CLASSES = set(
    "FlowSpec Parameter JSONTypeClass IncludeFile Config ConfigValue"
    " UserStepDecorator StepMutator FlowMutator"
    " Metaflow Swell Flow Run Step Task DataArtifact Runner NBRunner File Folder S3"
    " NonRetryable".split()
)
MODULES = {"cards"}
OBJECTS = {"current", "JSONType", "USER_SKIP_STEP", "__version__"}
CALLABLES = set(
    "step resources batch retry catch timeout environment card secrets parallel project"
    " pack pypi pypi_base schedule trigger trigger_on_finish conda conda_base kubernetes"
    " pytorch_parallel config_expr user_step_decorator flow"
    " namespace get_namespace default_namespace metadata get_metadata default_metadata"
    " parallel_map parallel_imap_unordered profile yaml_parser requirements_txt_parser"
    " pyproject_toml_parser".split()
)
NOT_BUILT = set(
    "exit_hook inspect_spin Deployer DeployedFlow NBDeployer namespaced_event_name"
    " conda_environment_yml_parser".split()
)


@pytest.fixture(scope="module", autouse=True)
def every_module() -> list[ModuleType]:
    """Import all of swell first: a module must never take the place of a public name."""
    names = [info.name for info in pkgutil.walk_packages(swell.__path__, "swell.")]
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


def test_every_public_name_is_known_to_this_list() -> None:
    assert set(swell.__all__) - (CLASSES | MODULES | OBJECTS | CALLABLES) == set()


def test_names_that_are_not_built_yet_are_not_exported() -> None:
    assert set(swell.__all__) & NOT_BUILT == set()


@pytest.mark.parametrize("name", sorted(swell.__all__))
def test_a_public_name_is_of_its_kind_after_every_module_was_imported(name: str) -> None:
    value = getattr(swell, name)
    assert isinstance(value, ModuleType) == (name in MODULES)
    assert inspect.isclass(value) or name not in CLASSES
    assert callable(value) or name not in CALLABLES


@pytest.mark.parametrize("name", sorted(set(swell.__all__) - {"__version__"}))
def test_a_public_name_says_what_it_is(name: str) -> None:
    value = getattr(swell, name)
    text = inspect.getdoc(value) or ""
    assert len(text.split()) >= 3, f"swell.{name} has no docstring"
    if not inspect.isclass(value):
        assert text != inspect.getdoc(type(value)) or type(value).__module__.startswith("swell")


def test_dir_lists_the_public_names() -> None:
    assert set(swell.__all__) <= set(dir(swell))
