"""What Batch says of a job that ended, as evidence for ``model.cause``: one table of its words.

The statusReason of job and attempt, the reason and exit code of the container, and whether
somebody cancelled or terminated it are looked at together; all raw words are kept.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from swell.bootstrap.ends import LOST_REASON
from swell.compute.batch.records import Job
from swell.model.cause import Cause, Evidence

OWN_REASON = "swell: "
"""Every request of ours to end a job gives a reason that begins so."""

TIME_LIMIT_ACTION = "by JobStateTimeLimit action"
_SIGNAL_BASE = 128
_LARGEST_SIGNAL = 64


class _Row(NamedTuple):
    """Words of Batch or ECS, by which ``cause`` is known, and the sentence for people."""

    pattern: re.Pattern[str]
    cause: Cause
    sentence: str


def _row(pattern: str, cause: Cause, sentence: str) -> _Row:
    return _Row(re.compile(pattern, re.IGNORECASE), cause, sentence)


# The first that matches holds. Sources: AWS_Batch user guide, "Job retries" and
# "Troubleshooting"; ECS developer guide, "Stopped task error codes".
_OF_STATUS = (
    _row(f"^{LOST_REASON}", Cause.DRIVER_LOST,
         "No driver looked after its run any more, so its array was ended."),
    _row(TIME_LIMIT_ACTION, Cause.PLACEMENT,
         "The queue gave up looking for a machine: {status}"),
    _row(r"duration exceeded timeout", Cause.TIMEOUT,
         "It ran longer than its time limit and was ended."),
    _row(r"your spot task was interrupted", Cause.SPOT, "Its spot machine was taken back."),
    _row(r"^host ec2 .*terminated", Cause.HOST_LOST, "Its machine went away: {status}"),
    _row(r"container overrides length", Cause.ENVIRONMENT,
         "Its variables were too long: {status}"),
    _row(r"tags.*(exceed|too many|maximum)", Cause.ENVIRONMENT, "It had too many tags: {status}"),
)  # fmt: skip
_OF_CONTAINER = (
    _row(r"OutOfMemory", Cause.OUT_OF_MEMORY, "Out of memory"),
    _row(r"no space left on device", Cause.DISK_FULL, "The disk of its machine is full: {reason}"),
    _row(r"executable file not found|no such file or directory", Cause.IMAGE,
         "The image has no Python where it was looked for: {reason}"),
    _row(r"exec format error", Cause.IMAGE,
         "The image is for another kind of processor: {reason}"),
    _row(r"^CannotPull", Cause.IMAGE, "The image cannot be pulled: {reason}"),
    _row(r"^Cannot(Start|Create|Inspect)Container", Cause.IMAGE,
         "The container could not be started: {reason}"),
    _row(r"^ResourceInitializationError.*(pull|registry|ecr)", Cause.IMAGE,
         "The image cannot be pulled: {reason}"),
    _row(r"^ResourceInitializationError", Cause.ENVIRONMENT,
         "The container could not be prepared: {reason}"),
    _row(r"^DockerTimeoutError", Cause.HOST_LOST, "Its machine was too slow: {reason}"),
)  # fmt: skip
_OF_SUPERVISOR = {
    75: (
        Cause.HOST_LOST,
        "It could not reach its object store, and gave up before its step began.",
    ),
    78: (Cause.ENVIRONMENT, "Its image, packages or credentials are wrong: its log says which."),
}
"""Exit codes of ``swell.bootstrap``, which a flow's own process never ends with."""
_NOT_STARTED = _row(r"^task failed to start", Cause.IMAGE, "Its container did not start: {status}")


def end_of(job: Job, *, is_spot: bool = False, memory_limit_mb: int | None = None) -> Evidence:
    """Evidence from a job that ended; ``is_spot`` says that its machine was one.

    A job that Batch counts as succeeded is no success here: only what the attempt left
    says so.
    """
    status = _status_of(job)
    reason = _reason_of(job)
    code = _exit_code_of(job)
    raw = tuple(text for text in (f"Batch: {job.status}", status, reason) if text)
    cause, sentence = _found(job, status, reason, is_spot)
    return Evidence(
        exit_code=code,
        signal=_signal_of(code),
        memory_limit_mb=memory_limit_mb,
        host_lost=cause in (Cause.HOST_LOST, Cause.SPOT),
        engine_cause=cause,
        reason=sentence,
        raw=raw,
    )


def _found(job: Job, status: str, reason: str, is_spot: bool) -> tuple[Cause | None, str]:
    words = {"status": _sentence(status), "reason": _sentence(reason)}
    for row in _OF_STATUS:
        if row.pattern.search(status):
            if row.cause is Cause.HOST_LOST and is_spot:
                return Cause.SPOT, "Its spot machine was taken back."
            return row.cause, row.sentence.format(**words)
    ended = job.is_terminated or job.is_cancelled or status.startswith(OWN_REASON)
    if ended and job.status != "SUCCEEDED":
        return Cause.CANCELLED, _who_ended(status)
    for row in _OF_CONTAINER:
        if row.pattern.search(reason):
            return row.cause, row.sentence.format(**words)
    if _NOT_STARTED.pattern.search(status):
        return Cause.IMAGE, _NOT_STARTED.sentence.format(**words)
    code = _exit_code_of(job)
    if code in _OF_SUPERVISOR:
        return _OF_SUPERVISOR[code]
    # An ordinary exit: the code says it, or nothing does.
    return None, "" if code is not None else status


def _who_ended(status: str) -> str:
    if status.startswith(OWN_REASON):
        return f"It was ended on request: {_sentence(status[len(OWN_REASON) :])}"
    given = f", who gave the reason '{status}'" if status else ""
    return f"It was ended by somebody outside of swell{given}."


def _status_of(job: Job) -> str:
    """The job's own words; where they say nothing, those of its last attempt."""
    last = job.attempts[-1].status_reason if job.attempts else ""
    own = job.status_reason
    # The job often says only that its container exited, the attempt what happened to it.
    if own.startswith("Essential container") and last:
        return last
    return own or last


def _reason_of(job: Job) -> str:
    last = job.attempts[-1].container.reason if job.attempts else ""
    return job.container.reason or last


def _exit_code_of(job: Job) -> int | None:
    if job.container.exit_code is not None:
        return job.container.exit_code
    return job.attempts[-1].container.exit_code if job.attempts else None


def cluster_of(job: Job) -> str:
    """The name of the ECS cluster it ran on; empty where Batch does not say."""
    places = [job.container.container_instance_arn]
    places += [attempt.container.container_instance_arn for attempt in reversed(job.attempts)]
    for place in places:
        # arn:aws:ecs:region:account:container-instance/CLUSTER/ID
        parts = place.split("/")
        if len(parts) == 3:
            return parts[1]
    return ""


def _signal_of(code: int | None) -> int | None:
    """Docker reports a death by signal as 128 + its number."""
    if code is None or not _SIGNAL_BASE < code <= _SIGNAL_BASE + _LARGEST_SIGNAL:
        return None
    return code - _SIGNAL_BASE


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."
