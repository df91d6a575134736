"""The served Batch, spoken to by boto3: calls, checks, errors and pages."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from tests.unit.sandbox.conftest import Served


def refusal(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    assert caught.value.response["Error"]["Code"] == "ClientException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(caught.value.response["Error"]["Message"])


def command(*words: str) -> dict[str, Any]:
    return {"containerOverrides": {"command": list(words)}}


def test_a_fresh_sandbox_has_a_queue_of_each_sort(served: Served) -> None:
    queues = served.client.describe_job_queues()["jobQueues"]
    assert [queue["jobQueueName"] for queue in queues] == ["swell", "spot", "fargate", "fair"]
    kinds = {
        one["computeEnvironmentName"]: one["computeResources"]["type"]
        for one in served.client.describe_compute_environments()["computeEnvironments"]
    }
    assert kinds == {"swell-ec2": "EC2", "swell-spot": "SPOT", "swell-fargate": "FARGATE"}


def test_a_job_runs_and_tells_its_exit_code_and_log_stream(served: Served) -> None:
    job = served.until(served.submit("good"), "SUCCEEDED", "FAILED")
    assert job["status"] == "SUCCEEDED"
    assert job["container"]["exitCode"] == 0
    assert job["container"]["logStreamName"].startswith("d/default/")
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    assert len(job["attempts"]) == 1
    assert job["attempts"][0]["container"]["logStreamName"] == job["container"]["logStreamName"]


def test_a_failing_job_tells_why(served: Served) -> None:
    job = served.until(served.submit("bad", **command("exit", "3")), "SUCCEEDED", "FAILED")
    assert job["status"] == "FAILED"
    assert job["statusReason"] == "Essential container in task exited"
    assert job["container"]["exitCode"] == 3


def test_an_array_job_runs_its_children_while_its_parent_is_pending(served: Served) -> None:
    parent = served.submit("array", arrayProperties={"size": 5}, **command("hold"))
    served.until(f"{parent}:3", "RUNNING")
    assert served.job(parent)["status"] == "PENDING"
    served.client.terminate_job(jobId=parent, reason="enough")
    ended = served.until(parent, "FAILED")
    assert ended["arrayProperties"]["statusSummary"]["FAILED"] == 5
    assert ended["isTerminated"]


def test_unknown_members_wrong_types_and_wrong_enums_are_refused(served: Served) -> None:
    def raw(path: str, body: object) -> tuple[int, str, str]:
        request = urllib.request.Request(
            served.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request):
            pass
        with caught.value as answer:
            message = json.loads(answer.read())["message"]
            return answer.code, answer.headers["x-amzn-errortype"], message

    job = {"jobName": "a", "jobQueue": "swell", "jobDefinition": "d"}
    for wrong, words in (
        ({**job, "colour": "red"}, "colour is no member of SubmitJobRequest"),
        ({**job, "jobName": 3}, "jobName must be a string"),
        ({"jobName": "a"}, "jobQueue is required"),
        ({**job, "arrayProperties": {"size": "3"}}, "arrayProperties.size must be a number"),
        ({**job, "dependsOn": [{"jobId": "x", "type": "LATER"}]}, "must be one of N_TO_N"),
        ([job], "must be an object"),
    ):
        code, kind, message = raw("/v1/submitjob", wrong)
        assert (code, kind) == (400, "ClientException")
        assert words in message
    assert raw("/v1/nothing", {})[0] == 404


def test_what_is_not_built_is_said_plainly(served: Served) -> None:
    message = refusal(
        served.client.create_consumable_resource, consumableResourceName="x", totalQuantity=1
    )
    assert "not in the sandbox" in message
    message = refusal(
        served.client.submit_job,
        jobName="a",
        jobQueue="swell",
        jobDefinition="d",
        arrayProperties={"size": 2},
        dependsOn=[{"type": "SEQUENTIAL"}],
    )
    assert "not in the sandbox" in message


def test_more_calls_than_allowed_are_throttled_for_each_operation_apart(serve: Any) -> None:
    served = serve(calls_per_s=0.001)
    served.client.describe_job_queues()
    with pytest.raises(ClientError) as caught:
        served.client.describe_job_queues()
    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert served.client.describe_compute_environments()["computeEnvironments"]


def test_a_service_that_is_down_gives_no_answer_until_it_is_back(serve: Any) -> None:
    served = serve()
    own(served, "chaos", {"api_down_s": 1000})
    with pytest.raises(HTTPClientError):
        served.client.describe_job_queues()
    own(served, "chaos", {"clear": True})
    assert served.client.describe_job_queues()["jobQueues"]


def own(served: Served, path: str, body: object | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(f"{served.url}/_sandbox/{path}", data)
    ) as answer:
        return json.loads(answer.read())


def test_the_sandbox_tells_its_status_and_makes_queues(serve: Any) -> None:
    served = serve()
    order = [{"order": 1, "computeEnvironment": "swell-ec2"}]
    request = {"jobQueueName": "mine", "priority": 5, "computeEnvironmentOrder": order}
    own(served, "resources", [{"operation": "CreateJobQueue", "request": request}])
    status = own(served, "status")
    assert [queue["name"] for queue in status["queues"]][-1] == "mine"
    with pytest.raises(urllib.error.HTTPError) as caught:
        own(served, "chaos", {"weather": "bad"})
    caught.value.close()


def test_chaos_reclaims_an_instance_after_telling_it(serve: Any) -> None:
    served = serve()
    answer = own(served, "chaos", {"spot": 1.0, "within_s": 0.01, "notice_s": 0.02, "seed": 7})
    assert answer["faults"]["spot"] == 1.0
    job = served.until(served.submit("unlucky", **command("hold")), "FAILED")
    assert job["statusReason"].startswith("Host EC2 (instance i-")
    assert served.announced[0][0] in job["statusReason"]
    own(served, "chaos", {"clear": True})
    assert served.until(served.submit("lucky"), "SUCCEEDED", "FAILED")["status"] == "SUCCEEDED"


def test_chaos_loses_a_busy_instance_at_once(serve: Any) -> None:
    served = serve()
    job = served.submit("held", **command("hold"))
    served.until(job, "RUNNING")
    (host,) = own(served, "chaos", {"host_loss": 1})["lost_hosts"]
    ended = served.until(job, "FAILED")
    assert ended["statusReason"] == f"Host EC2 (instance {host}) terminated."


def test_requests_larger_than_the_api_takes_are_refused(served: Served) -> None:
    variables = [{"name": f"V{number}", "value": "x" * 100} for number in range(300)]
    message = refusal(
        served.client.submit_job,
        jobName="large",
        jobQueue="swell",
        jobDefinition="d",
        containerOverrides={"environment": variables},
    )
    assert "at most 30720" in message
    message = refusal(
        served.client.register_job_definition,
        jobDefinitionName="large",
        type="container",
        containerProperties={"image": "x", "environment": variables},
    )
    assert "at most 24576" in message


def test_a_missing_signature_is_refused_where_it_is_asked_for(serve: Any) -> None:
    served = serve(checks_signature=True)
    assert served.client.describe_job_queues()["jobQueues"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{served.url}/v1/describejobqueues", b"{}")
    with caught.value as answer:
        assert answer.code == 403


def test_tags_can_be_looked_at_and_changed(served: Served) -> None:
    arn = served.client.describe_job_queues(jobQueues=["swell"])["jobQueues"][0]["jobQueueArn"]
    served.client.tag_resource(resourceArn=arn, tags={"team": "red", "cost": "1"})
    served.client.untag_resource(resourceArn=arn, tagKeys=["cost"])
    assert served.client.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "red"}


def test_the_status_counts_calls_by_operation(serve: Any) -> None:
    served = serve()
    job = served.submit()
    served.until(job, "SUCCEEDED")
    calls = served.service.decider.status().calls
    assert calls["SubmitJob"] == 1
    assert calls["DescribeJobs"] >= 1
    assert "DescribeJobQueues" not in calls
