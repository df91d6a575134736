"""A run with large arrays, files and folders, from the command line to the client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("scripts") / "data_flow.py"
READ = """
import numpy
from swell import Flow, namespace
namespace(None)
run = Flow("DataFlow").latest_run
data = run["end"].task.data
table = run["start"].task.data.table
assert numpy.allclose(data.totals, table[:, :3].sum(axis=0))
assert data.firsts == [table[0, 0], -1.0, table[0, 0]]
assert data.model.read_range(0, 16) == table[0, :2].tobytes()
assert numpy.array_equal(numpy.fromfile(data.model.path).reshape(table.shape), table)
assert data.out["plots/a.txt"].read_range(0, 4) == b"plot"
print("read")
"""


def run(folder: Path, *command: object) -> str:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SWELL_")}
    environ |= {"SWELL_ROOT": str(folder / ".swell"), "SWELL_USER": "tester"}
    ended = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_arrays_files_and_folders_go_through_a_run_and_are_read_by_the_client(tmp_path):
    run(tmp_path, SCRIPT, "--no-pylint", "run", "--max-workers", 2)
    drafts = tmp_path / ".swell" / "blobs" / ".drafts"
    assert list(drafts.iterdir()) == []
    assert run(tmp_path, "-c", READ) == "read\n"
    assert list(drafts.iterdir()) == []
    # The table once whole, once as every second column, once changed; the file; the text.
    stored = [path for path in (tmp_path / ".swell" / "blobs").rglob("*") if path.is_file()]
    assert len([path for path in stored if path.stat().st_size > 1_000_000]) == 4
