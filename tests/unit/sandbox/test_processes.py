"""What jobs have as processes alone: limits by two means, and nothing left of hundreds.

What they have in common with containers is in tests/contract/test_job_runners.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from swell.sandbox.jobs import OUT_OF_MEMORY
from swell.sandbox.memory import Cells, Watches, open_cells
from swell.sandbox.processes import ProcessRunner
from tests.servers.job_runners import EATS_MEMORY, Rig, says


def rig_of(folder: Path, cells: Cells) -> Rig:
    return Rig(folder, partial(ProcessRunner, cells=cells))


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.fixture(params=["cgroup", "watch"])
def limited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    cells = Watches() if request.param == "watch" else open_cells(f"swell-test-{os.getpid()}")
    if cells.kind != request.param:
        pytest.skip("control groups cannot be made here")
    rig = rig_of(tmp_path, cells)
    yield rig
    rig.runner.close()


def test_a_job_that_takes_too_much_memory_is_killed_and_it_is_said_why(limited):
    limited.python(EATS_MEMORY, memory_mib=64)
    end = limited.end()
    assert (end.exit_code, end.reason) == (137, OUT_OF_MEMORY)


def test_memory_within_the_limit_is_given(limited):
    limited.python("x = bytearray(100 << 20); print(len(x))", memory_mib=256)
    assert limited.end().exit_code == 0


def test_a_failure_that_is_not_of_memory_is_not_called_so(limited):
    limited.python("raise MemoryError('mine')")
    assert (limited.end().exit_code, limited.ends["job"].reason) == (1, "")


@pytest.mark.parametrize("leaves", ["", "start_new_session=True, "])
def test_grandchildren_end_with_the_job(limited, leaves):
    limited.python(
        "import subprocess, sys\n"
        f"p = subprocess.Popen(['sleep', '600'], {leaves})\n"
        f"{says('pid', 'str(p.pid)')}"
        "os._exit(0)"
    )
    assert limited.end().exit_code == 0
    assert not is_alive(int(limited.said("pid")))


def test_both_streams_come_in_the_order_they_were_printed(limited):
    limited.python(
        "import os\nfor n in range(2_000): os.write(1 + n % 2, b'line %d of many\\n' % n)"
    )
    assert limited.end().exit_code == 0
    assert limited.printed() == [f"line {n} of many" for n in range(2_000)]


def test_three_hundred_jobs_leave_nothing(tmp_path):
    before = set(os.listdir("/proc/self/fd"))
    rig = rig_of(tmp_path, open_cells(f"swell-left-{os.getpid()}"))
    for n in range(300):
        rig.start("sh", "-c", f"echo {n}; echo x > kept; exit {n % 3}", name=str(n))
    codes = [rig.end(str(n)).exit_code for n in range(300)]
    assert codes == [n % 3 for n in range(300)]
    assert [rig.printed(str(n)) for n in range(300)] == [[str(n)] for n in range(300)]
    rig.runner.close()
    assert set(os.listdir("/proc/self/fd")) == before
    assert list((tmp_path / "jobs").iterdir()) == []
    assert not list(Path("/sys/fs/cgroup").glob(f"*/swell-left-{os.getpid()}"))
