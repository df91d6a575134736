"""Jobs as DescribeJobs and ListJobs show them."""

from __future__ import annotations

from swell.sandbox.batch.entities import ARRAY, CHILD, MULTINODE, NODE, Attempt, Document, Job
from swell.sandbox.batch.names import Names


def detail(job: Job, names: Names) -> Document:
    """A JobDetail. Times are milliseconds; startedAt is there once there is one."""
    work = job.work
    shown: Document = {
        "jobArn": names.arn("job", job.id),
        "jobName": work.name,
        "jobId": job.id,
        "jobQueue": job.queue.arn,
        "status": job.status,
        "attempts": [_attempt(one) for one in job.attempts if one.stopped_at is not None],
        "createdAt": milliseconds(job.created_at),
        "retryStrategy": work.shown["retryStrategy"],
        "dependsOn": work.shown["dependsOn"] if job.parent is None else [],
        "jobDefinition": work.definition_arn,
        "parameters": work.shown["parameters"],
        "tags": work.shown["tags"],
        "propagateTags": work.shown["propagateTags"],
        "platformCapabilities": [work.platform],
        "isCancelled": job.is_cancelled,
        "isTerminated": job.is_terminated,
    }
    if "timeout" in work.shown:
        shown["timeout"] = work.shown["timeout"]
    if work.share is not None:
        shown["shareIdentifier"] = work.share
    if work.priority is not None:
        shown["schedulingPriority"] = work.priority
    _add_times(shown, job)
    if job.kind == MULTINODE:
        shown["nodeProperties"] = work.shown["nodeProperties"]
    else:
        shown["container"] = _container(job)
    if job.kind == NODE:
        is_main = job.index == work.main_node
        shown["nodeDetails"] = {"nodeIndex": job.index, "isMainNode": is_main}
    _add_array(shown, job)
    return shown


def summary(job: Job, names: Names) -> Document:
    """A JobSummary."""
    shown: Document = {
        "jobArn": names.arn("job", job.id),
        "jobId": job.id,
        "jobName": job.work.name,
        "createdAt": milliseconds(job.created_at),
        "status": job.status,
        "jobDefinition": job.work.definition_arn,
        "isCancelled": job.is_cancelled,
        "isTerminated": job.is_terminated,
    }
    if job.work.share is not None:
        shown["shareIdentifier"] = job.work.share
    _add_times(shown, job)
    ended = job.attempts[-1] if job.attempts and job.attempts[-1].stopped_at is not None else None
    shown["container"] = _exit(ended) if ended is not None else {}
    if job.kind == MULTINODE:
        shown["nodeProperties"] = {"numNodes": len(job.work.containers)}
    if job.kind == NODE:
        is_main = job.index == job.work.main_node
        shown["nodeProperties"] = {"nodeIndex": job.index, "isMainNode": is_main}
    _add_array(shown, job)
    return shown


def milliseconds(time_s: float) -> int:
    """Unix milliseconds, as the API counts."""
    return round(time_s * 1000)


def _add_times(shown: Document, job: Job) -> None:
    if job.status_reason is not None:
        shown["statusReason"] = job.status_reason
    if job.started_at is not None:
        shown["startedAt"] = milliseconds(job.started_at)
    if job.stopped_at is not None and job.is_over:
        shown["stoppedAt"] = milliseconds(job.stopped_at)


def _add_array(shown: Document, job: Job) -> None:
    if job.kind == ARRAY:
        shown["arrayProperties"] = {
            "size": job.work.size,
            "statusSummary": job.published,
            "statusSummaryLastUpdatedAt": milliseconds(job.published_at),
        }
    elif job.kind == CHILD:
        shown["arrayProperties"] = {"index": job.index, "size": job.work.size}


def _container(job: Job) -> Document:
    shown = dict(job.container.properties)
    if job.attempts:
        last = job.attempts[-1]
        shown |= _where(last)
        if last.stopped_at is not None:
            shown |= _exit(last)
    return shown


def _attempt(attempt: Attempt) -> Document:
    stopped = attempt.stopped_at if attempt.stopped_at is not None else attempt.started_at
    return {
        "container": {**_where(attempt), **_exit(attempt), "networkInterfaces": []},
        "startedAt": milliseconds(attempt.started_at),
        "stoppedAt": milliseconds(stopped),
        "statusReason": attempt.status_reason,
    }


def _where(attempt: Attempt) -> Document:
    found: Document = {"taskArn": attempt.task_arn, "logStreamName": attempt.log_stream}
    if attempt.instance_arn:
        found["containerInstanceArn"] = attempt.instance_arn
    return found


def _exit(attempt: Attempt) -> Document:
    found: Document = {}
    if attempt.exit_code is not None:
        found["exitCode"] = attempt.exit_code
    if attempt.reason:
        found["reason"] = attempt.reason
    return found
