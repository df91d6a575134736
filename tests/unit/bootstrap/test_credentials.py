"""Each source of credentials, and when they are asked for anew."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from swell.bootstrap.credentials import Credentials
from tests.servers.stub_http import Asked, Reply, StubHttp


def given_keys(number: int = 1, expires_in_s: float = 3600) -> bytes:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + expires_in_s))
    told = {"AccessKeyId": f"key{number}", "SecretAccessKey": "s", "Token": "t", "Expiration": at}
    return json.dumps(told).encode()


def access(environ: Mapping[str, str], container_url: str = "http://127.0.0.1:1") -> str:
    return Credentials(environ, container_url).keys().access


def test_keys_in_the_environment_go_first() -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/none",
    }
    keys = Credentials(environ).keys()
    assert (keys.access, keys.secret, keys.token) == ("key", "secret", "token")


def test_a_container_on_ecs_asks_its_own_endpoint() -> None:
    with StubHttp(lambda asked: Reply(body=given_keys())) as stub:
        environ = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/id"}
        assert access(environ, stub.url) == "key1"
        assert stub.asked[0].path == "/v2/credentials/id"


def test_a_full_address_is_asked_with_the_token_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("Bearer me\n")
    with StubHttp(lambda asked: Reply(body=given_keys())) as stub:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{stub.url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
        }
        assert access(environ) == "key1"
        assert stub.asked[0].headers["authorization"] == "Bearer me"


def test_a_full_address_of_another_machine_is_not_asked_without_tls() -> None:
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/credentials"}
    with pytest.raises(OSError, match="neither on this machine nor https"):
        access(environ)


def machine(asked: Asked) -> Reply:
    if asked.method == "PUT":
        assert asked.path == "/latest/api/token"
        return Reply(body=b"session")
    if asked.headers.get("x-aws-ec2-metadata-token") != "session":
        return Reply(401)
    last = asked.path.rpartition("/")[2]
    return Reply(body=given_keys() if last == "a-role" else b"a-role\n")


def test_a_machines_role_is_asked_of_its_metadata_and_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with StubHttp(machine) as stub:
        assert access({"AWS_EC2_METADATA_SERVICE_ENDPOINT": stub.url + "/"}) == "key1"


def test_a_web_identity_is_exchanged(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("id/token")
    answer = (
        "<Credentials><AccessKeyId>web</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
    )
    with StubHttp(lambda asked: Reply(body=answer.encode())) as stub:
        environ = {
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
            "AWS_ENDPOINT_URL_STS": stub.url,
        }
        assert access(environ) == "web"
        assert "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr" in stub.asked[0].path
        assert "WebIdentityToken=id%2Ftoken" in stub.asked[0].path


@pytest.mark.parametrize(("expires_in_s", "asked"), [(3600, 1), (200, 2)])
def test_credentials_are_asked_for_anew_before_they_expire(expires_in_s: float, asked: int) -> None:
    def reply(_: Asked) -> Reply:
        return Reply(body=given_keys(len(stub.asked), expires_in_s))

    with StubHttp(reply) as stub:
        environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": stub.url}
        credentials = Credentials(environ)
        credentials.keys()
        assert credentials.keys().access == f"key{asked}"


def test_credentials_that_still_last_are_kept_when_no_others_are_given() -> None:
    def reply(_: Asked) -> Reply:
        return Reply(body=given_keys(1, 200)) if len(stub.asked) == 1 else Reply(400, b"no")

    with StubHttp(reply) as stub:
        credentials = Credentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": stub.url})
        credentials.keys()
        assert credentials.keys().access == "key1"


def test_credentials_that_were_refused_are_not_given_again() -> None:
    with StubHttp(lambda _: Reply(body=given_keys(len(stub.asked)))) as stub:
        credentials = Credentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": stub.url})
        first = credentials.keys()
        assert credentials.keys(refused=first).access == "key2"


def test_a_service_that_fails_for_a_moment_is_asked_again() -> None:
    def reply(_: Asked) -> Reply:
        return Reply(503) if len(stub.asked) == 1 else Reply(body=given_keys())

    with StubHttp(reply) as stub:
        assert access({"AWS_CONTAINER_CREDENTIALS_FULL_URI": stub.url}) == "key1"


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"AWS_EC2_METADATA_DISABLED": "true"}, "the machine's metadata service gave none"),
        (
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/file", "AWS_ROLE_ARN": "r"},
            "with a web identity, gave none",
        ),
    ],
)
def test_no_credentials_are_told_with_the_source_that_was_asked(
    environ: dict[str, str], sentence: str
) -> None:
    with pytest.raises(OSError, match=sentence):
        access(environ)


def test_what_an_endpoint_says_instead_of_credentials_is_told() -> None:
    body = json.dumps({"Code": "AssumeRoleUnauthorizedAccess", "Message": "no trust"}).encode()
    with (
        StubHttp(lambda _: Reply(body=body)) as stub,
        pytest.raises(OSError, match=r"container's credentials endpoint gave none .*no trust"),
    ):
        access({"AWS_CONTAINER_CREDENTIALS_FULL_URI": stub.url})
