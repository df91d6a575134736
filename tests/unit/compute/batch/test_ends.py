"""From Batch's own words about an end to its cause."""

import pytest

from swell.bootstrap.ends import LOST_REASON
from swell.compute.batch.ends import OWN_REASON, cluster_of, end_of
from swell.compute.batch.records import AttemptDetail, Container, Job
from swell.model.cause import Cause, find_cause

EXITED = "Essential container in task exited"
NOT_STARTED = "Task failed to start"
INSTANCE = "arn:aws:ecs:eu-west-1:123456789012:container-instance/big_Batch/0a1b"


def ended(status_reason, code=None, reason="", *, status="FAILED", **fields):
    return Job("id", status=status, status_reason=status_reason,
               container=Container(exit_code=code, reason=reason), **fields)  # fmt: skip


# Batch's words → cause, and a part of the sentence.
TABLE = [
    (ended(EXITED, 1), Cause.EXIT, "exit code 1"),
    (ended(EXITED, 0, status="SUCCEEDED"), Cause.EXIT, "exit code 0"),
    (ended(EXITED, 75), Cause.HOST_LOST, "object store"),
    (ended(EXITED, 78), Cause.ENVIRONMENT, "log says"),
    (ended(EXITED, 137), Cause.SIGNAL, "SIGKILL"),
    (ended(EXITED, 139), Cause.SIGNAL, "segmentation fault"),
    (
        ended(EXITED, 137, "OutOfMemoryError: Container killed due to memory usage"),
        Cause.OUT_OF_MEMORY,
        "Out of memory (limit 4,000 MB)",
    ),
    (ended("Host EC2 (instance i-0a1b) terminated."), Cause.HOST_LOST, "i-0a1b"),
    (ended("Host EC2 (instance i-0a1b) terminated.", 143), Cause.HOST_LOST, "i-0a1b"),
    (ended("Host EC2 Terminated"), Cause.HOST_LOST, "machine"),
    (ended("Your Spot Task was interrupted."), Cause.SPOT, "taken back"),
    (ended(LOST_REASON, is_terminated=True), Cause.DRIVER_LOST, "its array was ended"),
    (ended(LOST_REASON, 1, is_terminated=True), Cause.DRIVER_LOST, "its array was ended"),
    (
        ended(
            NOT_STARTED,
            reason="CannotPullContainerError: Error response from daemon: pull access denied for "
            "nowhere, repository does not exist",
        ),
        Cause.IMAGE,
        "cannot be pulled",
    ),
    (
        ended(
            NOT_STARTED,
            127,
            'CannotStartContainerError: Error response from daemon: exec: "python3": executable '
            "file not found in $PATH",
        ),
        Cause.IMAGE,
        "no Python",
    ),
    (
        ended(EXITED, 1, "CannotStartContainerError: exec /usr/bin/python3: exec format error"),
        Cause.IMAGE,
        "another kind of processor",
    ),
    (
        ended(NOT_STARTED, reason="CannotCreateContainerError: no space left on device"),
        Cause.DISK_FULL,
        "disk",
    ),
    (
        ended(NOT_STARTED, reason="ResourceInitializationError: unable to pull registry auth"),
        Cause.IMAGE,
        "cannot be pulled",
    ),
    (
        ended(NOT_STARTED, reason="ResourceInitializationError: failed to invoke EFS utils"),
        Cause.ENVIRONMENT,
        "EFS",
    ),
    (ended(NOT_STARTED, reason="DockerTimeoutError: Could not start"), Cause.HOST_LOST, "slow"),
    (ended(NOT_STARTED), Cause.IMAGE, "did not start"),
    (ended("Job attempt duration exceeded timeout", 137), Cause.TIMEOUT, "time limit"),
    (
        ended(
            "Canceled by JobStateTimeLimit action due to reason: "
            "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
            is_cancelled=True,
        ),
        Cause.PLACEMENT,
        "JOB_RESOURCE_REQUIREMENT",
    ),
    (ended(f"{OWN_REASON}killed by ada", 143), Cause.CANCELLED, "killed by ada"),
    (ended("spring cleaning", 143, is_terminated=True), Cause.CANCELLED, "spring cleaning"),
    (ended("not needed", is_cancelled=True), Cause.CANCELLED, "outside of swell"),
    (ended("Container Overrides length must be at most 8192"), Cause.ENVIRONMENT, "8192"),
    (ended("Something new"), Cause.UNKNOWN, "Something new"),
    (ended(""), Cause.UNKNOWN, "Nothing is known"),
]


@pytest.mark.parametrize(("job", "cause", "part"), TABLE)
def test_an_end_is_understood(job, cause, part):
    finding = find_cause(end_of(job, memory_limit_mb=4000))
    assert finding.cause is cause
    assert part in finding.sentence


def test_a_lost_machine_that_was_spot_was_taken_back():
    job = ended("Host EC2 (instance i-0a1b) terminated.")
    assert find_cause(end_of(job, is_spot=True)).cause is Cause.SPOT


def test_the_last_attempt_says_what_the_job_does_not():
    last = AttemptDetail(
        container=Container(
            exit_code=137, reason="OutOfMemoryError: Container killed due to memory usage"
        ),
        status_reason=EXITED,
    )
    first = AttemptDetail(status_reason="Host EC2 (instance i-0) terminated.")
    job = Job("id", status="FAILED", attempts=(first, last))
    assert find_cause(end_of(job)).cause is Cause.OUT_OF_MEMORY


def test_a_job_that_was_killed_after_it_succeeded_was_not_killed():
    job = ended(EXITED, 0, status="SUCCEEDED", is_terminated=True)
    assert find_cause(end_of(job)).cause is Cause.EXIT


def test_the_raw_words_are_kept():
    evidence = end_of(ended(EXITED, 137, "OutOfMemoryError: x"))
    assert evidence.raw == ("Batch: FAILED", EXITED, "OutOfMemoryError: x")
    assert evidence.exit_code == 137


def test_the_cluster_is_read_from_the_machine_it_ran_on():
    job = Job("id", container=Container(container_instance_arn=INSTANCE))
    assert cluster_of(job) == "big_Batch"
    assert cluster_of(Job("id")) == ""
