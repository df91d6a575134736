"""What the store answers becomes a try, a mended try, or one sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from swell.bootstrap.address import Address
from swell.bootstrap.place import Keys, Place
from swell.bootstrap.sender import Sender
from swell.bootstrap.store import Store, StoreFailure
from tests.servers.stub_http import Asked, Reply, StubHttp

KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "s"}


def error(status: int, code: str, message: str = "As it says") -> Reply:
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, text.encode())


@contextmanager
def store_of(
    reply: Callable[[Asked], Reply], environ: Mapping[str, str] = KEYS
) -> Iterator[tuple[Store, StubHttp]]:
    with StubHttp(reply) as stub:
        store = Store("s3://bucket/pre/fix", {**environ, "SWELL_S3_ENDPOINT_URL": stub.url})
        yield store, stub
        store.close()


def test_what_fails_for_a_moment_is_tried_again() -> None:
    replies = [Reply(503), Reply(429), Reply(500), Reply(409), Reply(200, b"data")]
    with store_of(lambda _: replies.pop(0)) as (store, stub):
        assert store.read("key") == b"data"
        assert {asked.path for asked in stub.asked} == {"/bucket/pre/fix/key"}


def test_what_never_stops_failing_is_given_up_with_a_sentence() -> None:
    with (
        store_of(lambda _: error(503, "SlowDown", "Reduce your rate")) as (store, _),
        pytest.raises(StoreFailure) as failure,
    ):
        store.write(lambda: "key", b"", patience_s=0.05)
    assert failure.value.is_passing
    assert str(failure.value) == (
        "Writing s3://bucket/pre/fix/key failed: 503 SlowDown Reduce your rate."
    )


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (error(403, "AccessDenied"), "AccessDenied As it says. The job's role must be allowed"),
        (error(404, "NoSuchKey"), "404 NoSuchKey As it says. It was deleted"),
        (error(404, "NoSuchBucket"), "Look at SWELL_STORE"),
        (error(403, "SignatureDoesNotMatch"), "Look at the credentials of the job"),
        (error(501, "NotImplemented"), "does not offer writing only what is not there"),
        (Reply(403), "403 403 . The job's role must be allowed s3:GetObject"),
    ],
)
def test_what_no_other_try_can_mend_is_told_at_once(reply: Reply, words: str) -> None:
    with store_of(lambda _: reply) as (store, stub):
        with pytest.raises(StoreFailure) as failure:
            store.read("key")
        assert words in str(failure.value)
        assert not failure.value.is_passing
        assert len(stub.asked) == 1


def test_keys_that_have_expired_are_told() -> None:
    with (
        store_of(lambda _: error(400, "ExpiredToken")) as (store, _),
        pytest.raises(StoreFailure, match="The credentials have expired: give the job a role"),
    ):
        store.read("key")


def test_credentials_of_a_role_that_were_refused_are_asked_for_anew() -> None:
    def reply(asked: Asked) -> Reply:
        if asked.path == "/role":
            number = sum(one.path == "/role" for one in role.asked)
            told = {"AccessKeyId": f"key{number}", "SecretAccessKey": "s"}
            return Reply(body=json.dumps(told).encode())
        is_old = "Credential=key1/" in asked.headers["authorization"]
        return error(400, "ExpiredToken") if is_old else Reply(200, b"data")

    with StubHttp(reply) as role:
        environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{role.url}/role"}
        with store_of(reply, environ) as (store, _):
            assert store.read("key") == b"data"


def test_a_bucket_of_another_region_is_asked_there() -> None:
    def reply(asked: Asked) -> Reply:
        if "/eu-west-3/s3/" in asked.headers["authorization"]:
            return Reply(200, b"data")
        wrong = error(400, "AuthorizationHeaderMalformed")
        return wrong._replace(headers={"x-amz-bucket-region": "eu-west-3"})

    with store_of(reply) as (store, _):
        assert store.read("key") == b"data"


def test_a_machine_whose_clock_is_wrong_takes_the_stores_time() -> None:
    now = time.time() + 7200
    earliest = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now - 60))
    date = {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))}

    def reply(asked: Asked) -> Reply:
        if asked.headers["x-amz-date"] > earliest:
            return Reply(200, b"data", date)
        return error(403, "RequestTimeTooSkewed")._replace(headers=date)

    with store_of(reply) as (store, _):
        assert store.read("key") == b"data"


def test_a_download_that_breaks_off_is_taken_up_where_it_broke() -> None:
    whole = bytes(range(256)) * 40

    def reply(asked: Asked) -> Reply:
        first = int(asked.headers.get("range", "bytes=0-").split("=")[1].split("-")[0])
        length = {"Content-Length": str(len(whole) - first)}
        sent = whole[first:] if first else whole[:4000]
        return Reply(206 if first else 200, sent, {**length, "Connection": "close"})

    with store_of(reply) as (store, stub):
        assert store.read("key") == whole
        assert [asked.headers.get("range") for asked in stub.asked] == [None, "bytes=4000-"]


def test_a_store_that_is_not_there_is_told() -> None:
    store = Store("s3://bucket", {**KEYS, "SWELL_S3_ENDPOINT_URL": "http://127.0.0.1:1"})
    with pytest.raises(StoreFailure, match=r"http://127\.0\.0\.1:1 does not do it .*refused"):
        store.write(lambda: "key", b"", patience_s=0.05)


@pytest.mark.parametrize(
    ("url", "environ", "site", "path"),
    [
        ("s3://b/p", {}, "https://b.s3.us-east-1.amazonaws.com", "/p/k"),
        ("s3://b", {"AWS_REGION": "eu-west-1"}, "https://b.s3.eu-west-1.amazonaws.com", "/k"),
        ("s3://b", {"SWELL_S3_REGION": "cn-north-1"},
         "https://b.s3.cn-north-1.amazonaws.com.cn", "/k"),
        ("s3://b.c/p", {}, "https://s3.us-east-1.amazonaws.com", "/b.c/p/k"),
        ("s3://b", {"SWELL_S3_ADDRESSING": "path"}, "https://s3.us-east-1.amazonaws.com", "/b/k"),
        ("s3://b", {"SWELL_S3_ENDPOINT_URL": "http://h:9/"}, "http://h:9", "/b/k"),
        ("s3://b", {"SWELL_S3_ENDPOINT_URL": "http://h:9", "SWELL_S3_ADDRESSING": "virtual"},
         "http://b.h:9", "/k"),
        ("s3://b", {"AWS_ENDPOINT_URL": "http://h", "SWELL_S3_ADDRESSING": "auto"},
         "http://h", "/b/k"),
    ],
)  # fmt: skip
def test_an_object_is_asked_for_where_the_settings_say(
    url: str, environ: dict[str, str], site: str, path: str
) -> None:
    address = Address(url, environ)
    assert (address.site(), address.path("k")) == (site, path)


def test_news_that_the_store_refuses_are_tried_until_there_is_no_time_left() -> None:
    with store_of(lambda _: error(403, "AccessDenied")) as (store, _):
        sender = Sender(store, Keys("runs/F/1", "runs/F/1/submissions/s", Place("job", 0, 1)))
        sender.send("end", 0, b"{}")
        with pytest.raises(StoreFailure, match="AccessDenied"):
            sender.finish(0.05)


def test_a_key_that_another_job_has_taken_in_this_millisecond_is_no_loss() -> None:
    replies = [Reply(412), Reply(200)]
    with store_of(lambda _: replies.pop(0)) as (store, stub):
        sender = Sender(store, Keys("runs/F/1", "runs/F/1/submissions/s", Place("job", 3, 1)))
        sender.send("end", 0, b"{}")
        sender.finish(20)
        first, second = (asked.path for asked in stub.asked)
        assert first != second
        assert first.endswith("/end/s/3/1/0")
