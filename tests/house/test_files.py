"""Files are short, say what they are for, and name nothing that is not the product's."""

from __future__ import annotations

import ast
import io
import re
import tokenize
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


def test_no_python_file_is_longer_than_500_lines(
    python_files: list[Path], texts: dict[Path, str], root: Path
) -> None:
    lengths = {str(f.relative_to(root)): len(texts[f].splitlines()) for f in python_files}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}


def test_every_module_begins_with_a_sentence_on_what_it_is_for(
    python_files: list[Path], texts: dict[Path, str], root: Path
) -> None:
    modules = [path for path in python_files if "tests" not in path.relative_to(root).parts]
    assert modules
    silent = [str(path.relative_to(root)) for path in modules if not says_why(texts[path])]
    assert silent == []


def says_why(module: str) -> bool:
    """Whether its first statement is a text, or it is empty; the rest is not even read."""
    for token in tokenize.generate_tokens(io.StringIO(module).readline):
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING):
            is_text = token.type == tokenize.STRING and token.string.lstrip("rR")[0] in "\"'"
            return token.type == tokenize.ENDMARKER or (
                is_text and bool(ast.literal_eval(token.string))
            )
    return True


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ('# comment\n\n"""Why."""\nx = 1\n', True),
        ("", True),
        ('import os\n"""Why."""\n', False),
        ('""""""\n', False),
        ('f"{1}"\n', False),
        ("x = 1\n", False),
    ],
)
def test_a_module_that_begins_otherwise_is_found(module: str, says: bool) -> None:
    assert says_why(module) is says


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str, texts: dict[Path, str], root: Path) -> None:
    forbidden = re.compile(FORBIDDEN[what])
    found = []
    for path, text in texts.items():
        for match in forbidden.finditer(text):
            number = text.count("\n", 0, match.start()) + 1
            line = text.splitlines()[number - 1].strip()
            found.append(f"{path.relative_to(root)}:{number}: {line[:100]}")
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
