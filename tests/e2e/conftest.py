"""A store with runs of every kind, made once, and a client that looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.story_store import looked_at, make_story_store


@pytest.fixture(scope="session")
def story_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``make_story_store``; tests leave its runs as they found them."""
    return make_story_store(tmp_path_factory.mktemp("story"))


@pytest.fixture
def looking(story_folder: Path) -> Iterator[Path]:
    """The client of this process looks at that store, in its user's namespace."""
    with looked_at(story_folder):
        yield story_folder
