"""Asks AWS Batch to end the array of an attempt whose driver is lost: one signed request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from swell.bootstrap.address import domain, region_of
from swell.bootstrap.connection import Answer, Connection
from swell.bootstrap.credentials import Credentials
from swell.bootstrap.ends import LOST_REASON
from swell.bootstrap.signing import signed_headers

TRIES = 3
TRY_S = 3.0
"""The limit of one try; all of them must fit before the engine kills who asks."""
_WAIT_S = 0.5
_PATH = "/v1/terminatejob"


def ends_array(job: str, environ: Mapping[str, str]) -> bool:
    """End array ``job``, all its children with it; False where that was refused or failed.

    What kept it from being done is told on stderr: to go on without is no harm, since each
    child looks for its driver itself.
    https://docs.aws.amazon.com/batch/latest/APIReference/API_TerminateJob.html
    """
    import sys

    try:
        said = _ask(job, environ)
    except OSError as error:
        said = str(error)
    if said:
        sys.stderr.write(f"swell: The rest of the array {job} could not be ended: {said}\n")
    return not said


def array_of(environ: Mapping[str, str]) -> str:
    """The engine's id of the array that this attempt is a child of; '' for none."""
    job, _, index = environ.get("AWS_BATCH_JOB_ID", "").partition(":")
    return job if index and environ.get("AWS_BATCH_JOB_ARRAY_INDEX") else ""


def with_its_array(
    expire: Callable[[str], None], environ: Mapping[str, str]
) -> Callable[[str], None]:
    """``expire``, and then the end of the whole array: children that wait never start."""

    def expire_all(sentence: str) -> None:
        expire(sentence)
        array = array_of(environ)
        if array:
            ends_array(array, environ)

    return expire_all


def engine_url(environ: Mapping[str, str]) -> str:
    """Where AWS Batch answers: the endpoint that is named, else that of the region."""
    names = ("SWELL_BATCH_ENDPOINT_URL", "AWS_ENDPOINT_URL_BATCH", "AWS_ENDPOINT_URL")
    named = next((environ[name] for name in names if environ.get(name)), "")
    region = _region(environ)
    return named.rstrip("/") or f"https://batch.{region}.{domain(region)}"


def _ask(job: str, environ: Mapping[str, str]) -> str:
    """Ask until there is an answer; '' for yes, else what is wrong. Raises OSError."""
    credentials = Credentials(environ)
    link = Connection(engine_url(environ), environ.get("AWS_CA_BUNDLE") or None)
    body = json.dumps({"jobId": job, "reason": LOST_REASON}).encode()
    try:
        for left in range(TRIES - 1, -1, -1):
            headers = signed_headers(
                ("POST", _PATH, ""),
                {"host": link.host, "content-type": "application/json"},
                body,
                credentials.keys(),
                (_region(environ), time.time()),
                service="batch",
            )
            try:
                answer = link.ask(("POST", _PATH), headers, body, TRY_S)
            except OSError:
                if not left:
                    raise
            else:
                if answer.status == 200:
                    return ""
                if not left or (answer.status < 500 and answer.status != 429):
                    return _words(answer)
            time.sleep(_WAIT_S)
        raise AssertionError("the last try returns or raises")
    finally:
        link.close()


def _words(answer: Answer) -> str:
    try:
        told = json.loads(answer.body)
        message = str(told.get("message") or told.get("Message") or "")
    except (ValueError, AttributeError):
        message = answer.body[:200].decode("utf-8", "replace")
    said = f"it answered {answer.status} {message}".rstrip()
    if answer.status == 403:
        said += " (the job's role may be given batch:TerminateJob)"
    return said


def _region(environ: Mapping[str, str]) -> str:
    # The bucket's region may be another one.
    return environ.get("SWELL_AWS_REGION") or region_of(
        {name: value for name, value in environ.items() if name != "SWELL_S3_REGION"}
    )
