"""What the house rules look at: the repository's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("src", "tests", "scripts", "examples", "bench", "docs", ".ci")
LEFT_OUT = {"__pycache__", ".peers", ".swell"}


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file of the repository that people write."""
    # In a second working tree `.git` is a file, and names where the first one is.
    found = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for part in PARTS:
        found += [
            path
            for path in (ROOT / part).rglob("*")
            if path.is_file() and not LEFT_OUT & set(path.parts)
        ]
    return sorted(found)


@pytest.fixture(scope="session")
def texts(files: list[Path]) -> dict[Path, str]:
    """What each of them says, read once; files that hold no text are left out."""
    found = {}
    for path in files:
        try:
            found[path] = path.read_text()
        except UnicodeDecodeError:
            continue
    return found


@pytest.fixture(scope="session")
def python_files(files: list[Path]) -> list[Path]:
    return [path for path in files if path.suffix == ".py"]
