"""A sandbox that comes up again knows what it knew."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell.errors import StoreError
from swell.sandbox.batch_service import BatchService
from tests.unit.sandbox.conftest import QUICK, Served
from tests.unit.sandbox.rehearsal import ScriptedRunner


def test_jobs_definitions_and_queues_are_there_again_and_what_ran_has_failed(
    tmp_path: Path,
) -> None:
    first = Served(QUICK, tmp_path)
    first.define()
    good = first.submit("good", arrayProperties={"size": 3})
    first.until(good, "SUCCEEDED")
    running = first.submit("running", containerOverrides={"command": ["hold"]})
    first.until(running, "RUNNING")
    first.client.update_job_queue(jobQueue="spot", state="DISABLED")
    first.close()
    assert first.runner.is_closed

    second = Served(QUICK, tmp_path)
    states = {one["jobQueueName"]: one["state"] for one in second.queues()}
    assert states == {
        "swell": "ENABLED",
        "spot": "DISABLED",
        "fargate": "ENABLED",
        "fair": "ENABLED",
    }
    kept = second.job(good)
    assert kept["status"] == "SUCCEEDED"
    assert kept["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 3
    assert second.job(f"{good}:2")["container"]["exitCode"] == 0
    lost = second.job(running)
    assert lost["status"] == "FAILED"
    after = second.submit("after")
    assert second.until(after, "SUCCEEDED")["jobDefinition"].endswith("d:1")
    second.close()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "batch.json").write_text("{")
    with pytest.raises(StoreError, match=r"batch\.json"):
        BatchService(QUICK, ScriptedRunner(), folder=tmp_path).serve()
