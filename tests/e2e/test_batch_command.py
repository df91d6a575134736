"""`batch list|kill|why` as people use them, in a sandbox: beside a live driver, and without one."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from swell.sandbox.launching import ask, start
from swell.sandbox.place import Running, SandboxFolder, Wanted, variables_for
from tests.e2e.terminal import Done, python

pytest.importorskip("moto")
pytest.importorskip("boto3")

DEADLINE_S = 120.0
FLOW = """
import signal
from swell import FlowSpec, retry, step

class HoldFlow(FlowSpec):
    @step
    def start(self):
        self.items = list(range(6))
        self.next(self.hold, foreach="items")

    @retry(times=3, minutes_between_retries=0)
    @step
    def hold(self):
        def give_up(*_):
            raise OSError("asked to stop")
        signal.signal(signal.SIGTERM, give_up)
        print("holding", self.input, flush=True)
        while True:
            signal.pause()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    HoldFlow()
"""
PLAIN = """
from swell import FlowSpec, step

class PlainFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    PlainFlow()
"""


class Rehearsal:
    """A sandbox of four vCPUs, and folders with the flow in it."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        credentials = SandboxFolder(Path(running.folder)).credentials
        self.variables = {**variables_for(running, credentials), "SWELL_REMOTE_POLL_S": "0.1"}
        self.folder = folder
        self.drivers: list[subprocess.Popen[bytes]] = []

    def type(self, *words: str, code: int = 0, **more: str) -> Done:
        done = python(
            self.folder / "flow.py", *words, store=self.folder, **{**self.variables, **more}
        )
        assert done.code == code, done.stdout + done.stderr
        return done

    def drive(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a run that is not waited for; it prints to the file 'said'."""
        environ = {key: value for key, value in os.environ.items() if key[:6] != "SWELL_"}
        environ |= {"SWELL_ROOT": str(self.folder / ".swell"), "SWELL_USER": "tester"}
        with open(self.folder / "said", "wb") as said:
            driver = subprocess.Popen(
                [sys.executable, "flow.py", "run", *words],
                cwd=self.folder,
                env={**environ, **self.variables},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        self.drivers.append(driver)
        return driver

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    def listed(self, *words: str) -> list[dict[str, Any]]:
        return list(json.loads(self.type("batch", "list", "--json", *words).stdout))

    def hold(self, queue: str = "swell") -> subprocess.Popen[bytes]:
        """A run whose foreach holds all vCPUs of a queue, and two of its tasks wait."""
        driver = self.drive("--with", f"batch:memory=200,queue={queue}")
        until(lambda: self.said.count("] holding") == 4)
        return driver

    def close(self) -> None:
        for driver in self.drivers:
            if driver.poll() is None:
                driver.terminate()
                driver.wait(DEADLINE_S)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("sandbox")
    started = start(
        Wanted(folder=str(folder), home=str(folder / "home"), vcpus=4, ends_with_stdin=True)
    )
    assert started.stdin is not None
    with started.stdin:
        yield started.running


@pytest.fixture
def rehearsal(running: Running, tmp_path: Path) -> Iterator[Rehearsal]:
    (tmp_path / "flow.py").write_text(FLOW)
    found = Rehearsal(running, tmp_path)
    yield found
    found.close()
    ask(running, "chaos", {"clear": True})


@pytest.fixture(scope="module")
def held(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """One with a run that tests leave as it is; it holds the vCPUs of a queue of its own, so
    that it is in no other test's way, whichever of them comes first."""
    folder = tmp_path_factory.mktemp("held")
    (folder / "flow.py").write_text(FLOW)
    found = Rehearsal(running, folder)
    found.hold(queue="spot")
    yield found
    found.close()


def test_jobs_are_listed_and_killed_and_their_driver_does_not_try_again(rehearsal):
    driver = rehearsal.hold()
    (job,) = rehearsal.listed()
    assert (job["run"], job["step"], job["user"], job["queue"]) == ("1", "hold", "tester", "swell")
    assert (job["tasks"], job["states"]) == (6, {"RUNNING": 4, "RUNNABLE": 2})
    said = rehearsal.type("batch", "list").stdout
    assert "4 running, 2 runnable" in said
    assert job["job"] in said
    assert job["name"] in said
    assert "4 running, 2 runnable" in rehearsal.type("batch", "why").stdout
    assert rehearsal.listed("--user", "tester", "--run-id", "1") == [job]
    assert rehearsal.listed("--my-runs") == [job]

    (rehearsal.folder / "flow.py").write_text(FLOW.replace("(self.join)", "(self.gone)"))
    done = rehearsal.type("batch", "kill", "--yes")
    assert "Ended 1 job with 6 tasks of run 1; none is left." in done.stdout
    assert "cannot be read" in done.stderr
    driver.wait(DEADLINE_S)
    assert "cancelled: It was ended on request: killed by tester." in rehearsal.said
    assert rehearsal.said.count("] holding") == 4
    assert "OSError" not in rehearsal.said.partition("Task was ended")[2]

    assert rehearsal.listed() == []
    for command in ("list", "kill", "why"):
        said = rehearsal.type("batch", command)
        assert "No unfinished job of run 1 is on AWS Batch." in said.stderr
        assert said.stdout == ""


def test_a_job_that_waits_is_explained_from_another_process_than_its_driver(rehearsal):
    ask(rehearsal.running, "chaos", {"capacity": 0})
    rehearsal.drive("--with", "batch:memory=200,queue=spot")
    until(lambda: "Run 1 of" in rehearsal.said)
    until(lambda: "no machines of the kind" in rehearsal.type("batch", "why").stdout)
    said = rehearsal.type("batch", "why").stdout
    assert "1/start: job" in said
    assert "not spot only" in said
    (fact,) = json.loads(rehearsal.type("batch", "why", "--json").stdout)
    assert (fact["step"], fact["queue"], fact["state"]) == ("start", "spot", "RUNNABLE")
    assert "Amazon has no machines" in fact["why"]
    assert "Ended 1 job of run 1" in rehearsal.type("batch", "kill").stdout


def test_without_a_driver_jobs_are_found_and_ended_too(rehearsal):
    driver = rehearsal.hold()
    driver.kill()
    driver.wait(DEADLINE_S)
    assert "none is left" in rehearsal.type("batch", "kill", "--run-id", "1").stdout
    assert rehearsal.listed() == []


def test_wrong_uses_are_told(rehearsal):
    said = rehearsal.type("batch", "list")
    assert "There is no run yet" in said.stderr
    assert rehearsal.type("batch", "list", "--json").stdout == "[]\n"
    said = rehearsal.type("batch", "kill", "--my-runs", "--user", "ada", code=2)
    assert "--my-runs cannot be given with" in said.stderr


def test_where_no_queue_is_named_or_none_is_there_the_remedy_is(rehearsal):
    (rehearsal.folder / "flow.py").write_text(PLAIN)
    rehearsal.type("run")
    said = rehearsal.type("batch", "list", code=2, SWELL_PROFILE="")
    assert "No queue of AWS Batch is named" in said.stderr
    assert "Set SWELL_BATCH_JOB_QUEUE" in said.stderr
    said = rehearsal.type("batch", "list", code=1, SWELL_BATCH_JOB_QUEUE="nowhere")
    assert "There is no queue 'nowhere'" in said.stderr
    said = rehearsal.type("batch", "why")
    assert "No unfinished job of run 1 is on AWS Batch." in said.stderr


def test_on_a_terminal_it_asks_and_a_no_ends_nothing(held):
    ours, theirs = pty.openpty()
    environ = {**os.environ, **held.variables, "SWELL_USER": "tester"}
    environ["SWELL_ROOT"] = str(held.folder / ".swell")
    asking = subprocess.Popen(
        [sys.executable, "flow.py", "batch", "kill"], cwd=held.folder, env=environ,
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, b"n\n")
    sent = b""
    with suppress(OSError):  # the end of a terminal whose program has gone
        while part := os.read(ours, 4096):
            sent += part
    os.close(ours)
    assert asking.wait(DEADLINE_S) == 1
    assert b"End 1 job with 6 tasks of run 1? [y/N]" in sent
    assert b"Nothing was ended." in sent
    assert len(held.listed()) == 1


def test_runs_of_others_are_left_alone_unless_they_are_named(held):
    said = held.type("batch", "kill", code=1, SWELL_USER="ada")
    assert "There is no run of yours ('ada'); the latest is 1, of 'tester'." in said.stderr
    said = held.type("batch", "kill", "--my-runs", SWELL_USER="ada")
    assert "There is no run of HoldFlow by ada" in said.stderr
    said = held.type("batch", "kill", "--run-id", "1", "--user", "ada")
    assert "There is no run 1 by ada" in said.stderr
    said = held.type("batch", "list", "--run-id", "7", code=1)
    assert "has no run '7'" in said.stderr
    assert len(held.listed("--run-id", "1")) == 1
