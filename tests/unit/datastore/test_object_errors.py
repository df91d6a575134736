"""What obstore 0.12.1 raised, as swell tells it."""

from __future__ import annotations

import pytest

from swell.datastore.object_errors import object_error
from swell.errors import DataMissing, StoreFull

ANSWER = """Generic S3 error: Error performing GET http://h/data/a in 2ms - Server returned \
non-2xx status code: {status}: <?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>Words.</Message><Resource>/data/a</Resource></Error>

Debug source:
Generic {{
    store: "S3",
}}"""
NO_ANSWER = """Generic S3 error: Error performing GET http://127.0.0.1:1/data/a in 3.4ms, after 1 \
retries, max_retries: 1, retry_timeout: 30s  - HTTP error: error sending request

Debug source:
Generic {{
    store: "S3",
    source: RetryError(
        RetryErrorImpl {{
            inner: Http(
                HttpError {{
                    {detail}
                }},
            ),
        }},
    ),
}}"""


def told(text: str, error: type[Exception] = Exception) -> object:
    return object_error(error(text), "reading", "s3://data", "a")


@pytest.mark.parametrize(
    ("status", "code", "words", "remedy"),
    [
        ("404 Not Found", "NoSuchBucket", "no such bucket", "--datastore"),
        ("403 Forbidden", "AccessDenied", "access was denied", "permission"),
        ("403 Forbidden", "InvalidAccessKeyId", "access key is not known", "AWS_ACCESS_KEY_ID"),
        ("403 Forbidden", "SignatureDoesNotMatch", "secret key does not fit", "AWS_SECRET"),
        ("400 Bad Request", "ExpiredToken", "token has expired", "new credentials"),
        ("400 Bad Request", "AuthorizationHeaderMalformed", "another region", "SWELL_S3_REGION"),
        ("403 Forbidden", "RequestTimeTooSkewed", "clock of this machine", "Set the clock"),
    ],
)
def test_what_cannot_help_to_try_again_is_told_with_its_remedy(status, code, words, remedy):
    error = told(ANSWER.format(status=status, code=code))
    assert words in error.message
    assert "'a' in s3://data" in error.message
    assert remedy in error.remedy
    assert not error.retryable
    assert "Debug" not in str(error)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("503 Service Unavailable", "SlowDown"),
        ("500 Internal Server Error", "InternalError"),
        ("502 Bad Gateway", "Whatever"),
        ("429 Too Many Requests", "TooMuch"),
    ],
)
def test_a_service_in_trouble_is_tried_again(status, code):
    assert told(ANSWER.format(status=status, code=code)).retryable


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ('kind: Connect, source: ConnectError("dns error", ...)', "cannot be resolved"),
        ('kind: Connect, code: 111, message: "Connection refused"', "nothing answers"),
        ("kind: Timeout, source: TimedOut", "did not answer in time"),
        ("kind: Connect, source: reqwest::Error", "no connection"),
        ("kind: Request, source: hyper::Error(IncompleteMessage)", "broke off"),
        ("kind: Interrupted, source: reqwest::Error { kind: Body }", "broke off"),
    ],
)
def test_a_network_in_trouble_is_tried_again_and_the_endpoint_named(detail, words):
    error = told(NO_ANSWER.format(detail=detail))
    assert words in error.message
    assert error.retryable
    assert "SWELL_S3_ENDPOINT_URL" in error.remedy


def test_the_silence_of_a_machine_that_has_no_role_means_no_credentials():
    text = NO_ANSWER.format(detail="kind: Connect, source: TimedOut")
    error = told(text.replace("127.0.0.1:1/data/a", "169.254.169.254/latest/api/token"))
    assert "no credentials were found" in error.message
    assert not error.retryable


@pytest.mark.parametrize(
    ("url", "variable"), [("gs://data", "GOOGLE_APPLICATION_CREDENTIALS"), ("az://data", "AZURE_")]
)
def test_the_remedy_names_variables_of_the_service_at_hand(url, variable):
    text = NO_ANSWER.format(detail="kind: Connect, source: TimedOut")
    error = object_error(
        Exception(text.replace("127.0.0.1:1", "169.254.169.254")), "reading", url, "a"
    )
    assert variable in error.remedy
    assert "AWS_" not in error.remedy


def test_a_redirect_without_a_place_means_another_region():
    error = told(
        "Generic S3 error: Received redirect without LOCATION, this normally indicates an "
        "incorrectly configured region"
    )
    assert "another region" in error.message


def test_a_missing_key_is_missing_data_and_a_missing_bucket_is_not():
    missing = told(ANSWER.format(status="404", code="NoSuchKey"), FileNotFoundError)
    assert isinstance(missing, DataMissing)
    bucket = told(ANSWER.format(status="404", code="NoSuchBucket"), FileNotFoundError)
    assert not isinstance(bucket, DataMissing)


def test_a_used_up_quota_is_a_full_store():
    assert isinstance(told(ANSWER.format(status="403", code="QuotaExceeded")), StoreFull)


def test_what_nobody_foresaw_is_told_in_the_services_words_on_one_line():
    error = told("Generic S3 error: The moon is in the wrong place\n\nDebug source: ...")
    assert "The moon is in the wrong place" in error.message
    assert "\n" not in error.message
