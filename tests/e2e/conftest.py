"""A store with runs of every kind, made once, and a client that looks at it; a stage for
attempts in containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bootstrap_stage import Stage
from tests.e2e.story_store import looked_at, make_story_store
from tests.servers.seaweedfs import SeaweedFs


@pytest.fixture(scope="session")
def story_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of ``make_story_store``; tests leave its runs as they found them."""
    return make_story_store(tmp_path_factory.mktemp("story"))


@pytest.fixture
def looking(story_folder: Path) -> Iterator[Path]:
    """The client of this process looks at that store, in its user's namespace."""
    with looked_at(story_folder):
        yield story_folder


@pytest.fixture
def stage(s3_server: SeaweedFs, tmp_path: Path) -> Iterator[Stage]:
    """A submission in a store, whose attempts end with the test."""
    made = Stage(s3_server, tmp_path)
    yield made
    made.close()
