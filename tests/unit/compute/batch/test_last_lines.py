"""What killed containers printed last, from CloudWatch Logs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.credentials import Credentials

from swell.compute.batch.access import BatchAccess
from swell.compute.batch.api import BatchApi
from swell.compute.batch.api_errors import AccessDenied
from swell.compute.batch.last_lines import DEFAULT_GROUP, last_lines
from swell.seams.queue import KeptLine
from tests.unit.compute.batch.scripted_batch import REGION, Refused, ScriptedBatch, api_of


class ScriptedLogs:
    """botocore's client of CloudWatch Logs; ``pages`` are given one after the other."""

    def __init__(self, *pages: dict[str, Any] | Refused) -> None:
        self.pages = list(pages)
        self.requests: list[dict[str, Any]] = []
        session = botocore.session.Session()
        session._credentials = Credentials("key", "secret")
        self.client = session.create_client(
            "logs", region_name=REGION, config=Config(retries={"total_max_attempts": 1})
        )
        self.client.meta.events.register("provide-client-params.logs", self._note)
        self.client.meta.events.register("before-call.logs", self._answer)

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        self.requests.append(dict(params))

    def _answer(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        page = self.pages.pop(0)
        if isinstance(page, Refused):
            meta = {"HTTPStatusCode": page.status}
            error = {"Code": page.code, "Message": page.message}
            return SimpleNamespace(status_code=page.status), {
                "Error": error,
                "ResponseMetadata": meta,
            }
        return SimpleNamespace(status_code=200), page


def api_with(logs: ScriptedLogs, *jobs: dict[str, Any]) -> BatchApi:
    batch = ScriptedBatch(DescribeJobs=lambda _: {"jobs": list(jobs)})
    api = api_of(batch)
    api._clients["logs"] = logs.client
    return api


def job(job_id: str = "j1", **container: Any) -> dict[str, Any]:
    return {"jobId": job_id, "container": {"logStreamName": "s/default/1", **container}}


def page(*lines: tuple[int, str], token: str = "t") -> dict[str, Any]:
    events = [{"timestamp": at, "message": text} for at, text in lines]
    return {"events": events, "nextBackwardToken": token}


def test_the_last_page_of_the_stream_is_asked_from_the_time_that_is_known():
    logs = ScriptedLogs(page((1_500, "one"), (2_000, "two")))

    found = last_lines(api_with(logs, job()), {"j1": 1.25})

    assert found == {"j1": [KeptLine(1.5, "one"), KeptLine(2.0, "two")]}
    assert logs.requests == [
        {"logGroupName": DEFAULT_GROUP, "logStreamName": "s/default/1", "startTime": 1_250}
    ]


def test_the_stream_is_that_of_the_last_attempt_in_the_group_of_the_definition():
    described = {
        **job(logConfiguration={"logDriver": "awslogs", "options": {"awslogs-group": "/mine"}}),
        "attempts": [{"container": {"logStreamName": n}} for n in ("first", "second")],
    }
    logs = ScriptedLogs(page((1, "x")))

    last_lines(api_with(logs, described), {"j1": 0.0})

    assert logs.requests == [{"logGroupName": "/mine", "logStreamName": "second"}]


def test_empty_pages_before_the_last_lines_are_passed():
    logs = ScriptedLogs(page(token="a"), page(token="b"), page((1, "x"), token="c"))

    assert last_lines(api_with(logs, job()), {"j1": 0.0}) == {"j1": [KeptLine(0.001, "x")]}
    assert [request.get("nextToken") for request in logs.requests] == [None, "a", "b"]


def test_a_stream_that_ends_in_empty_pages_has_no_lines():
    logs = ScriptedLogs(page(token="a"), page(token="a"))

    assert last_lines(api_with(logs, job()), {"j1": 0.0}) == {}


@pytest.mark.parametrize(
    "described",
    [{"jobId": "j1"}, job(logConfiguration={"logDriver": "splunk"})],
    ids=["never started", "lines go elsewhere"],
)
def test_a_job_without_a_stream_is_not_asked_for(described):
    logs = ScriptedLogs()

    assert last_lines(api_with(logs, described), {"j1": 0.0}) == {}
    assert logs.requests == []


def test_a_stream_that_is_not_there_has_no_lines():
    logs = ScriptedLogs(Refused("ResourceNotFoundException", "no such stream"))

    assert last_lines(api_with(logs, job()), {"j1": 0.0}) == {}


def test_a_missing_right_is_an_error_that_names_it():
    logs = ScriptedLogs(Refused("AccessDeniedException", "no"))

    with pytest.raises(AccessDenied, match="logs:GetLogEvents"):
        last_lines(api_with(logs, job()), {"j1": 0.0})


def test_amazon_is_not_asked_for_logs_of_a_service_that_stands_in_for_batch():
    api = BatchApi(BatchAccess(REGION, endpoint_url="http://127.0.0.1:9"))

    assert api.last_log_events("/g", "s") == []
    assert api.identity() is None
