"""Patterns of ignore files mean what they mean to git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swell.package.ignore import IgnoreRules

PATHS = [
    "a",
    "ab",
    "b.py",
    "a-b",
    "d/a",
    "d/ab",
    "d/e/a",
    "d/e/b.py",
    "e/d/a",
    "x y",
    "[a]",
    "d/#a",
]
CASES = [
    ("*.py", ["b.py", "d/e/b.py"]),
    ("/a", ["a"]),
    ("d/", ["d/a", "d/ab", "d/e/a", "d/e/b.py", "d/#a", "e/d/a"]),
    ("d/a", ["d/a"]),
    ("**/d", ["d/a", "d/ab", "d/e/a", "d/e/b.py", "d/#a", "e/d/a"]),
    ("d/**", ["d/a", "d/ab", "d/e/a", "d/e/b.py", "d/#a"]),
    ("d/**/a", ["d/a", "d/e/a"]),
    ("a\n!d/a", ["a", "d/e/a", "e/d/a"]),
    ("d\n!d/a", ["d/a", "d/ab", "d/e/a", "d/e/b.py", "d/#a", "e/d/a"]),
    ("# a comment", []),
    (r"\#a", ["d/#a"]),
    ("x y", ["x y"]),
    ("a   ", ["a", "d/a", "d/e/a", "e/d/a"]),
    ("[[:alpha:]]", ["a", "d/a", "d/e/a", "e/d/a", *["d/ab", "d/e/b.py", "d/#a"]]),
    ("a[!c]", ["ab", "d/ab"]),
    (r"\[a\]", ["[a]"]),
    ("/**/\n!d", ["d/e/a", "d/e/b.py", "e/d/a"]),
    ("/[^a-/[]", ["d/a", "d/ab", "d/e/a", "d/e/b.py", "e/d/a", "d/#a"]),
    ("[a-b]", ["a", "d/a", "d/e/a", "e/d/a"]),
    ("[", []),
    ("", []),
]


@pytest.mark.parametrize(("text", "left_out"), CASES)
def test_a_pattern_leaves_out_what_the_manual_of_git_says(text: str, left_out: list[str]) -> None:
    rules = IgnoreRules(text.split("\n"))
    assert {path for path in PATHS if rules.leaves_out(path)} == set(left_out)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", folder], check=True)
    for path in PATHS:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")
    return folder


PATTERN = st.text(alphabet="abde*?/[]!-.^\\ #x:", min_size=1, max_size=7)


@settings(max_examples=150)
@given(patterns=st.lists(PATTERN, min_size=1, max_size=3))
def test_whatever_the_patterns_git_leaves_out_the_same(
    repository: Path, patterns: list[str]
) -> None:
    (repository / ".git/info/exclude").write_text("\n".join(patterns) + "\n")
    listed = subprocess.run(
        ["git", "-C", repository, "ls-files", "-z", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    rules = IgnoreRules(patterns)
    assert {path for path in PATHS if not rules.leaves_out(path)} == set(
        listed.stdout.split("\0")
    ) - {""}
