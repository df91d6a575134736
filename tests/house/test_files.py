"""Files are short, say what they are for, and name nothing that is not the product's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

LONGEST = 500
# Spelled in parts, so that this file itself holds none of them.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w}*])/(wo" r"rk|ro" r"ot|ho" r"me)/",
    "work left undone": r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b",
    "a writing tool": r"(?i)\b(cla" r"ude|anthro" r"pic|chat" r"gpt|copi" r"lot)\b",
    "a registry's address": r"pypi\.o" r"rg/simple|index-u" r"rl",
}
VAGUE = {"utils", "util", "manager", "helper", "base", "common", "misc"}


def test_no_python_file_is_longer_than_500_lines(python_files: list[Path], root: Path) -> None:
    lengths = {str(f.relative_to(root)): len(f.read_text().splitlines()) for f in python_files}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}


def test_every_module_begins_with_a_sentence_on_what_it_is_for(
    python_files: list[Path], root: Path
) -> None:
    silent = [
        str(path.relative_to(root))
        for path in python_files
        if "tests" not in path.parts
        and path.read_text().strip()
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str, files: list[Path], root: Path) -> None:
    found = []
    for path in files:
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(root)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(lines, 1)
            if re.search(FORBIDDEN[what], line)
        ]
    assert found == []


def test_no_module_has_a_name_that_says_nothing(root: Path) -> None:
    names = {path.stem for path in (root / "src").rglob("*.py")}
    names |= {path.name for path in (root / "src").rglob("*") if path.is_dir()}
    assert names & VAGUE == set()


def test_no_function_of_the_package_is_a_stub(root: Path) -> None:
    stubs = [
        f"{path.relative_to(root)}:{number}"
        for path in (root / "src").rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "NotImplementedError" in line
    ]
    assert stubs == []


def test_the_licence_is_there_and_is_the_one_declared(root: Path) -> None:
    text = (root / "LICENSE").read_text()
    project = (root / "pyproject.toml").read_text()
    assert "Apache License" in text
    assert "Version 2.0" in text
    assert 'license = "Apache-2.0"' in project
    assert (root / "src/swell/py.typed").exists()


def test_every_dependency_has_its_reason_written_down(root: Path) -> None:
    project = (root / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    assert block is not None
    names = re.findall(r'"([A-Za-z0-9_-]+)', block.group(1))
    reasons = (root / "docs/decisions/0001-dependencies.md").read_text()
    assert [name for name in names if f"**{name}**" not in reasons] == []
