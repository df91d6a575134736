"""A job's life in the sandbox's Batch: states, arrays, retries, limits, dependencies, nodes."""

from __future__ import annotations

from typing import Any

import pytest

from swell.sandbox.batch.refusal import Refused
from swell.sandbox.jobs import OUT_OF_MEMORY
from tests.unit.sandbox.rehearsal import NEEDS, Rehearsal, needs

STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")


@pytest.fixture
def batch() -> Rehearsal:
    return Rehearsal()


def test_a_job_passes_through_the_states_in_order_each_after_its_delay() -> None:
    batch = Rehearsal(submitted_s=1, scale_up_s=10, starting_s=5)
    job = batch.submit()
    seen = [batch.status(job)]
    for seconds in (1, 9, 1, 4, 1):
        batch.advance(seconds)
        seen.append(batch.status(job))
    assert seen == ["SUBMITTED", "RUNNABLE", "RUNNABLE", "STARTING", "STARTING", "RUNNING"]
    batch.end(job)
    assert batch.status(job) == "SUCCEEDED"


def test_a_fresh_job_may_be_missing_from_describe_and_list_for_a_moment() -> None:
    batch = Rehearsal(describe_lag_s=2)
    job = batch.submit()
    assert batch.call("DescribeJobs", jobs=[job]) == {"jobs": []}
    assert not batch.call("ListJobs", jobQueue="q", jobStatus="SUBMITTED")["jobSummaryList"]
    batch.advance(2)
    assert batch.job(job)["jobId"] == job


def test_an_attempt_is_given_every_variable_that_batch_sets(batch: Rehearsal) -> None:
    environment = [{"name": "A", "value": "1"}]
    parent = batch.submit(
        arrayProperties={"size": 3}, containerOverrides={"environment": environment}
    )
    batch.advance(5)
    spec = next(one for one in batch.started if one.job_id == f"{parent}:2")
    assert spec.environment == {
        "A": "1",
        "AWS_BATCH_JOB_ID": f"{parent}:2",
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": "q",
        "AWS_BATCH_CE_NAME": "ce",
        "AWS_BATCH_JOB_ARRAY_INDEX": "2",
        "AWS_BATCH_JOB_ARRAY_SIZE": "3",
    }
    assert (spec.vcpus, spec.memory_mib, spec.host_name[:3]) == (1, 1000, "i-0")


def test_overrides_replace_the_command_merge_variables_and_change_sizes(batch: Rehearsal) -> None:
    batch.define(
        "full",
        containerProperties={
            "image": "x",
            "command": ["run", "Ref::size", "Ref::unknown"],
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
            "resourceRequirements": NEEDS,
            "volumes": [{"name": "v", "host": {"sourcePath": "/data"}}],
            "mountPoints": [{"sourceVolume": "v", "containerPath": "/d", "readOnly": True}],
        },
        parameters={"size": "small"},
    )
    batch.running(
        jobDefinition="full",
        parameters={"size": "large"},
        containerOverrides={
            "environment": [{"name": "B", "value": "2"}],
            "resourceRequirements": [{"type": "MEMORY", "value": "2000"}],
        },
    )
    (spec,) = batch.started
    assert spec.command == ("run", "large", "Ref::unknown")
    assert (spec.environment["A"], spec.environment["B"]) == ("1", "2")
    assert spec.memory_mib == 2000
    assert [(one.source, one.target, one.read_only) for one in spec.mounts] == [
        ("/data", "/d", True)
    ]


# --- arrays ------------------------------------------------------------------------


def test_an_array_is_pending_while_its_children_run_and_its_counts_lag() -> None:
    batch = Rehearsal(summary_lag_s=3, starting_s=0, scale_up_s=0, submitted_s=0)
    parent = batch.submit(arrayProperties={"size": 4})
    batch.advance(0)
    assert batch.status(f"{parent}:0") == "RUNNING"
    shown = batch.job(parent)
    assert shown["status"] == "PENDING"
    assert sum(shown["arrayProperties"]["statusSummary"].values()) == 0
    batch.advance(3)
    assert batch.job(parent)["arrayProperties"]["statusSummary"]["RUNNING"] == 4
    for index in range(4):
        batch.end(f"{parent}:{index}", exit_code=index % 2)
    assert batch.status(parent) == "PENDING"
    batch.advance(3)
    ended = batch.job(parent)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "Array Child Job failed")
    counts = ended["arrayProperties"]["statusSummary"]
    assert set(counts) == set(STATES)
    assert (counts["SUCCEEDED"], counts["FAILED"]) == (2, 2)
    assert ended["arrayProperties"]["statusSummaryLastUpdatedAt"] == batch.now * 1000


@pytest.mark.parametrize("size", [0, 1, 10_001])
def test_an_array_has_two_to_ten_thousand_children(batch: Rehearsal, size: int) -> None:
    with pytest.raises(Refused, match="between 2 and 10000"):
        batch.submit(arrayProperties={"size": size})


def test_a_child_is_tried_again_with_the_next_attempt_number(batch: Rehearsal) -> None:
    parent = batch.submit(arrayProperties={"size": 2}, retryStrategy={"attempts": 2})
    batch.advance(5)
    batch.end(f"{parent}:1", exit_code=1)
    batch.advance(5)
    batch.end(f"{parent}:1")
    batch.end(f"{parent}:0")
    batch.advance(5)
    assert batch.status(parent) == "SUCCEEDED"
    tries = [one.environment["AWS_BATCH_JOB_ATTEMPT"] for one in batch.started]
    assert tries == ["1", "1", "2"]
    assert len(batch.job(f"{parent}:1")["attempts"]) == 2


# --- retries -----------------------------------------------------------------------


def rules(*entries: dict[str, str], attempts: int = 3) -> dict[str, Any]:
    return {"attempts": attempts, "evaluateOnExit": list(entries)}


EXIT = {"onReason": "*", "action": "EXIT"}


@pytest.mark.parametrize(
    ("strategy", "exit_code", "reason", "is_tried_again"),
    [
        ({"attempts": 1}, 1, "", False),
        ({"attempts": 2}, 1, "", True),
        (rules(EXIT), 1, "", False),
        (rules({"onExitCode": "1*", "action": "RETRY"}, EXIT), 137, "", True),
        (rules({"onExitCode": "1", "action": "RETRY"}, EXIT), 137, "", False),
        (rules({"onReason": "OutOfMemoryError*", "action": "RETRY"}, EXIT), 137, "", False),
        (rules({"onReason": "OutOfMemoryError*", "action": "RETRY"}, EXIT), 137, "oom", False),
        (
            rules({"onReason": "OutOfMemoryError*", "action": "RETRY"}, EXIT),
            137,
            OUT_OF_MEMORY,
            True,
        ),
        (
            rules({"onReason": "CannotPullContainerError:*", "action": "EXIT"}),
            None,
            "CannotPullContainerError: not found",
            False,
        ),
        (
            rules({"onStatusReason": "Task failed to start*", "action": "RETRY"}, EXIT),
            None,
            "",
            True,
        ),
        (rules({"onExitCode": "9", "onReason": "*", "action": "EXIT"}), 1, "", True),
        (rules({"onStatusReason": "Essential*", "action": "EXIT"}), 1, "", False),
    ],
)
def test_what_runs_again_after_a_failure_is_decided_by_the_first_rule_that_holds(
    batch: Rehearsal,
    strategy: dict[str, Any],
    exit_code: int | None,
    reason: str,
    is_tried_again: bool,
) -> None:
    job = batch.running(retryStrategy=strategy)
    batch.end(job, exit_code, reason)
    assert (batch.status(job) != "FAILED") == is_tried_again
    (attempt,) = batch.job(job)["attempts"]
    assert attempt["container"].get("exitCode") == exit_code
    assert attempt["container"].get("reason", "") == reason


@pytest.mark.parametrize(
    "strategy",
    [
        {"attempts": 0},
        {"attempts": 11},
        rules(*[EXIT] * 6),
        rules({"onReason": "a*b", "action": "EXIT"}),
        rules({"onReason": "x" * 513, "action": "EXIT"}),
        rules({"onExitCode": "one", "action": "EXIT"}),
    ],
)
def test_a_retry_strategy_beyond_the_limits_is_refused(
    batch: Rehearsal, strategy: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        batch.submit(retryStrategy=strategy)


def test_a_job_whose_attempts_are_used_up_fails(batch: Rehearsal) -> None:
    job = batch.running(retryStrategy={"attempts": 2})
    batch.end(job, 1)
    batch.advance(5)
    batch.end(job, 1)
    assert batch.status(job) == "FAILED"
    assert len(batch.job(job)["attempts"]) == 2


# --- time limits, cancelling, terminating ----------------------------------------------


def test_a_job_over_its_time_is_asked_to_stop_given_thirty_seconds_and_not_tried_again(
    batch: Rehearsal,
) -> None:
    job = batch.running(timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 5})
    assert batch.stopped == []
    batch.advance(60)
    (stop,) = batch.stopped
    assert (stop.job_id, stop.attempt, stop.grace_s) == (job, 1, 30)
    assert batch.status(job) == "RUNNING"
    batch.end(job, 0)
    ended = batch.job(job)
    assert ended["status"] == "FAILED"
    assert ended["statusReason"] == "Job attempt duration exceeded timeout"


def test_a_time_limit_of_less_than_a_minute_is_refused(batch: Rehearsal) -> None:
    with pytest.raises(Refused, match="at least 60"):
        batch.submit(timeout={"attemptDurationSeconds": 59})


def test_cancelling_ends_what_waits_and_says_nothing_about_what_runs(batch: Rehearsal) -> None:
    waiting = batch.submit()
    batch.call("CancelJob", jobId=waiting, reason="changed my mind")
    job = batch.job(waiting)
    assert (job["status"], job["statusReason"]) == ("FAILED", "changed my mind")
    assert job["isCancelled"]
    running = batch.running()
    assert batch.call("CancelJob", jobId=running, reason="too late") == {}
    assert batch.status(running) == "RUNNING"
    assert [one.job_id for one in batch.started] == [running]


def test_terminating_ends_a_job_in_any_state_and_it_is_not_tried_again(batch: Rehearsal) -> None:
    running = batch.running(retryStrategy={"attempts": 3})
    waiting = batch.submit()
    for job in (running, waiting, "no-such-job"):
        batch.call("TerminateJob", jobId=job, reason="stop it")
    assert batch.status(waiting) == "FAILED"
    assert batch.status(running) == "RUNNING"
    assert batch.stopped[0].grace_s == 30
    batch.end(running, 143)
    ended = batch.job(running)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "stop it")
    assert ended["isTerminated"]


def test_terminating_an_array_ends_its_children_wherever_they_are() -> None:
    batch = Rehearsal(max_vcpus=2)
    parent = batch.submit(arrayProperties={"size": 5})
    batch.advance(5)
    assert len(batch.started) == 2
    batch.call("TerminateJob", jobId=parent, reason="enough")
    assert {stop.job_id for stop in batch.stopped} == {f"{parent}:0", f"{parent}:1"}
    batch.end(f"{parent}:0", 143)
    batch.end(f"{parent}:1", 143)
    batch.advance(5)
    ended = batch.job(parent)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "enough")
    assert len(batch.started) == 2


def test_many_are_ended_by_one_call_of_at_most_fifty_and_unknown_ids_count_as_done(
    batch: Rehearsal,
) -> None:
    jobs = [batch.submit() for _ in range(3)]
    answer = batch.call("TerminateJobs", jobs=[*jobs, "unknown"], reason="all")
    assert answer == {"successful": [*jobs, "unknown"], "errors": []}
    assert {batch.status(job) for job in jobs} == {"FAILED"}
    for operation in ("CancelJobs", "TerminateJobs"):
        with pytest.raises(Refused, match="1 to 50"):
            batch.call(operation, jobs=["x"] * 51, reason="all")
        with pytest.raises(Refused, match="1024"):
            batch.call(operation, jobs=["x"], reason="x" * 1025)


# --- dependencies ----------------------------------------------------------------------


def test_a_job_waits_for_those_it_depends_on(batch: Rehearsal) -> None:
    first = batch.submit(arrayProperties={"size": 2})
    second = batch.submit(dependsOn=[{"jobId": first}])
    batch.advance(5)
    assert batch.status(second) == "PENDING"
    batch.end(f"{first}:0")
    batch.end(f"{first}:1")
    batch.advance(5)
    assert batch.status(second) == "RUNNING"


def test_a_job_fails_with_what_it_depends_on(batch: Rehearsal) -> None:
    first = batch.running()
    second = batch.submit(dependsOn=[{"jobId": first}])
    third = batch.submit(dependsOn=[{"jobId": second}], arrayProperties={"size": 2})
    batch.advance(5)
    batch.end(first, 1)
    batch.advance(5)
    assert batch.job(second)["statusReason"] == "Dependent Job failed"
    assert batch.status(third) == "FAILED"
    with pytest.raises(Refused, match="does not exist"):
        batch.submit(dependsOn=[{"jobId": "nobody"}])
    with pytest.raises(Refused, match="at most 20"):
        batch.submit(dependsOn=[{"jobId": first}] * 21)


# --- expiry -------------------------------------------------------------------------------


def test_a_finished_job_is_forgotten_after_some_days() -> None:
    batch = Rehearsal(expiry_s=86_400)
    job = batch.running()
    batch.end(job)
    batch.advance(86_399)
    assert batch.status(job) == "SUCCEEDED"
    batch.advance(2)
    assert batch.call("DescribeJobs", jobs=[job]) == {"jobs": []}
    assert not batch.call("ListJobs", jobQueue="q", jobStatus="SUCCEEDED")["jobSummaryList"]


# --- multi-node ----------------------------------------------------------------------------


def container(*command: str) -> dict[str, Any]:
    return {"image": "x", "command": list(command), "resourceRequirements": needs()}


def multinode(batch: Rehearsal, **more: Any) -> str:
    batch.call(
        "RegisterJobDefinition",
        jobDefinitionName="nodes",
        type="multinode",
        nodeProperties={
            "numNodes": 2,
            "mainNode": 0,
            "nodeRangeProperties": [{"targetNodes": "0:", "container": container("work")}],
        },
    )
    return batch.running(jobDefinition="nodes", **more)


def test_one_open_range_serves_any_number_of_nodes_and_each_knows_its_place(
    batch: Rehearsal,
) -> None:
    override = {"targetNodes": "1:", "containerOverrides": {"command": ["help"]}}
    job = multinode(batch, nodeOverrides={"numNodes": 3, "nodePropertyOverrides": [override]})
    assert batch.status(job) == "RUNNING"
    specs = {one.job_id: one for one in batch.started}
    assert sorted(specs) == [f"{job}#0", f"{job}#1", f"{job}#2"]
    assert [specs[f"{job}#{n}"].command for n in range(3)] == [("work",), ("help",), ("help",)]
    second = specs[f"{job}#1"].environment
    assert second["AWS_BATCH_JOB_NODE_INDEX"] == "1"
    assert second["AWS_BATCH_JOB_NUM_NODES"] == "3"
    assert second["AWS_BATCH_JOB_MAIN_NODE_INDEX"] == "0"
    assert "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS" in second
    main = specs[f"{job}#0"].environment
    assert "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS" not in main
    assert batch.job(f"{job}#1")["nodeDetails"] == {"nodeIndex": 1, "isMainNode": False}
    listed = batch.call("ListJobs", multiNodeJobId=job)["jobSummaryList"]
    assert [one["nodeProperties"]["nodeIndex"] for one in listed] == [0, 1, 2]


def test_the_main_nodes_end_ends_the_job_and_stops_the_others(batch: Rehearsal) -> None:
    job = multinode(batch)
    batch.end(f"{job}#0")
    assert [stop.job_id for stop in batch.stopped] == [f"{job}#1"]
    assert batch.status(job) == "RUNNING"
    batch.end(f"{job}#1", 143)
    assert batch.status(job) == "SUCCEEDED"


def test_another_nodes_end_does_not_end_the_job(batch: Rehearsal) -> None:
    job = multinode(batch)
    batch.end(f"{job}#1", 1)
    assert (batch.status(job), batch.stopped) == ("RUNNING", [])
    batch.end(f"{job}#0", 0)
    assert batch.status(job) == "SUCCEEDED"


def test_a_multi_node_job_is_tried_again_as_a_whole(batch: Rehearsal) -> None:
    job = multinode(batch, retryStrategy={"attempts": 2})
    batch.end(f"{job}#0", 1)
    batch.end(f"{job}#1", 143)
    batch.advance(5)
    assert batch.status(job) == "RUNNING"
    assert [(one.job_id[-2:], one.attempt) for one in batch.started[2:]] == [("#0", 2), ("#1", 2)]


def test_a_multi_node_job_that_is_terminated_or_over_its_time_stops_all_nodes(
    batch: Rehearsal,
) -> None:
    job = multinode(batch, timeout={"attemptDurationSeconds": 60})
    batch.advance(60)
    assert [stop.job_id for stop in batch.stopped] == [f"{job}#0", f"{job}#1"]
    batch.end(f"{job}#0", 143)
    batch.end(f"{job}#1", 143)
    assert batch.job(job)["statusReason"] == "Job attempt duration exceeded timeout"
    assert batch.status(job) == "FAILED"
    other = multinode(batch)
    batch.call("TerminateJob", jobId=other, reason="stop")
    batch.end(f"{other}#1", 143)
    batch.end(f"{other}#0", 143)
    assert batch.job(other)["statusReason"] == "stop"


@pytest.mark.parametrize(
    ("nodes", "main", "ranges", "overrides"),
    [
        (2, 2, ["0:"], {}),
        (3, 0, ["0:1"], {}),
        (2, 0, ["0:5"], {}),
        (2, 0, ["0:1"], {"numNodes": 3}),
        (3, 2, ["0:"], {"numNodes": 2}),
    ],
)
def test_node_ranges_that_leave_out_or_exceed_the_nodes_are_refused(
    batch: Rehearsal, nodes: int, main: int, ranges: list[str], overrides: dict[str, Any]
) -> None:
    entries = [{"targetNodes": text, "container": container("x")} for text in ranges]
    properties = {"numNodes": nodes, "mainNode": main, "nodeRangeProperties": entries}

    def register_and_submit() -> None:
        batch.define("n", type="multinode", nodeProperties=properties, containerProperties=None)
        batch.submit(jobDefinition="n", nodeOverrides=overrides)

    with pytest.raises(Refused):
        register_and_submit()


def test_a_lost_instance_under_one_node_ends_the_job(batch: Rehearsal) -> None:
    job = multinode(
        batch, retryStrategy=rules({"onStatusReason": "Host EC2*", "action": "RETRY"}, EXIT)
    )
    assert batch.batch.lose_host(batch.now)
    batch.advance(0)
    for kill in list(batch.killed):
        batch.end(kill.job_id, 137)
    batch.advance(5)
    assert batch.job(job)["attempts"][0]["statusReason"].startswith("Host EC2 (instance i-")
    assert batch.status(job) == "RUNNING"
