"""Machines and drivers are lost under tasks on AWS Batch, which costs no retries of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell import Task
from tests.e2e.batch_place import BatchPlace, until
from tests.servers.sandbox import Sandbox

pytest.importorskip("boto3")

LOST = """
import os, time
from swell import batch

class LostFlow(FlowSpec):
    @step
    def start(self):
        self.here = os.getcwd()
        self.next(self.work)

    @batch(memory=256, queue="QUEUE")
    @retry(times=0 if NEVER else 1)
    @step
    def work(self):
        tries = len(os.listdir(f"{self.here}/tries"))
        open(f"{self.here}/tries/{tries}", "w").close()
        print("try", tries)
        if not tries:
            time.sleep(600)
        self.attempt = current.retry_count
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture
def place(tmp_path: Path, own_sandbox: Sandbox) -> BatchPlace:
    (tmp_path / "tries").mkdir()
    return BatchPlace(tmp_path, own_sandbox)


def tries(place: BatchPlace) -> int:
    return len(list((place.folder / "tries").iterdir()))


def test_a_host_that_is_lost_costs_no_retry_of_the_user_s(place):
    place.write(LOST.replace("QUEUE", "swell").replace("NEVER", "False"))
    with place.started("run") as driver:
        until(lambda: tries(place) == 1)
        place.sandbox.chaos(host_loss=1)
        said, _ = driver.communicate(timeout=200)
    assert driver.returncode == 0, said
    task = place.run("LostFlow/1")["work"].task
    assert task.data.attempt == 0
    (job,) = place.jobs()
    assert len(job["attempts"]) == 2
    assert "Host EC2" in job["attempts"][0]["statusReason"]
    assert task.stdout.splitlines()[-1] == "try 1"


def test_retry_0_forbids_the_second_run_by_batch_too(place):
    place.write(LOST.replace("QUEUE", "swell").replace("NEVER", "True"))
    with place.started("run") as driver:
        until(lambda: tries(place) == 1)
        place.sandbox.chaos(host_loss=1)
        said, _ = driver.communicate(timeout=200)
    assert driver.returncode == 1, said
    assert tries(place) == 1
    assert place.run("LostFlow/1")["work"].task.cause == "host_lost"


def test_a_spot_machine_that_is_taken_back_costs_no_retry_of_the_user_s(place):
    place.write(LOST.replace("QUEUE", "spot").replace("NEVER", "False"))
    place.sandbox.chaos(spot=1.0, within_s=2.0, notice_s=1.0, seed=7)
    with place.started("run") as driver:
        until(lambda: tries(place) == 1)
        place.sandbox.chaos(spot=0.0)
        said, _ = driver.communicate(timeout=200)
    assert driver.returncode == 0, said
    assert place.run("LostFlow/1")["work"].task.data.attempt == 0
    assert tries(place) == 2


HEAVY = """
import os, time
from swell import batch

class HeavyFlow(FlowSpec):
    @step
    def start(self):
        self.here = os.getcwd()
        self.xs = [0, 1, 2, 3]
        self.next(self.work, foreach="xs")

    @batch(memory=256, cpu=16)
    @step
    def work(self):
        open(f"{self.here}/tries/{self.input}-{current.retry_count}", "w").close()
        print("try", current.retry_count)
        while not os.path.exists(f"{self.here}/go"):
            time.sleep(0.05)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_the_first_attempt_without_a_driver_ends_its_array_and_attach_goes_on(place):
    place.write(HEAVY)
    with place.started("run", SWELL_LEASE_S="8") as driver:
        until(lambda: tries(place))
        driver.kill()
        driver.communicate(timeout=200)
    until(lambda: place.unfinished() == [])
    begun = tries(place)
    # The sandbox has room for two at a time.
    assert begun <= 2
    (array,) = place.jobs()
    assert array["statusReason"] == "swell: driver lost"
    (place.folder / "go").touch()

    place.call("attach", "1")

    assert place.run("HeavyFlow/1").successful
    assert tries(place) == begun + 4
    first = Task(place.run("HeavyFlow/1")["work"].task.pathspec, attempt=0)
    assert first.cause == "driver_lost"
