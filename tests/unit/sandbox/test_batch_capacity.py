"""Instances of the sandbox's Batch: packing, growing, shrinking, and why a job is not placed."""

from __future__ import annotations

from typing import Any

import pytest

from swell.sandbox.batch.faults import Faults
from swell.sandbox.batch.instances import expand, is_fargate_size
from swell.sandbox.batch.refusal import Refused
from tests.unit.sandbox.rehearsal import Rehearsal, needs


def sized(vcpus: int = 1, memory: int = 1000, gpus: int = 0) -> dict[str, Any]:
    return {"containerOverrides": {"resourceRequirements": needs(vcpus, memory, gpus)}}


def environment(batch: Rehearsal, name: str = "ce") -> dict[str, Any]:
    (found,) = batch.call("DescribeComputeEnvironments", computeEnvironments=[name])[
        "computeEnvironments"
    ]
    return dict(found)


def test_instances_are_started_when_jobs_wait_and_let_go_when_idle() -> None:
    batch = Rehearsal(scale_up_s=10, scale_down_s=60, submitted_s=0, starting_s=0)
    assert environment(batch)["computeResources"]["desiredvCpus"] == 0
    job = batch.submit()
    batch.advance(1)
    assert environment(batch)["computeResources"]["desiredvCpus"] == 2
    assert batch.status(job) == "RUNNABLE"
    batch.advance(10)
    batch.end(job)
    batch.advance(59)
    assert environment(batch)["computeResources"]["desiredvCpus"] == 2
    batch.advance(120)
    assert environment(batch)["computeResources"]["desiredvCpus"] == 0


def test_min_vcpus_are_there_from_the_start_and_stay() -> None:
    batch = Rehearsal()
    batch.call(
        "UpdateComputeEnvironment", computeEnvironment="ce", computeResources={"minvCpus": 4}
    )
    batch.advance(1000)
    assert environment(batch)["computeResources"]["desiredvCpus"] == 4


def test_no_more_jobs_run_than_max_vcpus_hold() -> None:
    batch = Rehearsal(max_vcpus=4)
    batch.submit(arrayProperties={"size": 10})
    batch.advance(10)
    assert len(batch.started) == 4
    for spec in list(batch.started):
        batch.end(spec.job_id)
    batch.advance(10)
    assert len(batch.started) == 8


def test_memory_is_packed_too_less_what_the_agent_and_the_kernel_keep() -> None:
    batch = Rehearsal(types=("m5.large",))
    jobs = [batch.submit(**sized(1, 4000)) for _ in range(2)]
    batch.advance(5)
    # 2 × 4000 MiB do not fit on one instance of 8192 MiB: its jobs can have some 7,950.
    assert len({spec.host_name for spec in batch.started}) == 2
    assert {batch.status(job) for job in jobs} == {"RUNNING"}


def test_asking_for_all_of_an_instances_memory_takes_the_next_size() -> None:
    batch = Rehearsal(types=("m5",))
    batch.running(**sized(2, 8192))
    (host,) = batch.batch.world.resources.environments["ce"].hosts.values()
    assert host.kind is not None
    assert host.kind.name == "m5.xlarge"


# --- why the head of the queue waits -------------------------------------------------


def head_reason(batch: Rehearsal, **more: Any) -> str:
    job, behind = batch.submit("head", **more), batch.submit("behind")
    batch.advance(10)
    assert batch.status(job) == "RUNNABLE"
    assert "statusReason" not in batch.job(behind)
    return str(batch.job(job).get("statusReason"))


def test_a_job_with_more_vcpus_than_every_environment_has_is_told_so() -> None:
    reason = head_reason(Rehearsal(max_vcpus=4), **sized(8))
    assert reason.startswith("MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE")


@pytest.mark.parametrize("size", [sized(2, 8192), sized(4, 1000), sized(1, 1000, gpus=1)])
def test_a_job_that_no_instance_type_fits_is_told_so(size: dict[str, Any]) -> None:
    reason = head_reason(Rehearsal(types=("m4.large",)), **size)
    assert reason.startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (Faults(capacity=0), "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill"),
        (Faults(environments={"ce": "invalid"}), "ACTION_REQUIRED - CE(s)"),
        (Faults(environments={"ce": "never-join"}), "UNDETERMINED - "),
        (
            Faults(environments={"ce": "service-role"}),
            "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS",
        ),
        (
            Faults(environments={"ce": "unsupported-instance"}),
            "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED",
        ),
    ],
)
def test_what_is_broken_is_named_and_once_mended_the_job_runs(faults: Faults, words: str) -> None:
    batch = Rehearsal()
    batch.batch.set_faults(faults, batch.now)
    assert head_reason(batch).startswith(words)
    shown = environment(batch)
    assert shown["status"] == ("INVALID" if "invalid" in faults.environments.values() else "VALID")
    if "never-join" in faults.environments.values():
        assert shown["computeResources"]["desiredvCpus"] > 0
    batch.batch.set_faults(Faults(), batch.now)
    batch.advance(10)
    assert [spec.job_id for spec in batch.started]


def test_no_reason_is_given_where_the_queue_or_its_environment_is_disabled() -> None:
    batch = Rehearsal()
    batch.call("UpdateComputeEnvironment", computeEnvironment="ce", state="DISABLED")
    job = batch.submit()
    batch.advance(10)
    assert (batch.status(job), batch.job(job).get("statusReason")) == ("RUNNABLE", None)
    batch.call("UpdateComputeEnvironment", computeEnvironment="ce", state="ENABLED")
    batch.call("UpdateJobQueue", jobQueue="q", state="DISABLED")
    batch.advance(10)
    assert batch.status(job) == "RUNNABLE"
    with pytest.raises(Refused, match="DISABLED"):
        batch.submit()
    batch.call("UpdateJobQueue", jobQueue="q", state="ENABLED")
    batch.advance(10)
    assert batch.status(job) == "RUNNING"


def test_who_merely_waits_its_turn_is_in_the_snapshot_and_has_no_reason() -> None:
    batch = Rehearsal(max_vcpus=2)
    running = [batch.submit() for _ in range(2)]
    batch.advance(5)
    waiting = [batch.submit() for _ in range(102)]
    batch.advance(5)
    snapshot = batch.call("GetJobQueueSnapshot", jobQueue="q")
    front = [entry["jobArn"].rpartition("/")[2] for entry in snapshot["frontOfQueue"]["jobs"]]
    assert front == waiting[:100]
    assert snapshot["queueUtilization"]["totalCapacityUsage"][0]["quantity"] == 2
    assert "statusReason" not in batch.job(waiting[0])
    batch.end(running[0])
    batch.advance(5)
    assert batch.status(waiting[0]) == "RUNNING"


def test_a_rule_of_the_queue_cancels_what_is_stuck_at_its_head() -> None:
    batch = Rehearsal(max_vcpus=4)
    action = {
        "reason": "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        "state": "RUNNABLE",
        "maxTimeSeconds": 600,
        "action": "CANCEL",
    }
    batch.call("UpdateJobQueue", jobQueue="q", jobStateTimeLimitActions=[action])
    stuck, behind = batch.submit(**sized(8)), batch.submit()
    batch.advance(590)
    assert batch.status(stuck) == "RUNNABLE"
    batch.advance(20)
    ended = batch.job(stuck)
    assert ended["status"] == "FAILED"
    assert ended["statusReason"] == (
        "Canceled by JobStateTimeLimit action due to reason: "
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
    )
    assert batch.status(behind) == "RUNNING"
    for wrong in ({"maxTimeSeconds": 599}, {"action": "TERMINATE"}, {"reason": "UNDETERMINED"}):
        with pytest.raises(Refused):
            batch.call(
                "UpdateJobQueue", jobQueue="q", jobStateTimeLimitActions=[{**action, **wrong}]
            )


# --- misfortune ---------------------------------------------------------------------------


def test_a_lost_instance_takes_its_jobs_which_have_no_exit_code() -> None:
    batch = Rehearsal(max_vcpus=2)
    jobs = [batch.running(), batch.running(retryStrategy={"attempts": 2})]
    host = batch.batch.lose_host(batch.now)
    batch.advance(0)
    assert {kill.job_id for kill in batch.killed} == set(jobs)
    for job in jobs:
        batch.end(job, 137)
    first = batch.job(jobs[0])
    assert first["status"] == "FAILED"
    assert first["statusReason"] == f"Host EC2 (instance {host}) terminated."
    assert "exitCode" not in first["container"]
    batch.advance(5)
    assert batch.status(jobs[1]) == "RUNNING"
    assert batch.started[-1].host_name != host
    assert Rehearsal().batch.lose_host(0) is None


def test_a_job_whose_instance_is_lost_before_it_began_waits_again_without_an_attempt() -> None:
    batch = Rehearsal(max_vcpus=2, starting_s=60)
    job = batch.submit(**sized(2))
    batch.advance(5)
    assert batch.status(job) == "STARTING"
    batch.batch.lose_host(batch.now)
    assert batch.status(job) == "RUNNABLE"
    batch.advance(70)
    assert (batch.status(job), len(batch.started)) == ("RUNNING", 1)


def test_the_same_seed_strikes_the_same_attempts_whatever_their_order() -> None:
    def struck(names: list[str], faults: Faults) -> set[str]:
        batch = Rehearsal()
        batch.batch.set_faults(faults, batch.now)
        jobs = {batch.submit(name): name for name in names}
        batch.advance(10)
        return {jobs[kill.job_id] for kill in batch.killed}

    names = [f"job{number}" for number in range(40)]
    faults = Faults(spot=0.3, seed=7, notice_s=0.1)
    first = struck(names, faults)
    assert first == struck(names[::-1], faults)
    assert 3 <= len(first) <= 25
    assert first != struck(names, Faults(spot=0.3, seed=8, notice_s=0.1))


def test_an_attempt_alone_on_its_instance_is_given_notice_before_it_is_reclaimed() -> None:
    batch = Rehearsal(scale_up_s=0, starting_s=0, submitted_s=0)
    batch.batch.set_faults(Faults(spot=1.0, within_s=1.0, notice_s=120), batch.now)
    job = batch.submit()
    batch.advance(1)
    (notice,) = batch.announced
    assert notice.host == batch.started[0].host_name
    assert (batch.status(job), batch.killed) == ("RUNNING", [])
    other = batch.submit()
    batch.advance(1)
    assert batch.started[-1].job_id == other
    assert batch.started[-1].host_name != notice.host
    batch.advance(notice.at - batch.now)
    assert [kill.job_id for kill in batch.killed] == [job]


def test_an_attempt_that_is_made_to_run_out_of_memory_says_so_as_batch_does() -> None:
    batch = Rehearsal()
    batch.batch.set_faults(Faults(oom=1.0), batch.now)
    job = batch.running()
    (kill,) = batch.killed
    batch.end(kill.job_id, 137)
    container = batch.job(job)["container"]
    assert container["exitCode"] == 137
    assert container["reason"] == "OutOfMemoryError: Container killed due to memory usage"


@pytest.mark.parametrize(
    "faults",
    [
        Faults(spot=1.5),
        Faults(oom=-1),
        Faults(throttle=-1),
        Faults(capacity=-1),
        Faults(environments={"ce": "tired"}),
        Faults(environments={"nowhere": "invalid"}),
    ],
)
def test_faults_that_make_no_sense_are_refused(faults: Faults) -> None:
    with pytest.raises(Refused):
        Rehearsal().batch.set_faults(faults, 0)


# --- Fargate and tables -----------------------------------------------------------------------


def fargate(batch: Rehearsal, kind: str = "FARGATE") -> None:
    batch.call(
        "CreateComputeEnvironment",
        computeEnvironmentName="fg",
        type="MANAGED",
        computeResources={"type": kind, "maxvCpus": 1},
    )
    batch.queue("fq", "fg")


def fargate_properties(vcpus: str = "0.5", memory: str = "1024", **more: Any) -> dict[str, Any]:
    return {
        "image": "x",
        "command": ["true"],
        "executionRoleArn": "arn:aws:iam::1:role/e",
        "networkConfiguration": {"assignPublicIp": "ENABLED"},
        "resourceRequirements": [
            {"type": "VCPU", "value": vcpus},
            {"type": "MEMORY", "value": memory},
        ],
        **more,
    }


def test_fargate_runs_as_many_tasks_as_their_vcpus_allow_and_has_no_instances() -> None:
    batch = Rehearsal()
    fargate(batch)
    batch.define("f", platformCapabilities=["FARGATE"], containerProperties=fargate_properties())
    jobs = [batch.submit(queue="fq", jobDefinition="f") for _ in range(3)]
    batch.advance(5)
    assert [batch.status(job) for job in jobs] == ["RUNNING", "RUNNING", "RUNNABLE"]
    assert "desiredvCpus" not in environment(batch, "fg")["computeResources"]
    batch.end(jobs[0])
    batch.advance(5)
    assert batch.status(jobs[2]) == "RUNNING"
    with pytest.raises(Refused, match="do not match"):
        batch.submit(queue="fq")


def test_fargate_s_vcpus_are_a_limit_and_those_of_an_instance_a_share() -> None:
    batch = Rehearsal()
    fargate(batch)
    batch.define("f", platformCapabilities=["FARGATE"], containerProperties=fargate_properties())
    batch.submit(queue="fq", jobDefinition="f")
    batch.submit()
    batch.advance(200)
    assert {spec.cpu_limit for spec in batch.started} == {None, batch.started[0].vcpus}


def test_gpus_that_no_instance_here_could_really_have_are_refused_where_one_would_be_found() -> (
    None
):
    batch = Rehearsal(types=("p3.2xlarge",))
    with pytest.raises(Refused, match="A job with 1 GPU is not in the sandbox"):
        batch.submit(**sized(1, 1000, gpus=1))
    batch.submit(**sized(1, 1000))


@pytest.mark.parametrize(
    "wrong",
    [
        fargate_properties("0.3", "1024"),
        fargate_properties("0.5", "1500"),
        fargate_properties("2", "20480"),
        fargate_properties(executionRoleArn=""),
        fargate_properties(privileged=True),
        fargate_properties(linuxParameters={"initProcessEnabled": True}),
        fargate_properties(ephemeralStorage={"sizeInGiB": 20}),
    ],
)
def test_what_fargate_cannot_do_is_refused_when_it_is_registered(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        Rehearsal().define("f", platformCapabilities=["FARGATE"], containerProperties=wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"resourceRequirements": [{"type": "VCPU", "value": "1"}]},
        {"resourceRequirements": needs(memory=3)},
        {"resourceRequirements": [{"type": "VCPU", "value": "2.0"}, *needs()[1:]]},
        {"environment": [{"name": "AWS_BATCH_MINE", "value": "1"}]},
        {"networkConfiguration": {"assignPublicIp": "ENABLED"}},
        {"privileged": True},
        {"mountPoints": [{"sourceVolume": "v", "containerPath": "/d"}]},
    ],
)
def test_a_container_that_batch_would_refuse_is_refused(wrong: dict[str, Any]) -> None:
    properties = {"image": "x", "resourceRequirements": needs(), **wrong}
    with pytest.raises(Refused):
        Rehearsal().define("x", containerProperties=properties)


def test_fargate_has_the_sizes_that_aws_lists() -> None:
    assert is_fargate_size(0.25, 512)
    assert is_fargate_size(4, 30 * 1024)
    assert is_fargate_size(16, 120 * 1024)
    assert is_fargate_size(32, 249856)
    assert not is_fargate_size(8, 17 * 1024)
    assert not is_fargate_size(3, 8192)


def test_families_and_their_collective_names_are_expanded() -> None:
    assert {kind.name.partition(".")[0] for kind in expand(["optimal"])} == {"m5", "c5", "r5"}
    assert {kind.architecture for kind in expand(["default_arm64"])} == {"arm64"}
    assert [kind.name for kind in expand(["m4"])] == ["m4.large", "m4.xlarge"]
    assert expand(["z9.huge"]) == ()
