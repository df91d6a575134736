"""Notebooks: NBRunner and the client in a real IPython shell, cell by cell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SHELL = """
import asyncio, json, sys
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in json.load(sys.stdin):
    # As a notebook's kernel does it: each cell runs in an event loop that is already running.
    ran = asyncio.run(
        shell.run_cell_async(cell, store_history=True, transformed_cell=shell.transform_cell(cell))
    )
    if not ran.success:
        sys.exit(1)
print(json.dumps(shell.user_ns.get("answer")), file=sys.stderr)
"""

FLOW = """
from swell import FlowSpec, NBRunner, Parameter, step
%config InlineBackend.rc = {}
offset = 1

class CellFlow(FlowSpec):
    n = Parameter("n", default=1)

    @step
    def start(self):
        self.y = self.n + offset
        print("in the cell's flow")
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def run_cells(folder: Path, *cells: str) -> tuple[Any, str]:
    """What the variable ``answer`` is after the cells, and what they printed."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SWELL_")}
    done = subprocess.run(
        [sys.executable, "-c", SHELL],
        input=json.dumps(cells),
        cwd=folder,
        env={**environ, "SWELL_USER": "tester", "IPYTHONDIR": str(folder / ".ipython")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stderr.splitlines()[-1]), done.stdout


def test_the_flow_of_the_current_cell_is_run_and_its_run_returned(tmp_path: Path) -> None:
    cell = FLOW + "\nrun = NBRunner(CellFlow).nbrun(n=41)\n"
    answer, said = run_cells(tmp_path, cell, "answer = [run.pathspec, run.data.y]")
    assert answer == ["CellFlow/1", 42]
    assert "in the cell's flow" in said
    assert list(tmp_path.glob("*.py")) == []


def test_a_run_of_an_earlier_cell_is_resumed(tmp_path: Path) -> None:
    first = FLOW + "\nrun = NBRunner(CellFlow, show_output=False).nbrun(n=3)\n"
    second = FLOW + "\nagain = NBRunner(CellFlow, show_output=False).nbresume()\n"
    third = "answer = [again.origin_pathspec, again.data.y]"
    answer, said = run_cells(tmp_path, first, second, third)
    assert answer == ["CellFlow/1", 4]
    assert said == ""


def test_a_run_goes_on_while_other_cells_run(tmp_path: Path) -> None:
    start = FLOW + "\nnb = NBRunner(CellFlow)\nrunning = await nb.async_run(n=1)\n"
    wait = "await running.wait()\nanswer = [running.status, running.run.data.y]\nnb.cleanup()"
    answer, _ = run_cells(tmp_path, start, wait)
    assert answer == ["successful", 2]
    assert list(tmp_path.glob("*.py")) == []


def test_a_flow_of_another_cell_is_refused_with_the_classes_of_this_one(tmp_path: Path) -> None:
    cell = """
class Other:
    pass
try:
    NBRunner(CellFlow)
except Exception as error:
    answer = str(error)
"""
    answer, _ = run_cells(tmp_path, FLOW, cell)
    assert "CellFlow is not defined in this notebook cell (classes in it: Other)" in answer


def test_results_are_read_in_a_notebook_in_a_folder_below_the_store(tmp_path: Path) -> None:
    run_cells(tmp_path, FLOW + "\nNBRunner(CellFlow).nbrun()\n")
    below = tmp_path / "notebooks" / "mine"
    below.mkdir(parents=True)
    cell = 'from swell import Flow\nanswer = Flow("CellFlow").latest_successful_run.data.y'
    answer, _ = run_cells(below, cell)
    assert answer == 2


def test_outside_of_a_notebook_another_class_is_named(tmp_path: Path) -> None:
    from swell import NBRunner
    from swell.errors import CommandException

    with pytest.raises(CommandException, match=r"Runner\('flow\.py'\)"):
        NBRunner(int)
