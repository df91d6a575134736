"""A Batch without HTTP, threads or clock, and a runner that does as it is told."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from swell.sandbox.batch.api_model import ApiModel
from swell.sandbox.batch.commands import AnnounceLoss, KillJob, StartJob, StopJob
from swell.sandbox.batch.machine import Batch
from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.jobs import JobEnd, JobSpec

NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "1000"}]


def needs(vcpus: int = 1, memory: int = 1000, gpus: int = 0) -> list[dict[str, str]]:
    found = [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": str(memory)}]
    return found + ([{"type": "GPU", "value": str(gpus)}] if gpus else [])


@functools.cache
def _model() -> ApiModel:
    return ApiModel()


class Rehearsal:
    """A Batch at a time of its own; attempts end when ``end`` says so."""

    def __init__(
        self, max_vcpus: int = 64, types: tuple[str, ...] = ("m5.large",), **settings: Any
    ):
        self.now = 1_000_000.0
        self.batch = Batch(BatchSettings(**{"describe_lag_s": 0.0, **settings}), seed=1)
        self.started: list[JobSpec] = []
        self.stopped: list[StopJob] = []
        self.killed: list[KillJob] = []
        self.announced: list[AnnounceLoss] = []
        self.call(
            "CreateComputeEnvironment",
            computeEnvironmentName="ce",
            type="MANAGED",
            computeResources={"type": "EC2", "maxvCpus": max_vcpus, "instanceTypes": list(types)},
        )
        self.queue("q", "ce")
        self.define("d")

    def queue(self, name: str, *environments: str, **more: Any) -> None:
        order = [
            {"order": place, "computeEnvironment": one} for place, one in enumerate(environments)
        ]
        self.call(
            "CreateJobQueue",
            jobQueueName=name,
            priority=1,
            computeEnvironmentOrder=order,
            **more,
        )

    def define(self, name: str, **more: Any) -> str:
        properties = {"image": "python:3.11", "command": ["true"], "resourceRequirements": NEEDS}
        whole = {"containerProperties": properties, "type": "container", **more}
        given = {key: value for key, value in whole.items() if value is not None}
        arn: str = self.call("RegisterJobDefinition", jobDefinitionName=name, **given)[
            "jobDefinitionArn"
        ]
        return arn

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        _model().check_request(operation, request)
        answer = self.batch.call(operation, request, self.now, is_free=True)
        assert _model().wrong_with_answer(operation, answer) is None
        self._take()
        return answer

    def submit(self, name: str = "job", queue: str = "q", **more: Any) -> str:
        request = {"jobName": name, "jobQueue": queue, "jobDefinition": "d", **more}
        job_id: str = self.call("SubmitJob", **request)["jobId"]
        return job_id

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping at each moment at which something is due."""
        until = self.now + seconds
        while (due := self.batch.next_time) is not None and due <= until:
            self.now = max(self.now, due)
            self.batch.tick(self.now)
            self._take()
        self.now = until
        self.batch.tick(until)
        self._take()

    def end(self, job_id: str, exit_code: int | None = 0, reason: str = "") -> None:
        """The latest attempt of ``job_id`` ends."""
        spec = [one for one in self.started if one.job_id == job_id][-1]
        end = JobEnd(exit_code=exit_code, reason=reason, stopped_at=self.now)
        self.batch.ended(job_id, spec.attempt, end, self.now)
        self._take()

    def job(self, job_id: str) -> dict[str, Any]:
        (found,) = self.call("DescribeJobs", jobs=[job_id])["jobs"]
        return dict(found)

    def status(self, job_id: str) -> str:
        return str(self.job(job_id)["status"])

    def running(self, name: str = "job", **more: Any) -> str:
        """Submit a job and wait until it runs."""
        job_id = self.submit(name, **more)
        self.advance(5)
        return job_id

    def _take(self) -> None:
        for command in self.batch.take_commands():
            if isinstance(command, StartJob):
                self.started.append(command.spec)
            elif isinstance(command, StopJob):
                self.stopped.append(command)
            elif isinstance(command, AnnounceLoss):
                self.announced.append(command)
            else:
                self.killed.append(command)


class ScriptedRunner:
    """Ends each attempt as ``play`` says: a JobEnd at once; None: when it is stopped or killed."""

    def __init__(self, play: Callable[[JobSpec], JobEnd | None] | None = None) -> None:
        self._play = play or (lambda spec: JobEnd(exit_code=0, stopped_at=0.0))
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], Callable[[JobEnd], None]] = {}
        self.specs: list[JobSpec] = []
        self.stops: list[tuple[str, float]] = []
        self.is_closed = False

    def start(self, spec: JobSpec, on_end: Callable[[JobEnd], None]) -> None:
        with self._lock:
            self.specs.append(spec)
            end = self._play(spec)
            if end is None:
                self._running[(spec.job_id, spec.attempt)] = on_end
                return
        on_end(end)

    def stop(self, job_id: str, attempt: int, grace_s: float) -> None:
        self.stops.append((job_id, grace_s))
        self._end(job_id, attempt, 143)

    def kill(self, job_id: str, attempt: int) -> None:
        self._end(job_id, attempt, 137)

    def close(self) -> None:
        self.is_closed = True
        for job_id, attempt in list(self._running):
            self.kill(job_id, attempt)

    def _end(self, job_id: str, attempt: int, exit_code: int) -> None:
        with self._lock:
            on_end = self._running.pop((job_id, attempt), None)
        if on_end is not None:
            on_end(JobEnd(exit_code=exit_code, stopped_at=0.0))
