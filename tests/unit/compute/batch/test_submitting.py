"""SubmitJob requests: arrays, gangs, shares, tags and limits."""

import botocore.session
import pytest
from botocore.validate import ParamValidator

from swell.compute.batch.submitting import submit_request
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan
from swell.seams.queue import Submission
from tests.unit.compute.batch.platforms_at_hand import EC2, FARGATE, SHARED

DEFINITION = "arn:aws:batch:eu-west-1:123456789012:job-definition/swell-1:1"


def submission(count=1, *, batch=None, **fields):
    plan = StepPlan("work", backend="batch", batch=batch)
    fields.setdefault("environment", {"SWELL_STORE": "s3://bucket/x"})
    return Submission("swell-1-Flow-2-work-abc", plan, count, **fields)


def request_of(asked, platform=EC2):
    request = submit_request(asked, platform, DEFINITION)
    model = botocore.session.get_session().get_service_model("batch")
    report = ParamValidator().validate(request, model.operation_model("SubmitJob").input_shape)
    assert not report.has_errors(), report.generate_report()
    return request


def test_one_member_is_a_plain_job():
    request = request_of(submission(1))
    assert "arrayProperties" not in request
    assert request["containerOverrides"]["environment"] == [
        {"name": "SWELL_STORE", "value": "s3://bucket/x"}
    ]


@pytest.mark.parametrize("count", [2, 10_000])
def test_many_members_are_an_array(count):
    assert request_of(submission(count))["arrayProperties"] == {"size": count}


def test_what_travels_with_a_submission_does_not_grow_with_its_members():
    two, many = request_of(submission(2)), request_of(submission(10_000))
    assert two["containerOverrides"] == many["containerOverrides"]


@pytest.mark.parametrize(("count", "is_gang"), [(0, False), (10_001, False), (1_001, True)])
def test_sizes_that_batch_does_not_take_are_refused(count, is_gang):
    with pytest.raises(ComputeError, match="AWS Batch takes"):
        submit_request(submission(count, is_gang=is_gang), EC2, DEFINITION)


def test_a_gang_overrides_the_number_of_nodes_and_the_variables_of_all():
    request = request_of(submission(3, is_gang=True))
    assert "containerOverrides" not in request
    assert "arrayProperties" not in request
    overrides = request["nodeOverrides"]
    assert overrides["numNodes"] == 3
    assert overrides["nodePropertyOverrides"][0]["targetNodes"] == "0:"


def test_a_fair_share_queue_gets_share_and_priority():
    request = request_of(submission(batch=BatchOptions(share="research", priority=7)), SHARED)
    assert (request["shareIdentifier"], request["schedulingPriorityOverride"]) == ("research", 7)
    plain = request_of(submission(batch=BatchOptions(share="research")), SHARED)
    assert plain["schedulingPriorityOverride"] == 0


def test_a_fair_share_queue_without_share_is_refused_with_the_argument_to_give():
    with pytest.raises(ComputeError, match="names no share") as caught:
        submit_request(submission(), SHARED, DEFINITION)
    assert "share=" in caught.value.remedy


@pytest.mark.parametrize("share", ["a-b", "a*", "x" * 256, "é"])
def test_a_share_that_is_no_name_of_one_is_refused(share):
    with pytest.raises(ComputeError, match="share"):
        submit_request(submission(batch=BatchOptions(share=share)), SHARED, DEFINITION)


def test_a_queue_without_shares_is_not_sent_one():
    request = request_of(submission(batch=BatchOptions(share="research", priority=7)))
    assert not {"shareIdentifier", "schedulingPriorityOverride"} & set(request)


def test_tags_are_ours_and_the_users_in_letters_that_tags_may_have():
    batch = BatchOptions(tags=(("team", "a#b"), ("größe", "x" * 300)))
    tags = request_of(submission(batch=batch, tags={"swell:flow": "Flow"}))["tags"]
    assert tags == {"swell:flow": "Flow", "team": "a_b", "größe": "x" * 256}


def test_more_than_fifty_tags_are_refused():
    batch = BatchOptions(tags=tuple((f"k{number}", "v") for number in range(50)))
    with pytest.raises(ComputeError, match="51 in all"):
        submit_request(submission(batch=batch, tags={"swell:flow": "F"}), EC2, DEFINITION)


def test_tags_that_are_amazons_own_are_refused():
    with pytest.raises(ComputeError, match="aws:"):
        submit_request(submission(batch=BatchOptions(tags=(("aws:x", "y"),))), EC2, DEFINITION)


def test_8192_characters_of_variables_are_the_limit():
    with pytest.raises(ComputeError, match="characters of variables; AWS Batch takes 8,192"):
        submit_request(submission(environment={"BIG": "x" * 8_192}), EC2, DEFINITION)


def test_30_kilobytes_in_all_are_the_limit():
    tags = tuple((f"{'k' * 120}{number:03}", "ü" * 256) for number in range(50))
    with pytest.raises(ComputeError, match="bytes in all; AWS Batch takes 30,720"):
        submit_request(submission(batch=BatchOptions(tags=tags)), EC2, DEFINITION)


def test_variables_of_batch_itself_are_refused():
    with pytest.raises(ComputeError, match="AWS_BATCH"):
        submit_request(submission(environment={"AWS_BATCH_X": "1"}), EC2, DEFINITION)


@pytest.mark.parametrize("name", ["", "-a", "a b", "ä", "x" * 129])
def test_names_that_jobs_cannot_have_are_refused(name):
    with pytest.raises(ComputeError, match="name of a job"):
        submit_request(Submission(name, StepPlan("work"), 1), EC2, DEFINITION)


def test_memory_of_a_later_attempt_overrides_that_of_the_definition():
    (vcpu, memory) = request_of(submission(2, memory_mb=8000))["containerOverrides"][
        "resourceRequirements"
    ]
    assert (vcpu, memory) == ({"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "8000"})


def test_on_fargate_more_memory_takes_the_cpu_that_goes_with_it():
    asked = request_of(submission(memory_mb=16_000), FARGATE)["containerOverrides"]
    assert asked["resourceRequirements"] == [
        {"type": "VCPU", "value": "2"},
        {"type": "MEMORY", "value": "16384"},
    ]


def test_all_nodes_of_a_gang_get_the_memory():
    request = request_of(submission(3, is_gang=True, memory_mb=8000))
    (nodes,) = request["nodeOverrides"]["nodePropertyOverrides"]
    assert {"type": "MEMORY", "value": "8000"} in nodes["containerOverrides"][
        "resourceRequirements"
    ]
