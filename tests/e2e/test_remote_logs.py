"""What tasks on AWS Batch print: shown as it comes, kept when their container is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.errors import UsageError
from swell.sandbox.place import Running
from tests.e2e.desk import Desk, sandbox_in

pytest.importorskip("moto")

AT = {"SWELL_DATASTORE": "s3://swell/logs", "SWELL_BATCH_JOB_QUEUE": "swell"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    try:
        with sandbox_in(tmp_path_factory.mktemp("sandbox")) as running:
            yield running
    except UsageError as why:
        pytest.skip(str(why))


@pytest.fixture
def desk(running: Running, tmp_path: Path) -> Desk:
    desk = Desk(tmp_path, running)
    desk.environ |= AT
    return desk


KILLED = """
import fcntl, os, signal, termios, time
from swell import FlowSpec, step

def is_read(pipe):
    return not any(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))

class KilledFlow(FlowSpec):
    @step
    def start(self):
        print("the last words", flush=True)
        while not is_read(1):
            time.sleep(0.01)
        time.sleep(0.3)  # a container is not killed within microseconds of its last line
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    KilledFlow()
"""


def test_the_last_lines_of_a_container_that_was_killed_are_in_the_log(desk: Desk) -> None:
    (desk.folder / "killed.py").write_text(KILLED)

    desk.type(sys.executable, "killed.py", "run", "--with", "batch", code=1)

    said = desk.type(sys.executable, "killed.py", "logs", "1/start")
    assert said.count("the last words\n") == 1


WAITS = """
import os, time
from swell import FlowSpec, Parameter, step

class WaitsFlow(FlowSpec):
    go = Parameter("go", default="")

    @step
    def start(self):
        print("up")
        while not os.path.exists(self.go):
            time.sleep(0.05)
        print("and done")
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    WaitsFlow()
"""


def wait_for(words: str, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if words in line:
            return
    raise AssertionError(f"it ended without saying '{words}': {''.join(said)}")


def test_a_detached_run_says_who_collects_its_output_and_is_followed_once_attached(
    desk: Desk,
) -> None:
    (desk.folder / "waits.py").write_text(WAITS)
    go = desk.folder / "go"
    desk.type(sys.executable, "waits.py", "run", "--with", "batch", "--detach", "--go", str(go))

    followed = desk.type(sys.executable, "waits.py", "logs", "1", "--follow")
    with desk.start(sys.executable, "waits.py", "attach", "1") as driver:
        wait_for("up", driver)
        with desk.start(sys.executable, "waits.py", "logs", "1/start/1", "-f") as following:
            wait_for("up", following)
            go.touch()
            output, _ = following.communicate(timeout=60)
        driver.communicate(timeout=60)

    assert "collected from 'python waits.py attach 1' on" in followed
    assert output == "and done\n"
    assert (driver.returncode, following.returncode) == (0, 0)


def test_ctrl_c_ends_following_and_leaves_the_run_alone(desk: Desk) -> None:
    (desk.folder / "waits.py").write_text(WAITS)
    go = desk.folder / "go"
    with desk.start(sys.executable, "waits.py", "run", "--go", str(go)) as running:
        wait_for("up", running)
        with desk.start(sys.executable, "waits.py", "logs", "1", "-f") as following:
            wait_for("up", following)
            following.send_signal(signal.SIGINT)
            following.communicate(timeout=60)
        go.touch()
        running.communicate(timeout=60)

    assert (running.returncode, following.returncode) == (0, 130)
