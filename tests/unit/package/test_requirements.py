"""Where a script says which packages its tasks need."""

from __future__ import annotations

import pytest

from swell.errors import FlowError
from swell.package.requirements import Wanted, requirement, wanted_by, with_packages
from tests.unit.package.conftest import fill

INLINE = (
    '# /// script\n# dependencies = [\n#   "rich>=13",\n#   "swell",\n# ]\n# ///\nimport rich\n'
)


def test_without_any_word_nothing_is_wanted(tmp_path):
    here = fill(tmp_path, {"flow.py": "import pandas"})
    assert wanted_by(str(here / "flow.py")).is_empty


def test_the_script_s_head_comes_before_files_beside_it(tmp_path):
    here = fill(tmp_path, {"flow.py": INLINE, "requirements.txt": "pandas"})
    assert wanted_by(str(here / "flow.py")).lines == ("rich>=13",)


def test_requirements_are_read_with_the_files_they_include(tmp_path):
    text = (
        "pandas>=2 ; python_version > '3'  # frames\n\n# a comment\n-r more/b.txt\n"
        "--extra-index=x\n-c limits.txt\n-e .\n./wheels/x.whl\nswell[aws]==0.1\nlong\\\n==1.0\n"
    )
    here = fill(
        tmp_path,
        {"flow.py": "", "requirements.txt": text, "more/b.txt": "polars", "limits.txt": "a<2"},
    )
    wanted = wanted_by(str(here / "flow.py"))
    assert wanted.lines == (
        "pandas>=2 ; python_version > '3'",
        "polars",
        "--extra-index=x",
        f"-c {here / 'limits.txt'}",
        "long==1.0",
    )
    fill(here, {"limits.txt": "a<3"})
    assert wanted_by(str(here / "flow.py")).inputs != wanted.inputs


def test_a_project_beside_the_script_says_it_and_its_lock_says_it_better(tmp_path):
    project = '[project]\nname = "p"\nversion = "1"\ndependencies = ["pandas>=2", "swell"]\n'
    here = fill(tmp_path, {"flow.py": "", "pyproject.toml": project})
    assert wanted_by(str(here / "flow.py")).lines == ("pandas>=2",)
    fill(here, {"uv.lock": "version = 1"})
    wanted = wanted_by(str(here / "flow.py"))
    assert (wanted.lock, wanted.lines) == (str(here), ())
    assert not wanted.is_empty


def test_the_environment_uv_looks_for_the_project_upwards_and_first(tmp_path):
    project = '[project]\nname = "p"\nversion = "1"\ndependencies = ["polars"]\n'
    here = fill(
        tmp_path,
        {"pyproject.toml": project, "flows/flow.py": "", "flows/requirements.txt": "pandas"},
    )
    assert wanted_by(str(here / "flows/flow.py")).lines == ("pandas",)
    assert wanted_by(str(here / "flows/flow.py"), "uv").lines == ("polars",)


def test_a_pyproject_that_is_only_for_tools_asks_for_nothing(tmp_path):
    here = fill(tmp_path, {"flow.py": "", "pyproject.toml": "[tool.ruff]\nline-length = 99\n"})
    assert wanted_by(str(here / "flow.py")).is_empty


@pytest.mark.parametrize(
    "files",
    [
        {"flow.py": "", "requirements.txt": "-r nowhere.txt"},
        {"flow.py": "", "pyproject.toml": "[project"},
        {"flow.py": "", "pyproject.toml": "[project]\ndependencies = 'pandas'"},
        {"flow.py": "# /// script\n# dependencies = [\n# ///\n"},
    ],
)
def test_what_cannot_be_read_is_an_error_of_the_flow_with_a_remedy(tmp_path, files):
    here = fill(tmp_path, files)
    with pytest.raises(FlowError) as caught:
        wanted_by(str(here / "flow.py"))
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "version", "line"),
    [
        ("pandas", "2.2.3", "pandas==2.2.3"),
        ("pandas", "", "pandas"),
        ("pandas", ">=2,<3", "pandas>=2,<3"),
        ("requests[socks]", "2.32", "requests[socks]==2.32"),
        ("mine@https://host/mine-1-py3-none-any.whl", "", None),
        ("mine", "@ https://host/m.whl", "mine @ https://host/m.whl"),
    ],
)
def test_a_name_and_version_of_the_decorator_become_a_requirement(name, version, line):
    expected = line or "mine @ https://host/mine-1-py3-none-any.whl"
    assert requirement(name, version) == expected


def test_the_decorator_replaces_the_line_of_the_same_name_and_adds_others():
    wanted = Wanted(("Scikit_Learn>=1", "pandas"), "requirements.txt")
    both = with_packages(wanted, [("scikit-learn", "1.5"), ("polars", "")])
    assert both.lines == ("pandas", "scikit-learn==1.5", "polars")
    assert both.source == "requirements.txt and @pypi"
    assert with_packages(wanted, []) is wanted
