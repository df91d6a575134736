"""What can never run is refused before anything is submitted."""

import pytest

from swell.compute.batch.defaults import BatchDefaults
from swell.compute.batch.platforms import platform_of
from swell.compute.batch.preflight import check_plan, queue_named
from swell.compute.batch.waiting import QueueFacts
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan
from swell.model.resources import Resources
from tests.unit.compute.batch.platforms_at_hand import SHARED, environment, queue

ROLE = "arn:aws:iam::123456789012:role/run"
DEFAULTS = BatchDefaults(queue="big", execution_role=ROLE, iam_role=ROLE, python="3.11")


def checked(plan, *environments, defaults=DEFAULTS, place=None, **facts):
    environments = environments or (environment(),)
    place = place or platform_of(queue(), environments)
    return check_plan(plan, place, QueueFacts("big", environments=environments, **facts), defaults)


def plan_of(*, batch=None, **resources):
    return StepPlan("work", backend="batch", resources=Resources(**resources), batch=batch)


def test_what_can_run_passes_without_a_word():
    assert checked(plan_of(cpu=4, memory_mb=15_000)) == []


@pytest.mark.parametrize(
    ("plan", "environments", "facts", "part"),
    [
        (plan_of(), (), {"state": "DISABLED"}, "is disabled"),
        (plan_of(), (), {"status": "INVALID"}, "INVALID"),
        (plan_of(), (environment(state="DISABLED"),), {}, "are disabled"),
        (plan_of(), (environment(status="INVALID"),), {}, "INVALID"),
        (plan_of(cpu=300), (), {}, "256 vCPU at most"),
        (plan_of(memory_mb=8192), (environment(types=("m5.large",)),), {}, "m5.large"),
        (plan_of(gpu=1), (), {}, "1 GPU"),
        (plan_of(disk_mb=50_000), (), {}, "disk"),
        (plan_of(batch=BatchOptions(image="A B")), (), {}, "image"),
        (plan_of(batch=BatchOptions(iam_role="me")), (), {}, "role"),
        (plan_of(gpu=1), (environment(kind="FARGATE", types=()),), {}, "Fargate"),
    ],
)
def test_what_can_never_run_is_refused_with_a_remedy(plan, environments, facts, part):
    with pytest.raises(ComputeError, match=part) as caught:
        checked(plan, *environments, **facts)
    assert "'work'" in caught.value.message
    assert caught.value.remedy


def test_a_fair_share_queue_without_a_share_is_refused():
    with pytest.raises(ComputeError, match="names no share"):
        checked(plan_of(), place=SHARED)


def test_fargate_needs_a_role_to_fetch_images_with():
    with pytest.raises(ComputeError, match="fetch images") as caught:
        checked(
            plan_of(), environment(kind="FARGATE", types=()), defaults=BatchDefaults(queue="big")
        )
    assert "SWELL_BATCH_EXECUTION_ROLE" in caught.value.remedy


def test_a_full_queue_and_a_long_line_are_no_reason_to_refuse():
    assert checked(plan_of(), hosts={}, denied=("batch:GetJobQueueSnapshot",)) == []


def test_asking_for_a_whole_machine_is_warned_of():
    (warning,) = checked(plan_of(memory_mb=16_384))
    assert "15,564" in warning


def test_a_share_where_there_are_none_is_left_out_and_told():
    (warning,) = checked(plan_of(batch=BatchOptions(share="research")))
    assert "'research'" in warning


def test_fargate_without_a_role_for_the_job_is_warned_of():
    defaults = BatchDefaults(queue="big", execution_role=ROLE)
    (warning,) = checked(plan_of(), environment(kind="FARGATE", types=()), defaults=defaults)
    assert "SWELL_BATCH_IAM_ROLE" in warning


def test_no_queue_is_refused_with_the_setting():
    with pytest.raises(ComputeError, match="no job queue is named") as caught:
        queue_named(None, [], "eu-west-1", "work")
    assert "SWELL_BATCH_JOB_QUEUE" in caught.value.remedy


def test_a_queue_that_is_not_there_is_told_with_the_region():
    with pytest.raises(ComputeError, match="'big' in the region eu-west-1"):
        queue_named("big", [queue("other")], "eu-west-1", "work")
    assert queue_named("big", [queue("big")], "eu-west-1", "work").job_queue_name == "big"
