"""An attempt without a driver asks AWS Batch to end its array, and goes on without where it may
not."""

from __future__ import annotations

import json

import pytest

from swell.bootstrap.engine import array_of, ends_array, engine_url, with_its_array
from tests.servers.stub_http import Reply, StubHttp

KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "s", "SWELL_AWS_REGION": "eu-west-1"}
CHILD = {"AWS_BATCH_JOB_ID": "job-1:7", "AWS_BATCH_JOB_ARRAY_INDEX": "7"}


def at(stub: StubHttp) -> dict[str, str]:
    return {**KEYS, "AWS_ENDPOINT_URL_BATCH": stub.url}


def test_a_child_ends_its_array_with_one_signed_request(capsys: pytest.CaptureFixture[str]) -> None:
    with StubHttp(lambda _: Reply(200, b"{}")) as stub:
        said = []
        with_its_array(said.append, {**at(stub), **CHILD})("no driver")
    (asked,) = stub.asked
    assert said == ["no driver"]
    assert (asked.method, asked.path) == ("POST", "/v1/terminatejob")
    assert json.loads(asked.body) == {"jobId": "job-1", "reason": "swell: driver lost"}
    assert "/eu-west-1/batch/aws4_request" in asked.headers["authorization"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_BATCH_JOB_ID": "job-1"},
        {"AWS_BATCH_JOB_ID": "job-1#0", "AWS_BATCH_JOB_NODE_INDEX": "0"},
    ],
    ids=["a lone job", "a node of a gang"],
)
def test_what_is_no_child_ends_itself_alone(environ: dict[str, str]) -> None:
    said: list[str] = []
    with_its_array(said.append, environ)("no driver")
    assert said == ["no driver"]
    assert array_of(environ) == ""


def test_a_role_without_the_right_is_noted_and_asked_for_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refusal = json.dumps({"message": "User x is not authorized"}).encode()
    with StubHttp(lambda _: Reply(403, refusal)) as stub:
        assert not ends_array("job-1", at(stub))
    assert len(stub.asked) == 1
    said = capsys.readouterr().err
    assert "The rest of the array job-1 could not be ended" in said
    assert "403 User x is not authorized" in said
    assert "batch:TerminateJob" in said


def test_a_busy_engine_is_asked_again() -> None:
    replies = [Reply(429), Reply(500), Reply(200)]
    with StubHttp(lambda _: replies.pop(0)) as stub:
        assert ends_array("job-1", at(stub))
    assert len(stub.asked) == 3


def test_an_engine_out_of_reach_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    with StubHttp(lambda _: Reply()) as stub:
        gone = at(stub)
    assert not ends_array("job-1", gone)
    assert "could not be ended" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"AWS_REGION": "eu-west-1"}, "https://batch.eu-west-1.amazonaws.com"),
        (
            {"SWELL_AWS_REGION": "cn-north-1", "SWELL_S3_REGION": "us-east-1"},
            "https://batch.cn-north-1.amazonaws.com.cn",
        ),
        ({"SWELL_S3_REGION": "eu-west-1"}, "https://batch.us-east-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "http://all/"}, "http://all"),
        ({"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_BATCH": "http://b"}, "http://b"),
        (
            {"AWS_ENDPOINT_URL_BATCH": "http://b", "SWELL_BATCH_ENDPOINT_URL": "http://s"},
            "http://s",
        ),
    ],
)
def test_the_engine_is_where_the_environment_says(environ: dict[str, str], url: str) -> None:
    assert engine_url(environ) == url
