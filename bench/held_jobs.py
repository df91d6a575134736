"""A Batch whose jobs are no processes: they run until somebody ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swell.model.ids import JobId
from swell.model.submission_name import submission_name
from swell.sandbox.batch.default_resources import ResourceCall
from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.batch_service import BatchService
from swell.sandbox.jobs import JobEnd, JobSpec
from swell.session.reading import open_address

ENDED = ("SUCCEEDED", "FAILED")


class HeldJobs:
    """A JobRunner without processes: an attempt ends when it is stopped or killed."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, int], Callable[[JobEnd], None]] = {}

    def start(self, spec: JobSpec, on_end: Callable[[JobEnd], None]) -> None:
        self._running[(spec.job_id, spec.attempt)] = on_end

    def stop(self, job_id: str, attempt: int, grace_s: float) -> None:
        self._end(job_id, attempt, 143)

    def kill(self, job_id: str, attempt: int) -> None:
        self._end(job_id, attempt, 137)

    def close(self) -> None:
        for job_id, attempt in list(self._running):
            self.kill(job_id, attempt)

    def _end(self, job_id: str, attempt: int, code: int) -> None:
        on_end = self._running.pop((job_id, attempt), None)
        if on_end is not None:
            on_end(JobEnd(exit_code=code, stopped_at=0.0))


class HeldBatch:
    """A service with jobs in the names of flows; ``store`` holds run 1 of FanFlow."""

    def __init__(self, service: BatchService, url: str, store: Path) -> None:
        self._service = service
        self.url = url
        opened = open_address(str(store / ".swell"))
        self._store_id = opened.metastore.store_id
        opened.close()
        self._made = 0
        self._make(
            "RegisterJobDefinition",
            {
                "jobDefinitionName": "held",
                "type": "container",
                "containerProperties": {
                    "image": "python:3.11",
                    "command": ["true"],
                    "resourceRequirements": [
                        {"type": "VCPU", "value": "1"},
                        {"type": "MEMORY", "value": "500"},
                    ],
                },
            },
        )

    def submit(self, flow: str, run: str, count: int = 1) -> None:
        """An array of ``count`` jobs of a run, or a lone one."""
        self._made += 1
        name = submission_name(self._store_id, flow, run, "work", [JobId(str(self._made), 0)])
        array = {"arrayProperties": {"size": count}} if count > 1 else {}
        self._make(
            "SubmitJob", {"jobName": name, "jobQueue": "swell", "jobDefinition": "held", **array}
        )

    def _make(self, operation: str, request: dict[str, Any]) -> None:
        """Count against no limit."""
        self._service.decider.make([ResourceCall(operation, request)])

    def unfinished(self) -> int:
        """Jobs that have not ended, each child of an array for itself."""
        return sum(
            count
            for queue in self._service.decider.status().queues
            for state, count in queue.jobs.items()
            if state not in ENDED
        )

    def calls(self) -> int:
        """Calls of the API so far."""
        return sum(self._service.decider.status().calls.values())


@contextmanager
def held_batch(store: Path, calls_per_s: float = 50.0) -> Iterator[HeldBatch]:
    """Served while the block lasts; 50 calls a second are what AWS allows."""
    with BatchService(BatchSettings(calls_per_s=calls_per_s), HeldJobs()) as service:
        yield HeldBatch(service, service.serve(), store)
