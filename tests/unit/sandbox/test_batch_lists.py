"""Lists, definitions, resources and shares of the sandbox's Batch."""

from __future__ import annotations

from typing import Any

import pytest

from swell.sandbox.batch.refusal import Refused
from swell.sandbox.batch.throttle import Buckets
from tests.unit.sandbox.rehearsal import NEEDS, Rehearsal


@pytest.fixture
def batch() -> Rehearsal:
    return Rehearsal(max_vcpus=2)


def names(answer: dict[str, Any]) -> list[str]:
    return [one["jobName"] for one in answer["jobSummaryList"]]


# --- ListJobs ----------------------------------------------------------------------------


def test_a_list_shows_running_jobs_unless_another_state_is_asked_for(batch: Rehearsal) -> None:
    for name in ("a", "b", "c"):
        batch.submit(name)
    batch.advance(5)
    assert names(batch.call("ListJobs", jobQueue="q")) == ["a", "b"]
    assert names(batch.call("ListJobs", jobQueue="q", jobStatus="RUNNABLE")) == ["c"]


@pytest.mark.parametrize("ways", [{}, {"jobQueue": "q", "arrayJobId": "x"}])
def test_exactly_one_list_must_be_asked_for(batch: Rehearsal, ways: dict[str, str]) -> None:
    with pytest.raises(Refused, match="Exactly one"):
        batch.call("ListJobs", **ways)


def test_a_queue_lists_an_arrays_parent_and_the_array_its_children(batch: Rehearsal) -> None:
    parent = batch.submit("array", arrayProperties={"size": 3})
    batch.advance(5)
    assert names(batch.call("ListJobs", jobQueue="q")) == []
    (listed,) = batch.call("ListJobs", jobQueue="q", jobStatus="PENDING")["jobSummaryList"]
    assert listed["arrayProperties"]["statusSummary"]["RUNNING"] == 2
    children = batch.call("ListJobs", arrayJobId=parent)["jobSummaryList"]
    assert [one["jobId"] for one in children] == [f"{parent}:0", f"{parent}:1"]
    batch.end(f"{parent}:0", 4, "broken")
    failed = batch.call("ListJobs", arrayJobId=parent, jobStatus="FAILED")["jobSummaryList"]
    assert failed[0]["container"] == {"exitCode": 4, "reason": "broken"}
    with pytest.raises(Refused):
        batch.call("ListJobs", multiNodeJobId=parent)


def test_pages_hold_a_thousand_by_state_and_a_hundred_by_filter(batch: Rehearsal) -> None:
    parent = batch.submit("wide", arrayProperties={"size": 2500})
    for number in range(150):
        batch.submit(f"many{number}")
    batch.advance(1)

    def pages(**request: Any) -> list[int]:
        sizes, token = [], {}
        while True:
            answer = batch.call("ListJobs", **request, **token)
            sizes.append(len(answer["jobSummaryList"]))
            if "nextToken" not in answer:
                return sizes
            token = {"nextToken": answer["nextToken"]}

    assert pages(arrayJobId=parent, jobStatus="RUNNABLE") == [1000, 1000, 498]
    many = {"name": "JOB_NAME", "values": ["MANY*"]}
    assert pages(jobQueue="q", filters=[many]) == [100, 50]
    assert pages(jobQueue="q", jobStatus="RUNNABLE", maxResults=60) == [60, 60, 30]
    for wrong in ({"maxResults": 1001}, {"maxResults": 0}, {"nextToken": "bm9wZQ=="}):
        with pytest.raises(Refused):
            batch.call("ListJobs", jobQueue="q", **wrong)
    with pytest.raises(Refused):
        batch.call("ListJobs", jobQueue="q", filters=[many], maxResults=101)


def test_a_page_goes_on_where_the_last_one_ended_although_jobs_came_and_went(
    batch: Rehearsal,
) -> None:
    for number in range(4):
        batch.submit(f"job{number}")
    batch.advance(1)
    first = batch.call("ListJobs", jobQueue="q", jobStatus="RUNNABLE", maxResults=1)
    assert names(first) == ["job2"]
    batch.submit("late")
    batch.end(batch.started[0].job_id)
    batch.advance(1)
    rest = batch.call("ListJobs", jobQueue="q", jobStatus="RUNNABLE", nextToken=first["nextToken"])
    assert names(rest) == ["job3", "late"]


def test_filters_make_the_state_count_for_nothing_and_show_the_newest_first(
    batch: Rehearsal,
) -> None:
    batch.define("other")
    early = batch.running("Align-1")
    batch.end(early)
    batch.advance(100)
    batch.submit("align-2")
    batch.submit("sort", jobDefinition="other")

    def listed(name: str, value: str) -> list[str]:
        return names(
            batch.call("ListJobs", jobQueue="q", filters=[{"name": name, "values": [value]}])
        )

    assert listed("JOB_NAME", "ALIGN*") == ["align-2", "Align-1"]
    assert listed("JOB_NAME", "align-1") == ["Align-1"]
    assert listed("JOB_DEFINITION", "other") == ["sort"]
    assert listed("JOB_DEFINITION", "d:1") == ["align-2", "Align-1"]
    middle = str(int((batch.now - 50) * 1000))
    assert listed("BEFORE_CREATED_AT", middle) == ["Align-1"]
    assert listed("AFTER_CREATED_AT", middle) == ["sort", "align-2"]
    for wrong in ("COLOUR", "BEFORE_CREATED_AT"):
        with pytest.raises(Refused):
            listed(wrong, "x")
    two = [{"name": "JOB_NAME", "values": ["a"]}] * 2
    with pytest.raises(Refused, match="one filter"):
        batch.call("ListJobs", jobQueue="q", filters=two)


def test_at_most_a_hundred_jobs_are_described_at_once(batch: Rehearsal) -> None:
    for wrong in ([], ["x"] * 101):
        with pytest.raises(Refused, match="1 to 100"):
            batch.call("DescribeJobs", jobs=wrong)
    assert batch.call("DescribeJobs", jobs=["x", "x:1", "x#1"]) == {"jobs": []}


# --- definitions --------------------------------------------------------------------------


def test_each_registration_is_a_revision_and_a_name_means_the_latest_active_one(
    batch: Rehearsal,
) -> None:
    arn = batch.define("d")
    assert arn.endswith("job-definition/d:2")
    assert batch.job(batch.submit())["jobDefinition"] == arn
    batch.call("DeregisterJobDefinition", jobDefinition="d:2")
    assert batch.job(batch.submit())["jobDefinition"].endswith("d:1")
    with pytest.raises(Refused, match="not ACTIVE"):
        batch.submit(jobDefinition="d:2")
    with pytest.raises(Refused, match="does not exist"):
        batch.submit(jobDefinition="nothing")

    def revisions(**request: Any) -> list[int]:
        answer = batch.call("DescribeJobDefinitions", **request)
        return [one["revision"] for one in answer["jobDefinitions"]]

    assert revisions(jobDefinitionName="d") == [2, 1]
    assert revisions(jobDefinitionName="d", status="ACTIVE") == [1]
    assert revisions(jobDefinitions=["d:2", arn, "x:1"]) == [2, 2]
    with pytest.raises(Refused, match="not both"):
        revisions(jobDefinitionName="d", jobDefinitions=["d"])


@pytest.mark.parametrize("name", ["", "-a", "a b", "a.b", "x" * 129])
def test_names_are_letters_digits_and_dashes(batch: Rehearsal, name: str) -> None:
    with pytest.raises(Refused, match="valid pattern"):
        batch.define(name)
    with pytest.raises(Refused, match="valid pattern"):
        batch.submit(name)


def test_overrides_that_ecs_would_not_take_fail_the_job_after_it_was_accepted(
    batch: Rehearsal,
) -> None:
    job = batch.running(containerOverrides={"command": ["x" * 8200]})
    ended = batch.job(job)
    assert ended["status"] == "FAILED"
    assert ended["statusReason"] == "Container Overrides length must be at most 8192"
    assert batch.started == []


def test_tags_are_at_most_fifty_alone_and_together_with_those_of_the_definition(
    batch: Rehearsal,
) -> None:
    tags = {f"t{number}": "x" for number in range(50)}
    with pytest.raises(Refused, match="50 tags"):
        batch.submit(tags={**tags, "more": "x"})
    batch.define("tagged", tags={"of": "the definition"})
    job = batch.running(jobDefinition="tagged", tags=tags, propagateTags=True)
    assert batch.status(job) == "FAILED"
    assert batch.status(batch.running(jobDefinition="tagged", tags=tags)) == "RUNNING"


# --- queues and environments ---------------------------------------------------------------


def test_a_queue_has_up_to_three_environments_of_one_family(batch: Rehearsal) -> None:
    batch.call(
        "CreateComputeEnvironment",
        computeEnvironmentName="fg",
        type="MANAGED",
        computeResources={"type": "FARGATE", "maxvCpus": 4},
    )
    batch.call(
        "CreateComputeEnvironment",
        computeEnvironmentName="arm",
        type="MANAGED",
        computeResources={"type": "EC2", "maxvCpus": 4, "instanceTypes": ["m6g"]},
    )
    for environments in ([], ["ce"] * 4, ["ce", "fg"], ["ce", "arm"], ["nowhere"]):
        with pytest.raises(Refused):
            batch.queue("r", *environments)


def test_what_is_in_use_or_enabled_cannot_be_deleted(batch: Rehearsal) -> None:
    with pytest.raises(Refused, match="DISABLED"):
        batch.call("DeleteJobQueue", jobQueue="q")
    batch.call("UpdateComputeEnvironment", computeEnvironment="ce", state="DISABLED")
    with pytest.raises(Refused, match="relationship"):
        batch.call("DeleteComputeEnvironment", computeEnvironment="ce")
    batch.call("UpdateJobQueue", jobQueue="q", state="DISABLED")
    batch.call("DeleteJobQueue", jobQueue="q")
    batch.call("DeleteComputeEnvironment", computeEnvironment="ce")
    assert batch.call("DescribeJobQueues") == {"jobQueues": []}
    assert batch.call("DescribeComputeEnvironments") == {"computeEnvironments": []}
    with pytest.raises(Refused, match="does not exist"):
        batch.submit()


def test_the_queue_with_the_higher_priority_is_served_first(batch: Rehearsal) -> None:
    order = [{"order": 1, "computeEnvironment": "ce"}]
    batch.call("CreateJobQueue", jobQueueName="urgent", priority=9, computeEnvironmentOrder=order)
    batch.submit("low1"), batch.submit("low2"), batch.submit("high", queue="urgent")
    batch.advance(5)
    assert batch.started[0].environment["AWS_BATCH_JQ_NAME"] == "urgent"


# --- fair share ----------------------------------------------------------------------------


def fair(batch: Rehearsal) -> None:
    weights = [{"shareIdentifier": "heavy*", "weightFactor": 4.0}]
    policy = batch.call(
        "CreateSchedulingPolicy", name="p", fairsharePolicy={"shareDistribution": weights}
    )
    batch.queue("fair", "ce", schedulingPolicyArn=policy["arn"])


def test_a_fair_share_queue_wants_a_share_and_a_priority_and_others_want_none(
    batch: Rehearsal,
) -> None:
    fair(batch)
    for given, words in (
        ({}, "shareIdentifier"),
        ({"shareIdentifier": "a"}, "priority"),
        ({"shareIdentifier": "a", "schedulingPriorityOverride": 10_000}, "9999"),
        ({"shareIdentifier": "a b", "schedulingPriorityOverride": 1}, "letters and digits"),
    ):
        with pytest.raises(Refused, match=words):
            batch.submit(queue="fair", **given)
    with pytest.raises(Refused, match="scheduling policy"):
        batch.submit(shareIdentifier="a")
    batch.define("p", schedulingPriority=5)
    job = batch.job(batch.submit(queue="fair", jobDefinition="p", shareIdentifier="a"))
    assert (job["shareIdentifier"], job["schedulingPriority"]) == ("a", 5)


def test_shares_take_turns_by_weight_and_within_one_priority_decides(batch: Rehearsal) -> None:
    fair(batch)

    def submit(name: str, share: str, priority: int) -> None:
        batch.submit(name, queue="fair", shareIdentifier=share, schedulingPriorityOverride=priority)

    submit("h1", "heavyA", 1), submit("h2", "heavyA", 9)
    submit("l1", "light", 1), submit("l2", "light", 1)
    order = []
    while len(order) < 4:
        batch.advance(5)
        for spec in batch.started[len(order) :]:
            order.append(batch.job(spec.job_id)["jobName"])
        batch.end(batch.started[len(order) - 1].job_id)
    assert order[:2] == ["h2", "l1"]
    usage = batch.call("GetJobQueueSnapshot", jobQueue="fair")["queueUtilization"]
    assert "activeShareCount" in usage["fairshareUtilization"]


# --- throttling -----------------------------------------------------------------------------


def test_a_bucket_gives_out_its_calls_at_once_and_fills_up_again() -> None:
    buckets = Buckets(50)
    assert sum(buckets.admits("SubmitJob", 0.0) for _ in range(80)) == 50
    assert buckets.admits("DescribeJobs", 0.0)
    assert sum(buckets.admits("SubmitJob", 0.5) for _ in range(80)) == 25
    assert sum(buckets.admits("SubmitJob", 100.0) for _ in range(80)) == 50


def test_needs_of_a_definition_are_shown_as_given(batch: Rehearsal) -> None:
    shown = batch.call("DescribeJobDefinitions", jobDefinitions=["d:1"])["jobDefinitions"][0]
    assert shown["containerProperties"]["resourceRequirements"] == NEEDS
