"""What an earlier sandbox left is ended by name, and nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.sandbox.left_processes import NOTE, end_left, note_process

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def noted(folder: Path, process: subprocess.Popen[bytes]) -> Path:
    (folder / "work").mkdir()
    note = folder / "work" / f"moto{NOTE}"
    note_process(note, process.pid)
    return note


def test_a_server_that_was_left_is_ended_and_its_note_goes(tmp_path, process):
    note = noted(tmp_path, process)
    end_left(tmp_path)
    assert process.wait(timeout=60) == -9
    assert not note.exists()


def test_another_process_that_has_its_number_by_now_is_left_alone(tmp_path, process):
    note = noted(tmp_path, process)
    earlier = json.loads(note.read_text())
    note.write_text(json.dumps({**earlier, "began_at": str(int(earlier["began_at"]) - 1)}))
    end_left(tmp_path)
    assert process.poll() is None


def test_a_job_that_was_left_is_known_by_the_folder_that_its_variables_name(tmp_path, process):
    environ = {**os.environ, "TMPDIR": str(tmp_path / "work" / "jobs" / "3")}
    with subprocess.Popen(["sleep", "1000"], env=environ) as job:
        # Until it is that program its variables are still ours.
        while b"sleep" not in Path(f"/proc/{job.pid}/cmdline").read_bytes():
            pass
        end_left(tmp_path)
        assert job.wait(timeout=60) == -9
    assert process.poll() is None
