"""Machines are lost under tasks on AWS Batch, and the user's retries are not used up."""

from __future__ import annotations

from pathlib import Path

import pytest

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
