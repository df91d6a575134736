"""A flow whose steps are containers of podman in the sandbox, and a sandbox that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.sandbox.engine import Engine
from swell.sandbox.left_containers import label_of
from tests.e2e.batch_place import BatchPlace, until
from tests.servers.job_runners import Unavailable, engine
from tests.servers.sandbox import Sandbox, own_sandbox

pytest.importorskip("boto3")
pytestmark = pytest.mark.slow

FLOW = """
import os

class BoxFlow(FlowSpec):
    eats = Parameter("eats", default=False)

    @step
    def start(self):
        self.xs = [1, 2, 3]
        self.next(self.square, foreach="xs")

    @resources(memory=200)
    @step
    def square(self):
        self.y = self.input ** 2
        print("in", os.environ["HOME"])
        held = []
        while self.eats:
            held.append(bytearray(1 << 20))
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(i.y for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)
"""
SLEEPS = """
import time

class BoxFlow(FlowSpec):
    @step
    def start(self):
        time.sleep(600)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    try:
        return engine("podman", tmp_path_factory.mktemp("trial"))
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture
def place(podman: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchPlace]:
    with own_sandbox(tmp_path / "sandbox", runner="podman", vcpus=4) as sandbox:
        for name, value in sandbox.variables.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "place").mkdir()
        yield BatchPlace(tmp_path / "place", sandbox)


def containers_of(podman: Engine, sandbox: Sandbox) -> list[str]:
    label = label_of(sandbox.folder / "work")
    asked = ["ps", "--all", "--quiet", "--filter", f"label={label}"]
    done = subprocess.run([*podman.command, *asked], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_flow_gives_in_containers_what_it_gives_here_and_its_memory_has_a_limit(place):
    place.write(FLOW)
    done = place.call("run", "--with", "batch")
    assert "in /job" in done.stdout + done.stderr
    assert "total 14" in done.stdout + done.stderr
    done = place.call("run", "--with", "batch", "--eats", "True", code=1)
    assert "out of memory" in done.stdout + done.stderr


@pytest.mark.parametrize("victim", ["parent", "child"])
def test_no_container_outlives_a_sandbox_that_was_killed(place, podman, victim):
    place.write(SLEEPS)
    with place.started("run", "--with", "batch"):
        until(lambda: containers_of(podman, place.sandbox))
        pid = place.sandbox.running.pid
        if victim == "child":
            (pid,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[:1])
        os.kill(pid, signal.SIGKILL)
        until(lambda: not containers_of(podman, place.sandbox))
