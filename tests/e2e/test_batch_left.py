"""Runs on AWS Batch that their driver left or lost: nothing ends, nothing is lost, nothing is
done twice."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.batch_place import BatchPlace, until
from tests.e2e.terminal import DEADLINE_S
from tests.faults.driving import take_terminal
from tests.servers.sandbox import Sandbox

pytest.importorskip("boto3")

LEFT = """
import os, time
from swell import batch

class LeftFlow(FlowSpec):
    @step
    def start(self):
        self.here = os.getcwd()
        self.xs = [0, 1, 2]
        self.next(self.work, foreach="xs")

    @batch(memory=256)
    @step
    def work(self):
        open(f"{self.here}/began-{self.input}", "a").write("x")
        print("before", self.input)
        while self.input and not os.path.exists(f"{self.here}/go"):
            time.sleep(0.05)
        print("after", self.input)
        self.got = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.got = [i.got for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture
def place(tmp_path: Path, sandbox: Sandbox) -> BatchPlace:
    place = BatchPlace(tmp_path, sandbox)
    place.write(LEFT)
    return place


def began(place: BatchPlace) -> bool:
    return len(list(place.folder.glob("began-*"))) == 3


def is_well_under_way(place: BatchPlace) -> bool:
    """One task is done; what the others have printed so far is in the log."""
    if not began(place):
        return False
    tasks = list(place.run("LeftFlow/1")["work"])
    texts = [task.stdout for task in tasks]
    return len(texts) == 3 and all(texts) and any(task.successful for task in tasks)


def assert_done_once(place: BatchPlace) -> None:
    """Run 1 has ended well; each of its tasks ran once, and each line is in the log once."""
    run = place.run("LeftFlow/1")
    assert run.successful
    assert run["join"].task.data.got == [0, 2, 4]
    assert [(place.folder / f"began-{n}").read_text() for n in range(3)] == ["x"] * 3
    assert sorted(task.stdout for task in run["work"]) == [
        f"before {n}\nafter {n}\n" for n in range(3)
    ]
    assert all("/code/" in task.metadata_dict["code-package"] for task in run["work"])
    assert run.code.flowspec == (place.folder / run.code.script_name).read_text()
    assert len(place.jobs()) == 1
    assert place.unfinished() == []


def test_what_a_detached_run_does_alone_is_collected_by_attach(place):
    (place.folder / "go").touch()
    with place.started("run", "--detach") as driver:
        said, _ = driver.communicate(timeout=DEADLINE_S)
    assert driver.returncode == 0, said
    assert "attach 1" in said
    until(lambda: place.jobs() and not place.unfinished())

    place.call("attach", "1")

    assert_done_once(place)


@pytest.mark.parametrize("command", [("attach", "1"), ("resume",)], ids=["attach", "resume"])
def test_a_run_whose_driver_was_killed_goes_on_where_it_was(place, command):
    with place.started("run") as driver:
        until(lambda: is_well_under_way(place))
        driver.kill()
        driver.communicate(timeout=DEADLINE_S)
    (place.folder / "go").touch()

    place.call(*command)

    assert_done_once(place)


def test_a_detached_run_is_removed_on_request_alone_and_its_jobs_first(place):
    with place.started("run", "--detach") as driver:
        said, _ = driver.communicate(timeout=DEADLINE_S)
    assert driver.returncode == 0, said
    assert len(place.unfinished()) == 1

    refusal = place.swell("rm", "LeftFlow/1", "--yes", code=1)
    assert "Run LeftFlow/1 is detached" in refusal
    assert "flow.py attach 1" in refusal
    assert "swell rm LeftFlow/1 --force" in refusal
    assert len(place.unfinished()) == 1

    assert "of code and packages for AWS Batch" in place.swell("du")
    said = place.swell("rm", "LeftFlow/1", "--yes", "--force")
    assert "Ended 1 job with 3 tasks of run LeftFlow/1 on AWS Batch." in said
    assert "Removed run LeftFlow/1" in said
    assert place.unfinished() == []
    assert "no run" in place.swell("runs", "LeftFlow", code=1).lower()


# --- Ctrl-C at a terminal ------------------------------------------------------------------


class Terminal:
    """A driver at a terminal of its own; ``said`` is all that was shown there.

    A thread reads, since who writes to a terminal that nobody reads from waits.
    """

    def __init__(self, driver: subprocess.Popen[str], keys: int) -> None:
        self._driver = driver
        self._keys = keys
        self.said = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def type(self, keys: bytes) -> None:
        os.write(self._keys, keys)

    def wait_for(self, words: str) -> None:
        until(lambda: words in self.said)

    def wait(self) -> int:
        code = self._driver.wait(DEADLINE_S)
        self._thread.join(DEADLINE_S)
        return code

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
            while data := os.read(self._keys, 65536):
                self.said += data.decode(errors="replace")


@contextlib.contextmanager
def at_a_terminal(place: BatchPlace, *arguments: str) -> Iterator[Terminal]:
    keys, end = os.openpty()
    how = {"stdin": end, "stdout": end, "stderr": end}
    how |= {"start_new_session": True, "preexec_fn": take_terminal}
    try:
        with place.started(*arguments, how=how) as driver:
            os.close(end)
            yield Terminal(driver, keys)
    finally:
        os.close(keys)


def test_ctrl_c_and_kill_ends_all_jobs(place):
    with at_a_terminal(place, "run") as terminal:
        until(lambda: began(place))
        terminal.type(b"\x03")
        terminal.wait_for("d and Enter")
        terminal.type(b"k\n")
        assert terminal.wait() == 130, terminal.said
    assert place.unfinished() == []
    assert not place.run("LeftFlow/1").successful


def test_ctrl_c_and_detach_leaves_all_jobs_to_be_attached_to(place):
    with at_a_terminal(place, "run") as terminal:
        until(lambda: is_well_under_way(place))
        terminal.type(b"\x03")
        terminal.wait_for("d and Enter")
        terminal.type(b"d\n")
        assert terminal.wait() == 0, terminal.said
    assert "attach 1" in terminal.said
    assert len(place.unfinished()) == 1
    (place.folder / "go").touch()

    place.call("attach", "1")

    assert_done_once(place)
