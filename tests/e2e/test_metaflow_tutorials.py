"""The tutorials inside Metaflow's PyPI package, only their import lines changed, run here and
leave the artifacts that Metaflow leaves."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.terminal import artifacts, python, run
from tests.e2e.tutorials import (
    FOLDER,
    LEFT_OUT,
    NOTEBOOKS,
    RECORDED,
    REFUSED,
    TUTORIALS,
    VARIABLES,
    Tutorial,
    comparable,
)

IMPORT = re.compile(r"^(\s*from )metaflow( import )", re.MULTILINE)


def changed(path: Path) -> Path:
    """``path`` with its import lines changed, in place."""
    path.write_text(IMPORT.sub(r"\1swell\2", path.read_text()))
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tutorials, and a store in which those that can run have been run."""
    assert FOLDER.is_dir(), f"{FOLDER} is made by: make setup"
    folder = tmp_path_factory.mktemp("tutorials")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def ran(store: Path) -> Callable[[Tutorial], None]:
    """Runs a tutorial, and before it those it builds on; each once."""
    done: list[Tutorial] = []

    def run_up_to(tutorial: Tutorial) -> None:
        for one in TUTORIALS[: TUTORIALS.index(tutorial) + 1]:
            if one not in done:
                run(changed(store / one.script), "run", store=store, **VARIABLES)
                done.append(one)

    return run_up_to


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda tutorial: tutorial.script)
def test_a_tutorial_leaves_the_artifacts_that_metaflow_leaves(
    tutorial: Tutorial, ran: Callable[[Tutorial], None], store: Path
) -> None:
    recorded = json.loads(RECORDED.read_text())[tutorial.script]
    ran(tutorial)
    latest = "2" if tutorial.script.startswith("03") else "1"  # 01 and 03 are runs of one flow
    for step in tutorial.steps:
        tasks = artifacts(f"{tutorial.flow}/{latest}/{step}", store=store)
        found = [comparable(task) for task in tasks]
        assert found == recorded[step], step


@pytest.mark.parametrize("script", REFUSED)
def test_a_tutorial_that_needs_another_machine_is_refused_with_a_remedy(
    script: str, store: Path
) -> None:
    done = python(changed(store / script), "run", store=store)
    assert done.code == 1
    assert f"@{REFUSED[script]}" in done.stderr
    assert {"conda": "@pypi", "kubernetes": "--with batch"}[REFUSED[script]] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_cells_of_a_notebook_read_the_runs(
    notebook: str, ran: Callable[[Tutorial], None], store: Path
) -> None:
    ran(TUTORIALS[-1])
    cells = json.loads((store / notebook).read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    script = store / "cells.py"
    script.write_text(code)
    done = run(changed(script), store=store, MPLBACKEND="Agg")
    assert "Using run: " in done.stdout


def test_every_tutorial_of_the_package_is_run_refused_or_left_out_for_a_reason() -> None:
    known = {tutorial.script for tutorial in TUTORIALS} | set(REFUSED) | set(NOTEBOOKS)
    there = {
        str(path.relative_to(FOLDER))
        for path in FOLDER.rglob("*")
        if path.suffix in (".py", ".ipynb")
    }
    assert there == known | set(LEFT_OUT)
