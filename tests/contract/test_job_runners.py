"""What every runner of the sandbox's jobs does alike, be they processes or containers.

Container engines are tried where they are: podman by itself, Docker where its daemon answers.
Everywhere there is a stand-in for one, whose containers are processes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.sandbox.engine import Engine
from swell.sandbox.jobs import OUT_OF_MEMORY, JobSpec, Mount
from swell.sandbox.processes import ProcessRunner
from tests.servers.job_runners import (
    EATS_MEMORY,
    IMAGE,
    MakeRunner,
    Rig,
    Unavailable,
    containers,
    engine,
    says,
)
from tests.servers.process_engine import install

FOREVER = "import time; time.sleep(600)"
ENGINES_OWN = {"container", "TERM", "PWD", "LC_CTYPE", "_", "OLDPWD", "SHLVL"}
"""Variables that engines, shells and the interpreter set themselves."""


@pytest.fixture(
    scope="module",
    params=["process", "stand-in", "podman", pytest.param("docker", marks=pytest.mark.slow)],
)
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeRunner:
    if request.param == "process":
        return ProcessRunner
    if request.param == "stand-in":
        program = install(tmp_path_factory.mktemp("engine"))
        return containers(Engine("podman", (str(program),), has_init=False))
    try:
        return containers(engine(request.param, tmp_path_factory.mktemp("trial")))
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture
def rig(make: MakeRunner, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, make)
    yield rig
    rig.runner.close()


def test_exit_codes_are_the_program_s_own_also_those_that_engines_use_themselves(rig):
    codes = (0, 3, 125, 127, 255)
    for code in codes:
        rig.python(f"import sys; print('Error: mine'); sys.exit({code})", name=str(code))
    for code in codes:
        end = rig.end(str(code))
        assert (end.exit_code, end.reason, end.log_stream) == (code, "", f"s/{code}")
        assert end.started_at is not None
        assert end.started_at <= end.stopped_at
        assert rig.printed(str(code)) == ["Error: mine"]


def test_death_by_a_signal_shows_as_128_and_its_number(rig):
    rig.python("import ctypes; ctypes.string_at(0)")
    assert rig.end().exit_code == 128 + signal.SIGSEGV


def test_too_much_memory_is_said_to_be_the_cause_and_nothing_else_is(rig, request):
    if "stand-in" in request.node.name:
        pytest.skip("the stand-in for an engine limits no memory")
    rig.python(EATS_MEMORY, name="over", memory_mib=64)
    rig.python("x = bytearray(100 << 20); print(len(x))", name="within", memory_mib=256)
    rig.python("raise MemoryError('mine')", name="other")
    ends = {name: rig.end(name) for name in ("over", "within", "other")}
    assert {name: (end.exit_code, end.reason) for name, end in ends.items()} == {
        "over": (137, OUT_OF_MEMORY),
        "within": (0, ""),
        "other": (1, ""),
    }


@pytest.mark.parametrize("has_init", [True, False])
def test_sigterm_reaches_a_program_which_may_use_it(rig, has_init):
    rig.python(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('tidying'), sys.exit(7)))\n"
        f"{says('up')}"
        "time.sleep(600)",
        has_init=has_init,
    )
    rig.said("up")
    rig.runner.stop("job", 1, grace_s=600)
    assert rig.end().exit_code == 7
    assert rig.printed() == ["tidying"]


def test_with_an_init_a_program_that_knows_nothing_of_sigterm_ends_by_it(rig):
    rig.python(says("up") + FOREVER, has_init=True)
    rig.said("up")
    rig.runner.stop("job", 1, grace_s=600)
    assert rig.end().exit_code == 128 + signal.SIGTERM


def test_a_program_that_does_not_stop_is_killed_after_the_grace(rig):
    rig.python(
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"{says('up')}"
        "time.sleep(600)"
    )
    rig.said("up")
    rig.runner.stop("job", 1, grace_s=0.1)
    end = rig.end()
    assert (end.exit_code, end.reason) == (137, "")


def test_a_kill_holds_also_for_what_does_not_run_yet(rig):
    rig.python(FOREVER)
    rig.runner.kill("job", 1)
    assert rig.end().exit_code == 137


def test_what_is_not_there_can_be_stopped_and_killed(rig):
    rig.runner.stop("ghost", 1, grace_s=0)
    rig.runner.kill("ghost", 1)
    rig.python("print('still at work')")
    assert rig.end().exit_code == 0


def test_grandchildren_end_with_the_job_and_what_was_printed_is_kept(rig):
    rig.python(
        "import os, subprocess\n"
        "read, write = os.pipe()\n"
        "subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "print('leaving')\n"
        "os._exit(0)"
    )
    assert rig.end().exit_code == 0
    assert rig.printed() == ["leaving"]


def test_the_environment_and_the_folder_hold_nothing_of_the_machine_s_own(rig, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy")
    rig.python(
        "import json, os, sys, site\n"
        "found = {'env': dict(os.environ), 'files': os.listdir('.'), 'path': sys.path,\n"
        "         'version': list(sys.version_info[:2]),\n"
        "         'packages': os.listdir(site.getsitepackages()[0])}\n"
        "open('writable', 'w').close()\n"
        "print(json.dumps(found))\n"
        "import msgspec",
        environment={"AWS_BATCH_JQ_NAME": "default", "MINE": "two\nlines, 'quoted' $HOME"},
    )
    assert rig.end().exit_code == 1
    printed = rig.printed()
    assert "ModuleNotFoundError" in printed[-1]
    found = json.loads(next(line for line in printed if line.startswith("{")))
    names = {"PATH", "HOME", "TMPDIR", "HOSTNAME", "AWS_BATCH_JOB_ID", "AWS_BATCH_JQ_NAME"}
    assert set(found["env"]) - ENGINES_OWN == names | {"MINE", "SHARED"}
    assert found["env"]["MINE"] == "two\nlines, 'quoted' $HOME"
    assert found["files"] == []
    assert found["version"] == list(sys.version_info[:2])
    assert found["packages"] == []
    assert not any("/somewhere" in entry for entry in found["path"])


def test_each_stream_comes_whole_and_in_order(rig):
    rig.python(
        "import os\n"
        "for n in range(20_000): os.write(1 + n % 2, b'line %d of many\\n' % n)\n"
        "os.write(1, b'no end of line')"
    )
    assert rig.end().exit_code == 0
    *lines, last = rig.printed()
    numbers = [int(line.removeprefix("line ").removesuffix(" of many")) for line in lines]
    assert [n for n in numbers if n % 2 == 0] == list(range(0, 20_000, 2))
    assert [n for n in numbers if n % 2 == 1] == list(range(1, 20_000, 2))
    assert last == "no end of line"


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
    assert (end.exit_code, end.started_at, end.log_stream) == (None, None, "")
    assert end.reason.startswith("CannotPullContainerError: ")
    assert words in end.reason


def test_a_program_that_the_image_lacks_cannot_be_started(rig):
    rig.start("nextflow", "run")
    end = rig.end()
    assert (end.exit_code, end.started_at) == (None, None)
    assert end.reason.startswith("CannotStartContainerError: ")
    assert '"nextflow": executable file not found' in end.reason
    assert rig.printed() == []


@pytest.mark.parametrize("command", [(), ("python", "a\0b")])
def test_a_command_that_is_none_is_told_and_harms_nobody(rig, command):
    rig.start(*command)
    assert rig.end().reason.startswith("CannotStartContainerError: ")
    rig.python("pass", name="next")
    assert rig.end("next").exit_code == 0


def test_closing_kills_what_runs_and_what_starts_and_tells_each_end(make, tmp_path):
    rig = Rig(tmp_path, make)
    rig.python(says("up") + FOREVER, name="running")
    rig.said("up")
    rig.python(FOREVER, name="starting")
    rig.runner.close()
    assert rig.ends["running"].exit_code == 137
    assert rig.ends["starting"].exit_code in (137, None)
    rig.python("print(1)", name="late")
    assert rig.end("late").exit_code is None
    rig.runner.close()


def test_many_at_once_end_as_they_should_and_leave_nothing(make, tmp_path):
    before = set(os.listdir("/proc/self/fd"))
    rig = Rig(tmp_path, make)
    for n in range(8):
        rig.start("sh", "-c", f"echo {n}; echo x > kept; exit {n % 3}", name=str(n))
    assert [rig.end(str(n)).exit_code for n in range(8)] == [n % 3 for n in range(8)]
    assert [rig.printed(str(n)) for n in range(8)] == [[str(n)] for n in range(8)]
    rig.runner.close()
    assert set(os.listdir("/proc/self/fd")) == before
    assert list((tmp_path / "jobs").iterdir()) == []


def test_what_a_consumer_of_ends_does_wrong_is_not_the_other_jobs_trouble(rig):
    spec = JobSpec(
        job_id="a", attempt=1, image=IMAGE, command=("true",), environment={}, vcpus=1,
        memory_mib=64,
    )  # fmt: skip
    rig.runner.start(spec, lambda end: 1 / 0)
    rig.python("pass", name="b")
    assert rig.end("b").exit_code == 0


def test_a_folder_of_the_instance_is_shared_by_its_jobs_where_a_variable_says(rig):
    more = {
        "mounts": (Mount("/var/layers", "/inside/layers"),),
        "environment": {"CACHE": "/inside/layers", "OTHER": "/inside/layers/x"},
    }
    write = (
        "import os; open(os.environ['CACHE'] + '/seen', 'w').close(); print(os.environ['OTHER'])"
    )
    read = "import os; os.stat(os.environ['CACHE'] + '/seen')"
    rig.python(write, name="one", **more)
    assert rig.end("one").exit_code == 0
    rig.python(read, name="two", **more)
    assert rig.end("two").exit_code == 0
    assert (rig.folder / "host" / "var" / "layers" / "seen").exists()
