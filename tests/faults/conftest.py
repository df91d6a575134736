"""A place of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.driving import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder for scripts with a store beside them."""
    return Place(tmp_path)
