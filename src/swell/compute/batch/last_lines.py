"""What containers printed last, from CloudWatch Logs: for attempts that could not tell it."""

from __future__ import annotations

from collections.abc import Mapping

from swell.compute.batch.api import BatchApi
from swell.compute.batch.records import Job
from swell.seams.queue import KeptLine

DEFAULT_GROUP = "/aws/batch/job"
"""Where Batch puts what jobs print that say nothing of logs:
https://docs.aws.amazon.com/batch/latest/userguide/using_cloudwatch_logs.html"""


def last_lines(api: BatchApi, ids: Mapping[str, float]) -> dict[str, list[KeptLine]]:
    """By job id, what its last attempt printed; ``ids`` says from when on (Unix seconds).

    Jobs that printed nothing, or nothing that can be found, are left out. Raises
    ComputeError.
    """
    found: dict[str, list[KeptLine]] = {}
    for job in api.describe_jobs(ids):
        place = place_of_logs(job)
        if place is None:
            continue
        events = api.last_log_events(*place, since_ms=int(ids[job.job_id] * 1000))
        if events:
            found[job.job_id] = [KeptLine(one.timestamp / 1000, one.message) for one in events]
    return found


def place_of_logs(job: Job) -> tuple[str, str] | None:
    """Group and stream of its last attempt; None for one that never started, or whose lines
    go elsewhere."""
    containers = [attempt.container for attempt in job.attempts[-1:]]
    streams = [one.log_stream_name for one in [*containers, job.container] if one.log_stream_name]
    log = job.container.log_configuration
    if not streams or (log is not None and log.log_driver != "awslogs"):
        return None
    group = log.options.get("awslogs-group") if log is not None else None
    return group or DEFAULT_GROUP, streams[0]
