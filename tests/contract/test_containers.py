"""What jobs have as containers alone: images, folders in memory, another user, nothing left."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.sandbox.engine import Engine, EngineCommands
from swell.sandbox.jobs import Tmpfs
from swell.sandbox.left_containers import clear_left, label_of, note
from tests.servers.job_runners import Rig, Unavailable, containers, engine, says

LOOKS = """
import json, shutil
print(json.dumps({
    "shm": shutil.disk_usage("/dev/shm").total >> 20,
    "fast": shutil.disk_usage("/fast").total >> 20}))
"""


@pytest.fixture(scope="module", params=["podman", pytest.param("docker", marks=pytest.mark.slow)])
def working(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    try:
        return engine(request.param, tmp_path_factory.mktemp("trial"))
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture
def rig(working: Engine, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, containers(working))
    yield rig
    rig.runner.close()


@pytest.fixture
def image(working: Engine) -> Iterator[str]:
    """One with a shell and nothing else."""
    commands = EngineCommands(working)
    name = f"localhost/swell-test:{uuid.uuid4().hex[:12]}"
    commands.import_image(shell_alone(), name)
    yield name
    commands.remove_image(name)


def shell_alone() -> bytes:
    needed = subprocess.run(["ldd", "/bin/sh"], capture_output=True, text=True, check=True).stdout
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", dereference=True) as archive:
        for path in {"/bin/sh", *re.findall(r"(/\S+) \(", needed)}:
            archive.add(path)
    return held.getvalue()


def containers_marked(engine: Engine, label: str) -> list[str]:
    asked = ["ps", "--all", "--quiet", "--filter", f"label={label}"]
    done = subprocess.run([*engine.command, *asked], capture_output=True, text=True, check=True)
    return done.stdout.split()


def attached(folder: Path) -> int:
    """The engine's program that runs the one container of ``folder``."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            place = os.readlink(process / "cwd")
        except OSError:
            continue
        if b"--attach" in words and place.startswith(str(folder)):
            return int(process.name)
    raise AssertionError("it does not run")


def test_an_image_that_is_here_is_used_and_shows_nothing_of_this_machine(rig, image):
    rig.start("sh", "-c", "echo /usr/* $HOME; echo $SHARED; exit 4", image=image)
    assert rig.end().exit_code == 4
    files, shared = rig.printed()
    assert "/usr/bin" not in files
    assert "/job" not in files
    assert shared == "/shared"


def test_a_job_may_be_another_user_s(rig, image):
    write = ("sh", "-c", "echo > /x && echo may || echo may not")
    rig.start(*write, image=image)
    rig.start(*write, image=image, name="other", user="1234")
    assert (rig.end().exit_code, rig.end("other").exit_code) == (0, 0)
    assert rig.printed() == ["may"]
    assert "may not" in rig.printed("other")


def test_folders_in_memory_are_as_large_as_asked(rig):
    rig.python(LOOKS, tmpfs=(Tmpfs("/fast", 16),), shared_memory_mib=32, memory_mib=128)
    assert rig.end().exit_code == 0
    assert rig.printed() == ['{"shm": 32, "fast": 16}']


def test_a_job_whose_engine_program_was_killed_ends_and_is_gone(rig, working, tmp_path):
    rig.python(says("up") + "import time; time.sleep(600)")
    rig.said("up")
    os.kill(attached(tmp_path), signal.SIGKILL)
    assert rig.end().exit_code == 137
    rig.runner.close()
    assert containers_marked(working, label_of(tmp_path)) == []


def test_containers_that_nobody_ended_are_cleared_by_the_note_of_their_engine(working, tmp_path):
    note(tmp_path, working)
    rig = Rig(tmp_path, containers(working))
    rig.python(says("up") + "import time; time.sleep(600)")
    rig.said("up")
    assert len(containers_marked(working, label_of(tmp_path))) == 1
    clear_left(tmp_path)
    assert containers_marked(working, label_of(tmp_path)) == []
    assert rig.end().exit_code in (137, None)
    rig.runner.close()
