"""Calls to the API: paced, tried again, and errors in words."""

import socket

import pytest
from botocore import exceptions as botocore_errors

from swell.compute.batch.access import BatchAccess
from swell.compute.batch.api import BatchApi, Persistence, Refusal
from swell.compute.batch.api_errors import AccessDenied, Called, fault_of
from swell.compute.batch.buckets import TokenBucket
from swell.errors import ComputeError, InternalError
from swell.testing.fake_clock import FakeClock
from tests.unit.compute.batch.scripted_batch import REGION, Refused, ScriptedBatch, api_of

SUBMIT = {"jobName": "a", "jobQueue": "q", "jobDefinition": "d"}


class Then:
    """Answers in turn: what is an exception is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __call__(self, _request):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def throttle():
    return Refused("TooManyRequestsException", "slow down", 429)


def broken():
    return Refused("ServerException", "oh no", 500)


def test_ids_are_described_a_hundred_a_call():
    batch = ScriptedBatch(DescribeJobs=lambda r: {"jobs": [{"jobId": i} for i in r["jobs"]]})
    api = api_of(batch)
    found = api.describe_jobs(str(number) for number in range(250))
    assert [job.job_id for job in found] == [str(number) for number in range(250)]
    assert [len(request["jobs"]) for request in batch.of("DescribeJobs")] == [100, 100, 50]
    assert api.calls == {"DescribeJobs": 3}


def test_pages_are_read_to_the_end_and_only_as_far_as_needed():
    pages = {None: (["a"], "1"), "1": ([], "2"), "2": (["b"], None)}

    def answer(request):
        ids, token = pages[request.get("nextToken")]
        return {
            "jobSummaryList": [{"jobId": i, "jobName": i} for i in ids],
            **({"nextToken": token} if token else {}),
        }

    batch = ScriptedBatch(ListJobs=answer)
    jobs = api_of(batch).list_jobs(jobQueue="q", jobStatus="FAILED")
    assert next(jobs).job_id == "a"
    assert len(batch.requests) == 1
    assert [job.job_id for job in jobs] == ["b"]
    assert [request["maxResults"] for request in batch.of("ListJobs")] == [1000] * 3


def test_a_page_with_filters_asks_for_a_hundred_at_most():
    batch = ScriptedBatch(ListJobs=lambda _: {"jobSummaryList": []})
    filters = [{"name": "JOB_NAME", "values": ["a*"]}]
    assert list(api_of(batch).list_jobs(jobQueue="q", filters=filters)) == []
    assert batch.of("ListJobs")[0]["maxResults"] == 100


def test_jobs_are_ended_fifty_a_call_and_refusals_come_back():
    def answer(request):
        return {"successful": [], "errors": [{"job": request["jobs"][0], "code": "x",
                                              "message": "no"}]}  # fmt: skip

    batch = ScriptedBatch(TerminateJobs=answer)
    refused = api_of(batch).terminate_jobs([str(number) for number in range(120)], "r" * 2000)
    assert refused == [Refusal("0", "no"), Refusal("50", "no"), Refusal("100", "no")]
    assert [len(request["jobs"]) for request in batch.of("TerminateJobs")] == [50, 50, 20]
    assert len(batch.of("TerminateJobs")[0]["reason"]) == 1024


def test_an_endpoint_without_the_bulk_call_gets_single_ones():
    def missing(_request):
        raise Refused("404", "Not Found", 404)

    batch = ScriptedBatch(TerminateJobs=missing, TerminateJob=lambda _: {})
    api = api_of(batch)
    assert api.terminate_jobs(["a", "b"], "why") == []
    assert api.terminate_jobs(["c"], "why") == []
    assert [request["jobId"] for request in batch.of("TerminateJob")] == ["a", "b", "c"]
    assert len(batch.of("TerminateJobs")) == 1


def test_a_throttled_call_is_made_again_more_slowly():
    clock = FakeClock()
    began = clock.now
    batch = ScriptedBatch(SubmitJob=Then(throttle(), throttle(), {"jobId": "1"}))
    assert api_of(batch, clock).submit_job(SUBMIT) == "1"
    assert clock.now - began >= 1.5
    assert len(batch.requests) == 3


def test_a_service_in_trouble_is_asked_again_and_waits_are_told():
    told = []
    batch = ScriptedBatch(DescribeJobs=Then(broken(), broken(), {"jobs": []}))
    assert api_of(batch, say=told.append).describe_jobs(["a"]) == []
    assert len(told) == 2
    assert "Trying again" in told[0]


def test_after_a_minute_the_error_is_raised_and_says_that_a_later_try_can_help():
    def never(_request):
        raise broken()

    clock = FakeClock()
    began = clock.now
    with pytest.raises(ComputeError, match="in trouble: oh no") as caught:
        api_of(ScriptedBatch(DescribeJobs=never), clock).describe_jobs(["a"])
    assert caught.value.retryable
    assert clock.now - began <= 60


def silent_for(clock, seconds):
    def answer(_):
        clock.advance(seconds)
        raise botocore_errors.ReadTimeoutError(endpoint_url=URL)

    return answer


def test_an_endpoint_that_never_answered_is_given_up_before_a_second_long_silence():
    clock = FakeClock()
    batch = ScriptedBatch(DescribeJobs=silent_for(clock, 20))
    with pytest.raises(ComputeError, match=r"did not answer at batch\.eu-west-1\.amazonaws\.com"):
        api_of(batch, clock).describe_jobs(["a"])
    assert len(batch.requests) == 1


def test_an_endpoint_that_fell_silent_is_waited_for_as_long_as_any_other():
    clock, said = FakeClock(), []
    batch = ScriptedBatch(DescribeJobs=lambda _: {"jobs": []})
    api = api_of(batch, clock, say=said.append)
    api.describe_jobs(["a"])
    batch.answers["DescribeJobs"] = silent_for(clock, 20)
    with pytest.raises(ComputeError):
        api.describe_jobs(["a"])
    assert len(batch.requests) == 1 + 3
    assert "did not answer at" in said[0]


def test_a_server_that_takes_connections_and_says_nothing_is_told_with_its_address(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        access = BatchAccess(REGION, endpoint_url=url, answer_s=0.1)
        api = BatchApi(access, persistence=Persistence(first_answer_s=0.1))
        with pytest.raises(ComputeError) as told:
            api.describe_queues(["big"])
        api.close()
    assert told.value.message == f"AWS Batch (DescribeJobQueues) did not answer at {url}."
    assert "SWELL_BATCH_ENDPOINT_URL" in told.value.remedy
    assert api.calls["DescribeJobQueues"] == 1


def test_a_submission_that_may_have_been_taken_is_not_repeated():
    batch = ScriptedBatch(SubmitJob=Then(broken()))
    with pytest.raises(ComputeError) as caught:
        api_of(batch).submit_job(SUBMIT)
    assert caught.value.retryable
    assert len(batch.requests) == 1


def test_a_missing_right_is_named_from_the_message():
    text = (
        "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: batch:SubmitJob "
        "on resource: arn:aws:batch:eu-west-1:123456789012:job-queue/big"
    )
    batch = ScriptedBatch(SubmitJob=Then(Refused("AccessDeniedException", text, 403)))
    with pytest.raises(AccessDenied, match=r"lack the right batch:SubmitJob on arn:\S+/big"):
        api_of(batch).submit_job(SUBMIT)


def test_a_missing_right_is_known_where_the_message_does_not_name_it():
    batch = ScriptedBatch(TerminateJobs=Then(Refused("AccessDeniedException", "no", 403)))
    with pytest.raises(AccessDenied) as caught:
        api_of(batch).terminate_jobs(["a"], "why")
    assert caught.value.right == "batch:TerminateJob"


@pytest.mark.parametrize(
    ("refused", "cause", "remedy"),
    [
        (Refused("ExpiredTokenException", "x", 403), "have expired", "aws sso login"),
        (Refused("UnrecognizedClientException", "x", 403), "access key", "AWS_PROFILE"),
        (Refused("InvalidSignatureException", "x", 403), "secret key", "AWS_SECRET_ACCESS_KEY"),
        (
            Refused("ClientException", "JobQueue big does not exist"),
            "no such queue in eu-west-1",
            "AWS_REGION",
        ),
        (Refused("ClientException", "Job size 3 is odd"), "Job size 3 is odd", ""),
    ],
)
def test_refusals_are_told_with_what_to_do(refused, cause, remedy):
    with pytest.raises(ComputeError, match=cause) as caught:
        api_of(ScriptedBatch(SubmitJob=Then(refused))).submit_job(SUBMIT)
    assert remedy in caught.value.remedy
    assert not caught.value.retryable


CALLED = Called("batch", "SubmitJob", "us-esat-1")
URL = "https://batch.us-esat-1.amazonaws.com"


@pytest.mark.parametrize(
    ("error", "cause", "remedy"),
    [
        (botocore_errors.NoCredentialsError(), "No AWS credentials", "AWS_PROFILE"),
        (
            botocore_errors.PartialCredentialsError(provider="env", cred_var="x"),
            "not whole",
            "AWS_SECRET_ACCESS_KEY",
        ),
        (
            botocore_errors.UnauthorizedSSOTokenError(),
            "sign-on has expired",
            "aws sso login",
        ),
        (botocore_errors.ProfileNotFound(profile="x"), "profile", "AWS_PROFILE"),
        (botocore_errors.NoRegionError(), "No AWS region", "AWS_REGION"),
        (
            botocore_errors.EndpointConnectionError(endpoint_url=URL),
            "cannot be reached",
            "AWS_REGION is 'us-esat-1'",
        ),
        (botocore_errors.ParamValidationError(report="odd"), "cannot be asked", "@batch"),
        (RuntimeError("odd"), "RuntimeError: odd", ""),
    ],
)
def test_errors_on_this_side_are_told_with_what_to_do(error, cause, remedy):
    told = fault_of(error, CALLED).error
    assert cause in told.message
    assert remedy in told.remedy


def test_only_what_was_sent_may_have_been_obeyed():
    refused = fault_of(botocore_errors.EndpointConnectionError(endpoint_url=URL), CALLED)
    silent = fault_of(botocore_errors.ReadTimeoutError(endpoint_url=URL), CALLED)
    closed = fault_of(botocore_errors.ConnectionClosedError(endpoint_url=URL), CALLED)
    assert [f.may_have_happened for f in (refused, silent, closed)] == [False, True, True]
    assert all(f.error.retryable for f in (refused, silent, closed))


def test_another_endpoint_is_named_by_its_setting():
    called = CALLED._replace(endpoint_url="http://127.0.0.1:9")
    told = fault_of(botocore_errors.EndpointConnectionError(endpoint_url="x"), called).error
    assert "SWELL_BATCH_ENDPOINT_URL" in told.remedy


def test_an_answer_that_is_not_understood_is_a_bug_to_report():
    batch = ScriptedBatch(DescribeJobs=lambda _: {"jobs": [{"jobId": 3}]})
    with pytest.raises(InternalError, match="jobId"):
        api_of(batch).describe_jobs(["a"])


def test_waits_double_up_to_the_longest_and_chance_cuts_them_by_a_half_at_most():
    waits = [Persistence(1.0, 5.0).wait_before(retry, chance=0.0) for retry in (1, 2, 3, 4, 99)]
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert Persistence(1.0).wait_before(1, chance=1.0) == 0.5


def test_a_bucket_lets_a_seconds_worth_pass_and_then_one_at_a_time():
    clock = FakeClock()
    bucket = TokenBucket(10.0, clock)
    waits = [bucket.take() for _ in range(12)]
    assert waits[:10] == [0.0] * 10
    assert waits[10:] == pytest.approx([0.1, 0.2])


def test_a_bucket_that_was_told_to_slow_down_recovers_step_by_step():
    clock = FakeClock()
    bucket = TokenBucket(10.0, clock)
    bucket.slow_down()
    assert bucket.rate_per_s == 5.0
    assert bucket.take() == pytest.approx(0.2)
    for _ in range(100):
        bucket.slow_down()
    assert bucket.rate_per_s == 0.25
    for _ in range(100):
        bucket.speed_up()
    assert bucket.rate_per_s == 10.0
