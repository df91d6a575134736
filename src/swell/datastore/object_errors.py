"""Errors of object stores in swell's words: cause, address, remedy, and whether to try again."""

from __future__ import annotations

import re
from typing import NamedTuple

from swell.errors import DataMissing, StoreError, StoreFull

_CODE = re.compile(r"<Code>\s*(\w+)\s*</Code>")
_STATUS = re.compile(r"status code: (\d{3})")


class _Word(NamedTuple):
    cause: str
    remedy: str
    retryable: bool = False


_KEYS = "Look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or at the profile (AWS_PROFILE)."
_RENEW = "Get new credentials ('aws sso login', or a new session token) and try again."
_REGION = "Set SWELL_S3_REGION or AWS_REGION to the bucket's own region."
_ENDPOINT = "Look at SWELL_S3_ENDPOINT_URL (or AWS_ENDPOINT_URL), and at the network."
ACCESS_REMEDIES = {
    "gs": "Look at GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT, the path of a key "
    "file, and at the network.",
    "az": "Look at AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or the variables of "
    "another credential), and at the network.",
}
"""What to do where Amazon's variables mean nothing, by scheme."""
_BUCKET = "Create it, or mend its name where it is given: --datastore, SWELL_DATASTORE, S3(…)."
_NO_KEYS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
_OF_AMAZON = frozenset({_KEYS, _NO_KEYS, _RENEW, _REGION, _ENDPOINT})
_BUSY = "The service is overloaded or in trouble: try again later."

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_BY_CODE = {
    "NoSuchBucket": _Word("there is no such bucket", _BUCKET),
    "InvalidBucketName": _Word("that is not a valid name of a bucket", _BUCKET),
    "AccessDenied": _Word(
        "access was denied",
        "Ask for permission to list, read, write and delete there, or use other credentials.",
    ),
    "InvalidAccessKeyId": _Word("the access key is not known there", _KEYS),
    "SignatureDoesNotMatch": _Word("the secret key does not fit the access key", _KEYS),
    "ExpiredToken": _Word("the session token has expired", _RENEW),
    "ExpiredTokenException": _Word("the session token has expired", _RENEW),
    "TokenRefreshRequired": _Word("the session token has expired", _RENEW),
    "RequestExpired": _Word("the session token has expired", _RENEW),
    "InvalidToken": _Word("the session token is not valid", _RENEW),
    "AuthorizationHeaderMalformed": _Word("the bucket is in another region", _REGION),
    "PermanentRedirect": _Word("the bucket is in another region", _REGION),
    "IllegalLocationConstraintException": _Word("the bucket is in another region", _REGION),
    "RequestTimeTooSkewed": _Word(
        "the clock of this machine is more than 15 minutes off", "Set the clock."
    ),
    "QuotaExceeded": _Word("its quota is used up", "Free some space there, or ask for more."),
    "XMinioStorageFull": _Word("no space is left there", "Free some space there."),
    "SlowDown": _Word("it asks for fewer requests", _BUSY, True),
    "RequestTimeout": _Word("it waited too long for data", _BUSY, True),
    "InternalError": _Word("it reports an internal error", _BUSY, True),
    "ServiceUnavailable": _Word("it is not available now", _BUSY, True),
}
_FULL = {"QuotaExceeded", "XMinioStorageFull"}

# Parts of texts of the Rust crates object_store and reqwest, most telling first.
_BY_TEXT = (
    ("169.254.", _Word("no credentials were found", _NO_KEYS)),
    ("normally indicates an incorrectly configured region",
     _Word("the bucket is in another region", _REGION)),
    ("builder error", _Word("its endpoint is not a URL that can be asked", _ENDPOINT)),
    ("relative URL without a base", _Word("its endpoint is not a whole URL", _ENDPOINT)),
    ("dns error", _Word("its host name cannot be resolved", _ENDPOINT, True)),
    ("Connection refused", _Word("nothing answers at its endpoint", _ENDPOINT, True)),
    ("InvalidCertificate", _Word("its certificate is not trusted here", _ENDPOINT)),
    ("TimedOut", _Word("it did not answer in time", _ENDPOINT, True)),
    ("timed out", _Word("it did not answer in time", _ENDPOINT, True)),
    ("kind: Connect", _Word("no connection to its endpoint", _ENDPOINT, True)),
    ("IncompleteMessage", _Word("the connection broke off", _ENDPOINT, True)),
    ("ConnectionReset", _Word("the connection broke off", _ENDPOINT, True)),
    ("kind: Body", _Word("the connection broke off in mid-transfer", _ENDPOINT, True)),
    ("kind: Interrupted", _Word("the connection broke off in mid-transfer", _ENDPOINT, True)),
    ("HTTP error", _Word("the connection failed", _ENDPOINT, True)),
)  # fmt: skip


def object_error(error: BaseException, doing: str, url: str, key: str) -> StoreError:
    """A StoreError for what obstore raised while ``doing`` ('reading') ``key`` of ``url``.

    DataMissing where there is no such key, StoreFull where a quota is used up;
    ``retryable`` where the service may come back.
    """
    text = str(error)
    code = (_CODE.findall(text) or [""])[0]
    what = f"'{key}' in {url}" if key else url
    if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
        return missing(url, key)
    status = int((_STATUS.findall(text) or ["0"])[0])
    word = _BY_CODE.get(code) or _by_text(text) or _by_status(status)
    if word is None:
        first = text.splitlines()[0] if text else type(error).__name__
        word = _Word(f"{code or type(error).__name__}: {first}"[:300], _ENDPOINT)
    kind = StoreFull if code in _FULL else StoreError
    remedy = word.remedy
    if word.remedy in _OF_AMAZON:
        remedy = ACCESS_REMEDIES.get(url.partition("://")[0], remedy)
    mapped = kind(f"{doing.capitalize()} {what} failed: {word.cause}.", remedy=remedy)
    mapped.retryable = word.retryable
    return mapped


def missing(url: str, key: str) -> DataMissing:
    """The error for a key that is not there."""
    return DataMissing(
        f"The store {url} has no '{key}'.",
        remedy="It was deleted, or belongs to another store: look at SWELL_DATASTORE.",
    )


def _by_text(text: str) -> _Word | None:
    return next((word for part, word in _BY_TEXT if part in text), None)


def _by_status(status: int) -> _Word | None:
    if status in (301, 307, 308):
        return _BY_CODE["PermanentRedirect"]
    if status in (401, 403):
        return _BY_CODE["AccessDenied"]
    if status == 429 or status >= 500:
        return _Word(f"it answers with status {status}", _BUSY, True)
    return None
