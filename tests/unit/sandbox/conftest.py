"""A served Batch for each module of tests, spoken to by boto3 alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from botocore.config import Config

from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.batch_service import BatchService
from swell.sandbox.jobs import JobEnd, JobSpec
from tests.unit.sandbox.rehearsal import NEEDS, ScriptedRunner

DEADLINE_S = 20.0
QUICK = BatchSettings(
    submitted_s=0.01,
    starting_s=0.01,
    scale_up_s=0.01,
    describe_lag_s=0.0,
    summary_lag_s=0.02,
    blocked_after_s=0.05,
    calls_per_s=10_000,
)


class Served:
    """A service, its runner and a client of it."""

    def __init__(self, settings: BatchSettings, folder: Path | None = None) -> None:
        self.runner = ScriptedRunner(play)
        self.announced: list[tuple[str, float]] = []
        self.service = BatchService(
            settings,
            self.runner,
            folder=folder,
            announce=lambda host, at: self.announced.append((host, at)),
        )
        self.url = self.service.serve()
        self.client: Any = boto3.client(
            "batch",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def define(self, name: str = "d", **more: Any) -> str:
        properties = {"image": "python:3.11", "command": ["true"], "resourceRequirements": NEEDS}
        request = {"containerProperties": properties, "type": "container", **more}
        return str(
            self.client.register_job_definition(jobDefinitionName=name, **request)[
                "jobDefinitionArn"
            ]
        )

    def submit(self, name: str = "job", **more: Any) -> str:
        request = {"jobName": name, "jobQueue": "swell", "jobDefinition": "d", **more}
        return str(self.client.submit_job(**request)["jobId"])

    def queues(self) -> list[dict[str, Any]]:
        return list(self.client.describe_job_queues()["jobQueues"])

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.client.describe_jobs(jobs=[job_id])["jobs"][0])

    def until(self, job_id: str, *states: str) -> dict[str, Any]:
        """The job once it is known and in one of ``states``."""
        jobs = self.wait(
            lambda: self.client.describe_jobs(jobs=[job_id])["jobs"],
            lambda jobs: jobs and jobs[0]["status"] in states,
        )
        return dict(jobs[0])

    def wait(self, look: Callable[[], Any], is_right: Callable[[Any], bool]) -> Any:
        """What ``look`` gives once it is right; fails after a deadline."""
        until = time.monotonic() + DEADLINE_S
        while not is_right(found := look()):
            assert time.monotonic() < until, f"never came: {found}"
        return found

    def close(self) -> None:
        self.client.close()
        self.service.close()


def play(spec: JobSpec) -> JobEnd | None:
    """What a job's command says: ``hold``, or ``exit`` and a code, maybe with a reason."""
    word, *rest = spec.command
    if word == "hold":
        return None
    code = int(rest[0]) if word == "exit" else 0
    return JobEnd(exit_code=code, reason=rest[1] if len(rest) > 1 else "", stopped_at=0.0)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    found = Served(QUICK)
    found.define()
    yield found
    found.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Makes services of one's own settings."""
    made: list[Served] = []

    def make(**changes: Any) -> Served:
        made.append(Served(msgspec.structs.replace(QUICK, **changes)))
        made[-1].define()
        return made[-1]

    yield make
    for one in made:
        one.close()
