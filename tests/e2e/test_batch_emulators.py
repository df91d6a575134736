"""The client of AWS Batch from end to end on emulators that somebody else wrote.

Their jobs are processes here, as there is no Docker (tests/servers/process_docker). What they
lack is tried in the sandbox alone:

- moto: retryStrategy, bulk TerminateJobs, filters of ListJobs, queue snapshots, capacity; the
  index of an array's child is not in its environment, so the stand-in for Docker gives it.
- localbatch: array and multi-node jobs, evaluateOnExit, reasons of containers, bulk
  TerminateJobs, filters of ListJobs, SIGTERM before SIGKILL.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from swell import Task
from tests.contract.test_batch_queue_on_moto import make_place
from tests.e2e.flow_place import Place
from tests.servers import emulators
from tests.servers.seaweedfs import SeaweedFs

boto3 = pytest.importorskip("boto3")

FLOW = """
class EmulatedFlow(FlowSpec):
    @step
    def start(self):
        print("from start")
        self.table = b"t" * 200_000
        self.next(self.a, self.b)

    @step
    def a(self):
        self.got = len(self.table)
        self.next(self.join)

    @catch(var="problem")
    @retry(times=1)
    @step
    def b(self):
        self.got = current.retry_count
        if current.retry_count == 0:
            raise LookupError("the first time")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.got = [i.got for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass
"""
FOREACH = """
class EmulatedForeachFlow(FlowSpec):
    @step
    def start(self):
        self.xs = [1, 2, 3]
        self.next(self.work, foreach="xs")

    @step
    def work(self):
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
FAILS = """
import os

class EmulatedDeathFlow(FlowSpec):
    @step
    def start(self):
        print("last words", flush=True)
        os._exit(3)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


class Emulated(Place):
    """Runs on an emulator."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        super().__init__(folder)
        self.variables = variables

    def run_there(self, code: int = 0) -> str:
        done = self.call("run", "--with", "batch", code=code, **self.variables)
        return done.stdout + done.stderr


def variables(batch_url: str, s3_url: str, s3_server: SeaweedFs) -> dict[str, str]:
    return {
        **s3_server.environ(),
        "SWELL_DATASTORE": s3_url,
        "SWELL_AWS_REGION": "us-east-1",
        "SWELL_BATCH_ENDPOINT_URL": batch_url,
        "SWELL_LOGS_ENDPOINT_URL": batch_url,
        "SWELL_BATCH_JOB_QUEUE": "big",
        "SWELL_REMOTE_POLL_S": "0.1",
    }


@pytest.fixture(scope="module", params=["moto", "localbatch"])
def emulator(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    s3_server: SeaweedFs,
) -> Iterator[str]:
    pytest.importorskip(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    with (
        emulators.running(request.param, folder, s3_server) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in s3_server.environ().items():
            patch.setenv(name, value)
        if request.param == "moto":
            make_place(url)
        yield url


@pytest.fixture
def place(tmp_path: Path, emulator: str, s3_server: SeaweedFs, s3_url: str) -> Emulated:
    return Emulated(tmp_path, variables(emulator, s3_url, s3_server))


def test_branches_artifacts_retries_and_output(place):
    place.write(FLOW)
    said = place.run_there()
    run = place.run("EmulatedFlow/1")
    assert run["join"].task.data.got == [200_000, 1]
    assert run["start"].task.stdout == "from start\n"
    assert "from start" in said
    first = Task(run["b"].task.pathspec, attempt=0)
    assert first.cause == "user_error"


def test_a_process_that_dies_is_told_by_its_exit_code(place):
    place.write(FAILS)
    place.run_there(code=1)
    task = place.run("EmulatedDeathFlow/1")["start"].task
    assert task.cause == "exit"
    assert task.stdout == "last words\n"


def test_a_foreach_is_an_array(place, emulator, request):
    if "localbatch" in request.node.name:
        pytest.skip("localbatch runs an array job as one job, without children")
    place.write(FOREACH)
    place.run_there()
    assert place.run("EmulatedForeachFlow/1")["join"].task.data.got == [2, 4, 6]
