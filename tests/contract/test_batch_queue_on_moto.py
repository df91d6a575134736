"""The AWS Batch queue against moto's Batch, which somebody else wrote.

moto runs a job to its end as soon as it is submitted. It lacks the bulk TerminateJobs (single
calls are made instead), filters of ListJobs, queue snapshots, the statusSummary of arrays while
they run, retryStrategy, time limits and delays: those are tried on the sandbox alone.
"""

from collections.abc import Iterator

import boto3
import pytest
import requests

from swell.compute.batch.access import BatchAccess
from swell.compute.batch.api import BatchApi
from swell.compute.batch.defaults import BatchDefaults
from swell.compute.batch.queue import BatchQueue
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.job import JobState, StepPlan
from swell.model.resources import Resources
from swell.seams.queue import Submission, Watched

REGION = "us-east-1"
PLAN = StepPlan("work", backend="batch", resources=Resources(cpu=2, memory_mb=1000))


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The endpoint of a moto server with a queue in it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        config = {"batch": {"use_docker": False}}
        requests.post(f"{url}/moto-api/config", json=config, timeout=30).raise_for_status()
        make_place(url)
        yield url
    server.stop()


@pytest.fixture
def queue(moto: str) -> Iterator[BatchQueue]:
    access = BatchAccess(REGION, endpoint_url=moto)
    made = BatchQueue(BatchApi(access), BatchDefaults(queue="big"), "pass", grace_s=0.0)
    yield made
    made.close()


def make_place(url: str) -> None:
    """A compute environment and the queue 'big' on it."""
    iam, ec2, batch = (
        boto3.client(service, REGION, endpoint_url=url) for service in ("iam", "ec2", "batch")
    )
    policy = "{}"
    service = iam.create_role(RoleName="service", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    iam.create_role(RoleName="host", AssumeRolePolicyDocument=policy)
    profile = iam.create_instance_profile(InstanceProfileName="host")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    made = batch.create_compute_environment(
        computeEnvironmentName="moto-machines",
        type="MANAGED",
        state="ENABLED",
        serviceRole=service,
        computeResources={
            "type": "EC2",
            "minvCpus": 0,
            "maxvCpus": 16,
            "desiredvCpus": 0,
            "instanceTypes": ["m5.xlarge"],
            "subnets": [subnet],
            "securityGroupIds": [group],
            "instanceRole": profile["InstanceProfile"]["Arn"],
        },
    )
    batch.create_job_queue(
        jobQueueName="big",
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": made["computeEnvironmentArn"]}],
    )


def ends(queue: BatchQueue, engine_id: str, submission: Submission) -> dict[int, JobState]:
    found: dict[int, JobState] = {}
    for _ in range(100):
        left = [index for index in range(submission.count) if index not in found]
        for update in queue.look([Watched(engine_id, submission, left)]):
            if update.evidence is not None:
                found[update.index] = update.state
        if len(found) == submission.count:
            break
    return found


def test_a_lone_job_is_submitted_found_by_name_and_ends(queue):
    submission = Submission("swell-a", PLAN, 1, environment={"A": "1"}, tags={"swell:run": "1"})
    engine_id = queue.submit(submission)
    assert queue.find("swell-a", PLAN) == engine_id
    assert queue.find("swell-b", PLAN) is None
    assert ends(queue, engine_id, submission) == {0: JobState.EXITED}


def test_every_member_of_an_array_ends(queue):
    submission = Submission("swell-array", PLAN, 3)
    assert ends(queue, queue.submit(submission), submission) == dict.fromkeys(
        range(3), JobState.EXITED
    )


def test_a_definition_is_registered_once(queue):
    plan = StepPlan("other", resources=Resources(cpu=1, memory_mb=1000))
    for name in ("a", "b"):
        queue.submit(Submission(name, plan, 1))
    assert queue.calls["RegisterJobDefinition"] == 1


def test_jobs_are_ended_by_single_calls_where_the_bulk_call_is_missing(queue):
    engine_id = queue.submit(Submission("swell-a", PLAN, 1))
    queue.cancel([engine_id], "why")
    assert queue.calls["TerminateJob"] == 1


def test_a_queue_that_is_not_there_is_refused(queue):
    with pytest.raises(ComputeError, match="'small' in the region us-east-1"):
        queue.check([StepPlan("work", batch=BatchOptions(queue="small"))])


def test_what_no_machine_of_the_queue_can_hold_is_refused(queue):
    with pytest.raises(ComputeError, match=r"m5\.xlarge"):
        queue.check([StepPlan("work", resources=Resources(cpu=8))])
    assert queue.check([PLAN]) == []
