"""Jobs as real processes: their ends, their limits, their environment, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swell.sandbox.jobs import OUT_OF_MEMORY, JobEnd, JobSpec, Mount
from swell.sandbox.log_streams import LogStreams, StreamName
from swell.sandbox.memory import Cells, Watches, open_cells
from swell.sandbox.processes import ProcessRunner

IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}"
DEADLINE_S = 60.0
EATS_MEMORY = "x = []\nwhile True: x.append(bytearray(1 << 20))"


class Rig:
    """A runner, and what became of the jobs given to it."""

    def __init__(self, folder: Path, cells: Cells | None = None) -> None:
        self.folder = folder
        self.logs = LogStreams(folder)
        self.runner = ProcessRunner(folder, self.logs, cells=cells)
        self.ends: dict[str, JobEnd] = {}
        self._news = threading.Condition()

    def start(self, *command: str, name: str = "job", **more: Any) -> None:
        given = {"image": IMAGE, "environment": {}, "vcpus": 1, "memory_mib": 256, **more}
        given["environment"] = {"AWS_BATCH_JOB_ID": name, **given["environment"]}
        spec = JobSpec(job_id=name, attempt=1, command=command, log_stream=f"s/{name}", **given)
        self.runner.start(spec, lambda end: self._took(name, end))

    def python(self, code: str, *, name: str = "job", **more: Any) -> None:
        self.start("python", "-u", "-c", code, name=name, **more)

    def end(self, name: str = "job") -> JobEnd:
        with self._news:
            assert self._news.wait_for(lambda: name in self.ends, DEADLINE_S), name
        return self.ends[name]

    def printed(self, name: str = "job") -> list[str]:
        events = self.logs.take(StreamName("/aws/batch/job", f"s/{name}"))
        return [event.text for event in events or []]

    def said(self, what: str) -> str:
        """Wait for a file that a job makes in this test's folder; what is in it."""
        path = self.folder / what
        until(lambda: path.exists() and path.read_text() != "")
        return path.read_text()

    def _took(self, name: str, end: JobEnd) -> None:
        with self._news:
            assert name not in self.ends
            self.ends[name] = end
            self._news.notify_all()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.runner.close()


@pytest.fixture(params=["cgroup", "watch"])
def limited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    cells = Watches() if request.param == "watch" else open_cells(f"swell-test-{os.getpid()}")
    if cells.kind != request.param:
        pytest.skip("control groups cannot be made here")
    rig = Rig(tmp_path, cells)
    yield rig
    rig.runner.close()


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_the_process_s_own(rig, code):
    rig.python(f"import sys; sys.exit({code})")
    end = rig.end()
    assert (end.exit_code, end.reason, end.log_stream) == (code, "", "s/job")
    assert end.started_at is not None
    assert end.started_at <= end.stopped_at


def test_death_by_a_signal_shows_as_in_a_container(rig):
    rig.python("import os; os.kill(os.getpid(), 11)")
    assert rig.end().exit_code == 128 + signal.SIGSEGV


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


def test_stopping_sends_sigterm_which_a_program_may_use(rig):
    rig.python(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('tidying'), sys.exit(7)))\n"
        f"open({str(rig.folder / 'up')!r}, 'w').write('x')\n"
        "time.sleep(600)"
    )
    rig.said("up")
    rig.runner.stop("job", 1, grace_s=600)
    assert rig.end().exit_code == 7
    assert rig.printed() == ["tidying"]


def test_a_program_that_does_not_stop_is_killed_after_the_grace(rig):
    rig.python(
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(rig.folder / 'up')!r}, 'w').write('x')\n"
        "time.sleep(600)"
    )
    rig.said("up")
    rig.runner.stop("job", 1, grace_s=0.1)
    end = rig.end()
    assert (end.exit_code, end.reason) == (137, "")


def test_a_kill_asks_nobody(rig):
    rig.python("import time; time.sleep(600)")
    rig.runner.kill("job", 1)
    assert rig.end().exit_code == 137


def test_what_is_not_there_can_be_stopped_and_killed(rig):
    rig.runner.stop("ghost", 1, grace_s=0)
    rig.runner.kill("ghost", 1)
    rig.python("print('still at work')")
    assert rig.end().exit_code == 0


@pytest.mark.parametrize("leaves", ["", "start_new_session=True, "])
def test_grandchildren_end_with_the_job_and_what_they_printed_is_kept(limited, leaves):
    limited.python(
        "import subprocess, sys\n"
        f"p = subprocess.Popen(['sleep', '600'], {leaves})\n"
        f"open({str(limited.folder / 'pid')!r}, 'w').write(str(p.pid))\n"
        "print('leaving')\n"
        "import os; os._exit(0)"
    )
    assert limited.end().exit_code == 0
    assert not is_alive(int(limited.said("pid")))
    assert limited.printed() == ["leaving"]


def test_the_environment_holds_nothing_of_the_machine_s_own(rig, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("AWS_PROFILE", "production")
    rig.python(
        "import json, os, sys\n"
        "found = {'env': dict(os.environ), 'files': os.listdir('.'), 'path': sys.path,\n"
        "         'version': list(sys.version_info[:2])}\n"
        "print(json.dumps(found))",
        environment={"AWS_BATCH_JQ_NAME": "default", "MINE": "1"},
    )
    assert rig.end().exit_code == 0
    found = json.loads(rig.printed()[0])
    names = {"PATH", "HOME", "TMPDIR", "HOSTNAME", "AWS_BATCH_JOB_ID", "AWS_BATCH_JQ_NAME", "MINE"}
    # The shell and the interpreter set these themselves.
    assert set(found["env"]) - {"PWD", "LC_CTYPE", "_", "OLDPWD", "SHLVL"} == names
    assert found["files"] == []
    assert found["version"] == list(sys.version_info[:2])
    assert not any("/somewhere" in entry for entry in found["path"])


def test_packages_of_this_environment_are_not_seen(rig):
    rig.python("import msgspec")
    assert rig.end().exit_code == 1
    assert "ModuleNotFoundError" in rig.printed()[-1]


def test_pip_installed_packages_of_the_system_are_not_seen_either(rig):
    rig.python("import os, site; print(len(os.listdir(site.getsitepackages()[0])))")
    assert rig.end().exit_code == 0
    assert rig.printed() == ["0"]


def test_both_streams_come_whole_and_in_order(rig):
    rig.python(
        "import os\n"
        "for n in range(20_000): os.write(1 + n % 2, b'line %d of many\\n' % n)\n"
        "os.write(1, b'\\nno end of line')"
    )
    assert rig.end().exit_code == 0
    assert rig.printed() == [*(f"line {n} of many" for n in range(20_000)), "no end of line"]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("pytorch/pytorch:2.4", "pull access denied for pytorch/pytorch:2.4"),
        ("python:2.6", "manifest for python:2.6 not found"),
    ],
)
def test_an_image_that_is_not_here_cannot_be_pulled(rig, image, words):
    rig.python("print(1)", image=image)
    end = rig.end()
    assert (end.exit_code, end.started_at) == (None, None)
    assert end.reason.startswith("CannotPullContainerError: ")
    assert words in end.reason


def test_a_program_that_the_image_lacks_cannot_be_started(rig):
    rig.start("nextflow", "run")
    end = rig.end()
    assert end.exit_code is None
    assert end.reason.startswith("CannotStartContainerError: ")
    assert '"nextflow": executable file not found' in end.reason


@pytest.mark.parametrize("command", [(), ("python", "a\0b")])
def test_a_command_that_is_none_is_told_and_harms_nobody(rig, command):
    rig.start(*command)
    assert rig.end().reason.startswith("CannotStartContainerError: ")
    rig.python("pass", name="next")
    assert rig.end("next").exit_code == 0


def test_closing_kills_what_runs_and_tells_each_end(tmp_path):
    rig = Rig(tmp_path)
    for n in range(5):
        rig.python(f"import time; print({n}); time.sleep(600)", name=str(n))
    rig.runner.close()
    assert {name: end.exit_code for name, end in rig.ends.items()} == dict.fromkeys(
        map(str, range(5)), 137
    )
    rig.python("print(1)", name="late")
    assert rig.end("late").exit_code is None


def test_three_hundred_jobs_leave_nothing(tmp_path):
    before = set(os.listdir("/proc/self/fd"))
    rig = Rig(tmp_path, open_cells(f"swell-left-{os.getpid()}"))
    for n in range(300):
        rig.start("sh", "-c", f"echo {n}; echo x > kept; exit {n % 3}", name=str(n))
    codes = [rig.end(str(n)).exit_code for n in range(300)]
    assert codes == [n % 3 for n in range(300)]
    assert [rig.printed(str(n)) for n in range(300)] == [[str(n)] for n in range(300)]
    rig.runner.close()
    assert set(os.listdir("/proc/self/fd")) == before
    assert list((tmp_path / "jobs").iterdir()) == []
    assert not list(Path("/sys/fs/cgroup").glob(f"*/swell-left-{os.getpid()}"))


def test_what_a_consumer_of_ends_does_wrong_is_not_the_other_jobs_trouble(rig):
    spec = JobSpec(
        job_id="a", attempt=1, image=IMAGE, command=("true",), environment={}, vcpus=1,
        memory_mib=64,
    )  # fmt: skip
    rig.runner.start(spec, lambda end: 1 / 0)
    rig.python("pass", name="b")
    assert rig.end("b").exit_code == 0


def test_a_variable_that_names_a_mount_leads_to_a_folder_that_jobs_share(rig):
    shared = {
        "mounts": (Mount("/var/layers", "/inside/layers"),),
        "environment": {"CACHE": "/inside/layers", "OTHER": "/inside/layers/x"},
    }
    write = (
        "import os; open(os.environ['CACHE'] + '/seen', 'w').close(); print(os.environ['OTHER'])"
    )
    read = "import os; os.stat(os.environ['CACHE'] + '/seen')"
    rig.python(write, name="one", **shared)
    assert rig.end("one").exit_code == 0
    rig.python(read, name="two", **shared)
    assert rig.end("two").exit_code == 0
    assert (rig.folder / "host" / "var" / "layers" / "seen").exists()
