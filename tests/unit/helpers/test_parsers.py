"""Parsers of requirement files and YAML."""

import sys

import pytest

from swell.errors import ParserValueError
from swell.helpers.parsers import pyproject_toml_parser, requirements_txt_parser, yaml_parser


def test_a_requirements_file_gives_packages_and_python():
    text = """
    # tools
    numpy==2.0   # pinned
    pandas >= 2.2, <3
    requests[socks, security]~=2.32
    lib @ git+https://example.org/lib.git@v1
    -e file:.
    scipy
    python==3.11
    """
    assert requirements_txt_parser(text) == {
        "packages": {
            "numpy": "2.0",
            "pandas": "<3,>=2.2",
            "requests[security,socks]": "~=2.32",
            "lib@git+https://example.org/lib.git@v1": "",
            "scipy": "",
        },
        "python": "3.11",
    }


def test_an_empty_file_asks_for_nothing():
    assert requirements_txt_parser("\n# nothing\n") == {"packages": {}, "python": None}


@pytest.mark.parametrize("line", ["-r other.txt", "--no-binary numpy", "numpy=1", "a b", "=="])
def test_a_line_that_is_no_requirement_is_refused_and_quoted(line):
    with pytest.raises(ParserValueError) as caught:
        requirements_txt_parser(f"numpy\n{line}\n")
    assert f"'{line}'" in caught.value.message


def test_an_environment_marker_is_refused():
    with pytest.raises(ParserValueError, match="environment marker"):
        requirements_txt_parser("numpy>=1; sys_platform == 'linux'")


def test_the_python_version_may_stand_once():
    with pytest.raises(ParserValueError, match="second time"):
        requirements_txt_parser("python==3.10\npython==3.11")


def test_a_pyproject_file_gives_packages_and_python():
    text = """
    [project]
    requires-python = ">=3.10"
    dependencies = ["numpy==2.0", "pandas[perf]>=2.2"]
    """
    assert pyproject_toml_parser(text) == {
        "packages": {"numpy": "2.0", "pandas[perf]": ">=2.2"},
        "python": ">=3.10",
    }


def test_a_pyproject_file_without_a_project_asks_for_nothing():
    assert pyproject_toml_parser("[tool.x]\na = 1") == {"packages": {}, "python": None}


def test_text_that_is_not_toml_is_told():
    with pytest.raises(ParserValueError, match="not TOML"):
        pyproject_toml_parser("[project")


def test_yaml_gives_its_value():
    pytest.importorskip("yaml")
    assert yaml_parser("a: 1\nb: [x, y]\n") == {"a": 1, "b": ["x", "y"]}


def test_text_that_is_not_yaml_is_told():
    pytest.importorskip("yaml")
    with pytest.raises(ParserValueError, match="not YAML"):
        yaml_parser("a: [1")


def test_a_missing_yaml_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ParserValueError) as caught:
        yaml_parser("a: 1")
    assert "pip install pyyaml" in caught.value.remedy
