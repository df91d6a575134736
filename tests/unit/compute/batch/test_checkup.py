"""Whether a queue, roles and logs are fit for jobs, with scripted answers of the API."""

from __future__ import annotations

import pytest

from swell.compute.batch.checkup import check_queue, check_role, queue_names
from swell.errors import ComputeError, UsageError
from tests.unit.compute.batch.scripted_batch import (
    Refused,
    ScriptedBatch,
    api_of,
    environment_detail,
    queue_detail,
)

ROLE = "arn:aws:iam::123456789012:role/job"


def batch_with(queue=None, environment=None) -> ScriptedBatch:
    def snapshot(_request):
        raise Refused(
            "AccessDeniedException", "not authorized to perform: batch:GetJobQueueSnapshot"
        )

    queue = queue_detail() if queue is None else queue
    environment = environment_detail() if environment is None else environment
    return ScriptedBatch(
        DescribeJobQueues=lambda r: {
            "jobQueues": [queue] if r.get("jobQueues", ["big"]) == ["big"] else []
        },
        DescribeComputeEnvironments=lambda _: {"computeEnvironments": [environment]},
        GetJobQueueSnapshot=snapshot,
    )


def test_a_queue_that_takes_jobs_is_told_with_its_platform_and_size():
    found = check_queue(api_of(batch_with()), "big")

    assert found.sentence == "the queue 'big' takes jobs: EC2, big-ce (up to 256 vCPUs of m5)"
    assert not found.platform.is_fargate
    assert found.denied == ("batch:GetJobQueueSnapshot",)


def test_a_queue_of_another_name_is_refused_with_the_region():
    with pytest.raises(ComputeError, match="no job queue 'small' in the region eu-west-1"):
        check_queue(api_of(batch_with()), "small")


@pytest.mark.parametrize(
    ("queue", "environment", "words"),
    [
        ({"state": "DISABLED"}, {}, "disabled"),
        ({"status": "INVALID", "statusReason": "no role"}, {}, "no role"),
        ({}, {"state": "DISABLED"}, "disabled"),
        ({}, {"status": "INVALID", "statusReason": "no subnet"}, "no subnet"),
    ],
)
def test_a_queue_in_which_jobs_would_wait_for_ever_is_refused(queue, environment, words):
    batch = batch_with(queue_detail(**queue), environment_detail(**environment))

    with pytest.raises(ComputeError, match=words) as caught:
        check_queue(api_of(batch), "big")

    assert caught.value.remedy


def test_the_queues_of_the_region_are_listed():
    assert queue_names(api_of(batch_with())) == ["big"]


def test_a_role_of_the_account_passes():
    assert ROLE in check_role(ROLE, "123456789012")


def test_the_name_of_a_role_is_answered_with_the_arn_that_it_would_have():
    with pytest.raises(UsageError) as caught:
        check_role("job", "210987654321")

    assert "arn:aws:iam::210987654321:role/job" in caught.value.remedy


def test_a_role_of_another_account_is_refused():
    with pytest.raises(UsageError, match="is of the account 123456789012"):
        check_role(ROLE, "210987654321")
