"""Signatures are those of botocore, which are Amazon's own."""

from __future__ import annotations

import datetime
import hashlib
from unittest.mock import patch
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given
from hypothesis import strategies as st

from swell.bootstrap.signing import Keys, canonical_query, quoted, signed_headers

NOW = 1_795_363_800.0
TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20)
HEADERS = st.dictionaries(
    st.sampled_from(["range", "if-none-match", "x-amz-meta-a", "x-amz-meta-b"]),
    st.text("abcXYZ 09-_*=", min_size=1, max_size=12).map(str.strip).filter(bool),
)


@given(
    method=st.sampled_from(["GET", "PUT"]),
    key=TEXT,
    query=st.dictionaries(TEXT, TEXT, max_size=3),
    headers=HEADERS,
    body=st.binary(max_size=40),
    token=st.sampled_from(["", "session-token=="]),
    region=st.sampled_from(["us-east-1", "cn-north-1"]),
)
@example("GET", "a b/ü+~'", {"list-type": "2", "prefix": "a/b c"}, {}, b"", "", "us-east-1")
def test_a_signature_is_the_one_that_botocore_makes(
    method: str,
    key: str,
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
    token: str,
    region: str,
) -> None:
    host, path = "bucket.s3.amazonaws.com", "/" + quoted(key, b"/")
    text = canonical_query(query)
    url = f"https://{host}{path}" + (f"?{text}" if text else "")
    theirs = AWSRequest(method, url, headers=headers, data=body)
    at = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None)
    with (
        patch("botocore.auth.get_current_datetime", return_value=at, create=True),
        patch("botocore.auth.datetime", create=True) as clock,
    ):
        clock.datetime.utcnow.return_value = at
        theirs.context["payload_signing_enabled"] = True
        S3SigV4Auth(Credentials("AK", "secret", token or None), "s3", region).add_auth(theirs)

    ours = signed_headers(
        (method, path, text), {**headers, "host": host}, body,
        Keys("AK", "secret", token), (region, NOW),
    )  # fmt: skip

    assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]
    assert ours["authorization"] == theirs.headers["Authorization"]


@pytest.mark.parametrize("token", ["", "session-token=="])
def test_a_signature_for_batch_is_the_one_that_botocore_makes(token: str) -> None:
    host, body = "batch.eu-west-1.amazonaws.com", b'{"jobId": "a"}'
    theirs = AWSRequest("POST", f"https://{host}/v1/terminatejob", data=body)
    theirs.headers["Content-Type"] = "application/json"
    theirs.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    at = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).replace(tzinfo=None)
    with (
        patch("botocore.auth.get_current_datetime", return_value=at, create=True),
        patch("botocore.auth.datetime", create=True) as clock,
    ):
        clock.datetime.utcnow.return_value = at
        keys = Credentials("AK", "secret", token or None)
        SigV4Auth(keys, "batch", "eu-west-1").add_auth(theirs)

    ours = signed_headers(
        ("POST", "/v1/terminatejob", ""), {"host": host, "content-type": "application/json"},
        body, Keys("AK", "secret", token), ("eu-west-1", NOW), service="batch",
    )  # fmt: skip

    assert ours["authorization"] == theirs.headers["Authorization"]


@given(TEXT)
def test_quoting_is_that_of_the_standard_library(text: str) -> None:
    assert quoted(text) == quote(text, safe="-_.~")
