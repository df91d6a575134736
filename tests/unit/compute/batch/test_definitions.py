"""Job definitions: named by their content, and what the API's own model takes."""

import botocore.session
import msgspec
import pytest
from botocore.validate import ParamValidator

from swell.compute.batch.defaults import BatchDefaults
from swell.compute.batch.definitions import (
    START_S,
    definition_body,
    retry_strategy,
    time_limit_s,
)
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan
from swell.model.resources import Resources
from tests.unit.compute.batch.platforms_at_hand import EC2, EVERY, FARGATE, SPOT

DEFAULTS = BatchDefaults(
    queue="big", execution_role="arn:aws:iam::123456789012:role/run", python="3.11"
)
LOADER = "print('hello')"
EVERYTHING = BatchOptions(
    image="repo/image:1",
    iam_role="arn:aws:iam::123456789012:role/job",
    max_swap=100,
    swappiness=10,
    use_tmpfs=True,
    tmpfs_path="/swell_temp",
    host_volumes=("/data", "/scratch:/tmp/scratch"),
    efs_volumes=("fs-1", "fs-2:/models"),
    privileged=True,
    trainium=2,
    efa=1,
    log_driver="awslogs",
    log_options=("awslogs-group:/my/group", "awslogs-stream-prefix=x"),
    executable="/opt/python",
)


def body_of(plan, platform=EC2, **options):
    body = definition_body(plan, platform, DEFAULTS, LOADER, **options)
    model = botocore.session.get_session().get_service_model("batch")
    shape = model.operation_model("RegisterJobDefinition").input_shape
    report = ParamValidator().validate(body, shape)
    assert not report.has_errors(), report.generate_report()
    return body


@pytest.mark.parametrize("platform", EVERY)
def test_a_plain_step_is_taken_by_the_model_on_every_platform(platform):
    body = body_of(StepPlan("work"), platform)
    assert body["platformCapabilities"] == [platform.family.value]
    assert body["containerProperties"]["image"] == "python:3.11"
    assert body["containerProperties"]["command"] == ["python3", "-u", "-c", LOADER]


def test_steps_that_ask_for_the_same_share_a_definition():
    one = body_of(StepPlan("one", timeout_s=100))
    other = body_of(StepPlan("other", timeout_s=100))
    larger = body_of(StepPlan("one", timeout_s=100, resources=Resources(memory_mb=5000)))
    assert one == other
    assert one["jobDefinitionName"] != larger["jobDefinitionName"]
    assert len(one["jobDefinitionName"]) <= 128


def test_what_only_ec2_has_is_passed_on():
    plan = StepPlan(
        "work", resources=Resources(gpu=1, shared_memory_mb=64, memory_mb=1000), batch=EVERYTHING
    )
    container = body_of(plan)["containerProperties"]
    assert container["command"][0] == "/opt/python"
    assert container["jobRoleArn"] == EVERYTHING.iam_role
    assert container["executionRoleArn"] == DEFAULTS.execution_role
    assert container["privileged"] is True
    assert {"type": "GPU", "value": "1"} in container["resourceRequirements"]
    linux = container["linuxParameters"]
    assert linux["initProcessEnabled"] is True
    assert (linux["sharedMemorySize"], linux["maxSwap"], linux["swappiness"]) == (64, 100, 10)
    assert linux["tmpfs"] == [{"containerPath": "/swell_temp", "size": 500}]
    assert [device["hostPath"] for device in linux["devices"]] == [
        "/dev/neuron0",
        "/dev/neuron1",
        "/dev/infiniband/uverbs0",
    ]
    assert container["environment"] == [{"name": "TMPDIR", "value": "/swell_temp"}]
    assert container["logConfiguration"] == {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/my/group", "awslogs-stream-prefix": "x"},
    }


def test_volumes_of_host_and_efs_are_mounted_where_they_say():
    container = body_of(StepPlan("work", batch=EVERYTHING))["containerProperties"]
    names = [volume["name"] for volume in container["volumes"]]
    assert len(set(names)) == 4
    assert [mount["sourceVolume"] for mount in container["mountPoints"]] == names
    assert [mount["containerPath"] for mount in container["mountPoints"]] == [
        "/data",
        "/tmp/scratch",
        "/mnt/fs-1",
        "/models",
    ]


def test_containers_of_one_machine_share_unpacked_packages_where_that_is_wanted():
    shared = msgspec.structs.replace(DEFAULTS, host_cache="/var/tmp/layers")
    container = definition_body(StepPlan("work"), EC2, shared, LOADER)["containerProperties"]
    (volume,), (mount,) = container["volumes"], container["mountPoints"]
    assert volume == {"name": mount["sourceVolume"], "host": {"sourcePath": "/var/tmp/layers"}}
    assert container["environment"] == [
        {"name": "SWELL_LAYER_CACHE", "value": mount["containerPath"]}
    ]
    fargate = definition_body(StepPlan("work"), FARGATE, shared, LOADER)["containerProperties"]
    assert "volumes" not in fargate


def test_fargate_gets_what_it_needs_and_nothing_it_refuses():
    plan = StepPlan("work", resources=Resources(cpu=1, memory_mb=4000, disk_mb=50_000))
    container = body_of(plan, FARGATE)["containerProperties"]
    assert container["executionRoleArn"] == DEFAULTS.execution_role
    assert container["networkConfiguration"] == {"assignPublicIp": "ENABLED"}
    assert container["ephemeralStorage"] == {"sizeInGiB": 49}
    assert container["resourceRequirements"][1] == {"type": "MEMORY", "value": "4096"}
    assert not {"linuxParameters", "privileged"} & set(container)


def test_a_gang_has_an_open_range_of_nodes_so_that_one_definition_serves_all_sizes():
    body = body_of(StepPlan("work"), is_gang=True)
    assert body["type"] == "multinode"
    (nodes,) = body["nodeProperties"]["nodeRangeProperties"]
    assert nodes["targetNodes"] == "0:"


def test_what_is_nobodys_fault_is_tried_again_by_batch_and_all_else_ends():
    strategy = retry_strategy(StepPlan("work", uncounted_attempts=4), SPOT)
    assert strategy["attempts"] == 5
    rules = strategy["evaluateOnExit"]
    assert len(rules) <= 5
    assert rules[0] == {"onStatusReason": "Host EC2*", "action": "RETRY"}
    assert rules[-1] == {"onReason": "*", "action": "EXIT"}


def test_the_words_of_fargate_spot_are_its_own():
    rules = retry_strategy(StepPlan("work"), FARGATE)["evaluateOnExit"]
    assert rules[0]["onStatusReason"].startswith("Your Spot Task")


def test_batch_makes_at_most_ten_attempts_and_one_where_a_second_run_is_forbidden():
    assert retry_strategy(StepPlan("work", uncounted_attempts=50), EC2)["attempts"] == 10
    assert retry_strategy(StepPlan("work", uncounted_attempts=0), EC2) == {"attempts": 1}


@pytest.mark.parametrize(
    ("timeout_s", "expected"),
    [
        (None, 5 * 86_400),
        (10, 60 + START_S),
        (60, 60 + START_S),
        (100.5, 101 + START_S),
        (86_400, 86_400 + START_S),
    ],
)
def test_batch_ends_an_attempt_only_after_its_own_limit_could_strike(timeout_s, expected):
    assert time_limit_s(StepPlan("work", timeout_s=timeout_s), DEFAULTS) == expected


def test_the_default_limit_can_be_set():
    assert time_limit_s(StepPlan("work"), BatchDefaults(time_limit_s=3600)) == 3600


def test_a_definition_too_large_for_batch_is_refused():
    volumes = tuple(f"/data/{number:04}/{'x' * 40}" for number in range(200))
    plan = StepPlan("work", batch=BatchOptions(host_volumes=volumes))
    with pytest.raises(ComputeError, match="24,576"):
        definition_body(plan, EC2, DEFAULTS, LOADER)


def test_log_options_that_are_no_pairs_are_refused():
    plan = StepPlan("work", batch=BatchOptions(log_options=("x",)))
    with pytest.raises(ComputeError, match="log_options"):
        definition_body(plan, EC2, DEFAULTS, LOADER)
