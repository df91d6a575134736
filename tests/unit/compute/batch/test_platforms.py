"""What a queue's compute environments are, and what is refused there."""

import pytest

from swell.compute.batch.platforms import (
    Family,
    most_memory_mb,
    platform_of,
    refuse_what_it_cannot,
)
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan
from swell.model.resources import Resources
from tests.unit.compute.batch.platforms_at_hand import EC2, FARGATE, environment, queue


def test_all_compute_environments_of_a_queue_are_read():
    mixed = platform_of(queue(), [environment(kind="EC2"), environment("spot", kind="SPOT")])
    assert mixed.family is Family.EC2
    assert not mixed.is_spot
    assert platform_of(queue(), [environment(kind="SPOT")]).is_spot
    assert platform_of(queue(), [environment(kind="FARGATE_SPOT")]).family is Family.FARGATE


def test_whether_a_machine_was_spot_is_known_by_its_cluster():
    mixed = platform_of(queue(), [environment("a"), environment("b", kind="SPOT")])
    assert mixed.may_be_spot("b_Batch")
    assert not mixed.may_be_spot("a_Batch")
    assert not mixed.may_be_spot("")


def test_the_processor_is_that_of_the_instance_types():
    assert platform_of(queue(), [environment(types=("m6g", "c6g"))]).machine == "aarch64"
    assert platform_of(queue(), [environment(types=("optimal",))]).machine == "x86_64"
    assert FARGATE.machine == "x86_64"


def test_managed_instances_are_refused():
    with pytest.raises(ComputeError, match="managed instances"):
        platform_of(queue(), [environment(kind="ECS_MANAGED_INSTANCES")])


@pytest.mark.parametrize(
    ("resources", "options", "named"),
    [
        (Resources(gpu=1), BatchOptions(), "gpu"),
        (Resources(shared_memory_mb=64), BatchOptions(), "shared_memory"),
        (Resources(), BatchOptions(privileged=True), "privileged"),
        (Resources(), BatchOptions(max_swap=0, swappiness=1), "swappiness"),
        (Resources(), BatchOptions(max_swap=100), "max_swap"),
        (Resources(), BatchOptions(tmpfs_size=100), "use_tmpfs"),
        (Resources(), BatchOptions(host_volumes=("/data",)), "host_volumes"),
        (Resources(), BatchOptions(trainium=1), "trainium"),
        (Resources(), BatchOptions(efa=1), "efa"),
        (Resources(cpu=64), BatchOptions(), "32 vCPU"),
        (Resources(disk_mb=300_000), BatchOptions(), "293 GiB of disk"),
    ],
)
def test_fargate_refuses_what_it_does_not_have(resources, options, named):
    plan = StepPlan("work", resources=resources, batch=options)
    with pytest.raises(ComputeError, match=named) as caught:
        refuse_what_it_cannot(FARGATE, plan)
    assert "'work'" in caught.value.message
    assert caught.value.remedy


def test_fargate_has_no_gangs():
    with pytest.raises(ComputeError, match="num_parallel"):
        refuse_what_it_cannot(FARGATE, StepPlan("work"), is_gang=True)


@pytest.mark.parametrize(
    ("resources", "options"),
    [
        (Resources(disk_mb=50_000), BatchOptions()),
        (Resources(), BatchOptions(ephemeral_storage=50)),
    ],
)
def test_a_disk_on_ec2_is_refused_with_what_can(resources, options):
    plan = StepPlan("work", resources=resources, batch=options)
    with pytest.raises(ComputeError, match="disk") as caught:
        refuse_what_it_cannot(EC2, plan)
    assert "launch template" in caught.value.remedy
    refuse_what_it_cannot(FARGATE, plan)


def test_what_each_can_is_not_refused():
    refuse_what_it_cannot(EC2, StepPlan("work", resources=Resources(gpu=8)), is_gang=True)
    refuse_what_it_cannot(FARGATE, StepPlan("work", batch=BatchOptions(efs_volumes=("fs-1",))))


MOST = [
    # instance types, the most vCPUs, what is asked → memory of the largest machine for it
    (("m5.large",), 256, Resources(), 7782),
    (("m5.large", "r5.large"), 256, Resources(), 15_564),
    (("r5",), 8, Resources(), 62_259),
    (("c5.large", "m5.2xlarge"), 256, Resources(cpu=3), 31_129),
    (("m5", "g4dn.xlarge"), 256, Resources(gpu=1), 15_564),
    (("m5.large",), 256, Resources(cpu=16), None),
    (("m5.large", "x9.unheard-of"), 256, Resources(), None),
]


@pytest.mark.parametrize(("types", "vcpus", "asked", "most"), MOST)
def test_a_job_can_have_what_the_largest_machine_for_it_gives(types, vcpus, asked, most):
    place = platform_of(queue(), [environment(types=types, most=vcpus)])
    assert most_memory_mb(place, StepPlan("work", resources=asked)) == most


def test_fargate_gives_what_its_largest_size_has():
    assert most_memory_mb(FARGATE, StepPlan("work")) == 249_856
