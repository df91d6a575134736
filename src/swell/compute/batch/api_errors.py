"""Errors of Amazon's services in swell's words: cause, remedy, and whether to try again."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from swell.errors import ComputeError


class Fault(NamedTuple):
    """What went wrong with a call.

    ``is_throttle``: the service asked for fewer calls. ``may_have_happened``: the request
    may have been obeyed although no answer came. ``is_silence``: nothing came until time ran
    out.
    """

    error: ComputeError
    is_throttle: bool = False
    may_have_happened: bool = False
    is_silence: bool = False


class Called(NamedTuple):
    """Which operation of which service was asked where; for the words of errors."""

    service: str
    operation: str
    region: str
    endpoint_url: str | None = None


_KEYS = "Look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or at the profile (AWS_PROFILE)."
_RENEW = "Get new credentials ('aws sso login', or a new session token) and try again."
_NONE = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; 'aws configure' asks."
_BUSY = "Others in the account may be calling it too: try again later."

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN_KEY = {
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
}
_WRONG_SECRET = {"InvalidSignatureException", "SignatureDoesNotMatch"}
_THROTTLED = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_NO_SUCH_OPERATION = {"NotImplemented", "UnknownOperation", "UnknownOperationException"}

_MISSING_RIGHT = re.compile(r"not authorized to perform:? ([\w-]+:\w+)")
_RESOURCE = re.compile(r"on resource:? (\S+)")

# Bulk forms are allowed by the right of the single one.
_RIGHTS = {"TerminateJobs": "TerminateJob", "CancelJobs": "CancelJob"}


def fault_of(error: Exception, called: Called) -> Fault:
    """What ``error``, raised by botocore, means."""
    from botocore import exceptions as botocore_errors

    if isinstance(error, botocore_errors.ClientError):
        return _answered(error.response, called)
    name = type(error).__name__
    if isinstance(error, botocore_errors.ParamValidationError):
        first = " ".join(str(error).split())
        return _lasting(f"{_asked(called)} cannot be asked that: {first}.",
                        "Look at the arguments of @batch.")  # fmt: skip
    for kinds, cause, remedy in _FROM_BOTOCORE:
        if name in kinds:
            return _lasting(f"{cause}{_detail(error)}", remedy)
    if isinstance(error, botocore_errors.BotoCoreError):
        return _unanswered(error, name, called)
    return _lasting(f"{_asked(called)} failed: {name}: {error}.", "")


def is_unknown_operation(error: Exception) -> bool:
    """Whether the endpoint, not Amazon's own then, does not have the operation at all."""
    response: dict[str, Any] = getattr(error, "response", {})
    code = response.get("Error", {}).get("Code", "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return code in _NO_SUCH_OPERATION or status in (404, 405, 501)


def is_not_there(error: BaseException | None) -> bool:
    """Whether a service said that it does not have what was asked for."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    return bool(code == "ResourceNotFoundException")


class AccessDenied(ComputeError):
    """The credentials lack ``right``, such as 'batch:SubmitJob'."""

    headline = "Access denied"

    def __init__(self, message: str = "", *, right: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.right = right


# Names, since botocore's tree has no classes in common for these.
_FROM_BOTOCORE: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("NoCredentialsError",), "No AWS credentials were found", _NONE),
    (("PartialCredentialsError",), "The AWS credentials are not whole", _KEYS),
    (("CredentialRetrievalError", "MetadataRetrievalError", "InvalidConfigError"),
     "No AWS credentials could be got", _NONE),
    (("TokenRetrievalError", "UnauthorizedSSOTokenError", "SSOTokenLoadError", "SSOError"),
     "The AWS sign-on has expired", _RENEW),
    (("ProfileNotFound", "ConfigNotFound", "ConfigParseError"),
     "The AWS profile cannot be read", "Look at AWS_PROFILE and ~/.aws/config."),
    (("NoRegionError",), "No AWS region is set", "Set AWS_REGION, or 'region' in the profile."),
    (("InvalidRegionError",), "The AWS region is not the name of one", "Mend AWS_REGION."),
)  # fmt: skip
_NOT_SENT = ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError")
_SILENT = ("ConnectTimeoutError", "ReadTimeoutError")
# Their own words say no more than ours.
_PLAIN = ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError",
          "ConnectionClosedError")  # fmt: skip


def _answered(response: dict[str, Any], called: Called) -> Fault:
    told = response.get("Error", {})
    code, text = str(told.get("Code", "")), str(told.get("Message", "")).strip()
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    asked = _asked(called)
    if code in _THROTTLED or status == 429:
        error = ComputeError(f"{asked} was called too often.", remedy=_BUSY, retryable=True)
        return Fault(error, is_throttle=True)
    if code in _DENIED:
        return Fault(_denied(text, called))
    if code in _EXPIRED:
        return _lasting("The AWS credentials have expired.", _RENEW)
    if code in _UNKNOWN_KEY:
        return _lasting(f"{asked} does not know the access key.", _KEYS)
    if code in _WRONG_SECRET:
        return _lasting(f"{asked} found a wrong signature: the secret key does not fit the "
                        "access key, or the clock is off.", _KEYS)  # fmt: skip
    if status >= 500:
        error = ComputeError(f"{asked} is in trouble: {text or f'status {status}'}.".replace(
            "..", "."), remedy="Try again later.", retryable=True)  # fmt: skip
        return Fault(error, may_have_happened=True)
    if called.service == "batch" and "queue" in text.lower() and _is_missing(text):
        return _lasting(f"AWS Batch has no such queue in {called.region}: {text}", QUEUE_REMEDY)
    return _lasting(f"{asked} was refused: {text or code or status}", "")


QUEUE_REMEDY = (
    "Look at the queue's name (@batch(queue=…) or SWELL_BATCH_JOB_QUEUE) and at AWS_REGION."
)


def _is_missing(text: str) -> bool:
    low = text.lower()
    return any(words in low for words in ("does not exist", "not found", "invalid queue"))


def _denied(text: str, called: Called) -> AccessDenied:
    operation = _RIGHTS.get(called.operation, called.operation)
    found = _MISSING_RIGHT.search(text)
    right = found.group(1) if found else f"{called.service}:{operation}"
    resource = _RESOURCE.search(text)
    on = f" on {resource.group(1)}" if resource else ""
    return AccessDenied(
        f"The AWS credentials lack the right {right}{on}.",
        right=right,
        remedy=f"Ask for {right}, or use other credentials (AWS_PROFILE).",
    )


def _unanswered(error: Exception, name: str, called: Called) -> Fault:
    where = called.endpoint_url or f"{called.service}.{called.region}.amazonaws.com"
    remedy = "Look at the network"
    if called.endpoint_url:
        remedy += f", and at the endpoint (SWELL_{called.service.upper()}_ENDPOINT_URL)."
    else:
        remedy += f", and at the region: AWS_REGION is '{called.region}'."
    was_sent = name not in _NOT_SENT
    what = "did not answer" if was_sent else "cannot be reached"
    detail = "." if name in _PLAIN else _detail(error)
    words = f"{_asked(called)} {what} at {where}{detail}"
    error_told = ComputeError(words, remedy=remedy, retryable=True)
    return Fault(error_told, may_have_happened=was_sent, is_silence=name in _SILENT)


def _detail(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return f": {text}." if text else "."


def _asked(called: Called) -> str:
    names = {"batch": "AWS Batch", "ecs": "Amazon ECS", "logs": "CloudWatch Logs",
             "sts": "AWS STS"}  # fmt: skip
    return f"{names.get(called.service, called.service)} ({called.operation})"


def _lasting(message: str, remedy: str) -> Fault:
    return Fault(ComputeError(message, remedy=remedy))
