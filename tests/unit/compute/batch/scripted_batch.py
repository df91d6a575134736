"""botocore's own Batch client, whose requests are checked by its model and answered by a script."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials

from swell.compute.batch.access import BatchAccess
from swell.compute.batch.api import BatchApi, Persistence, TimeSource
from swell.testing.fake_clock import FakeClock

REGION = "eu-west-1"
ACCOUNT = "arn:aws:batch:eu-west-1:123456789012"


class Refused(Exception):
    """What the service answers instead: an error code, its words and the HTTP status."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(code, message)
        self.code, self.message, self.status = code, message, status


class ScriptedBatch:
    """``answers`` maps operations to functions of the request; ``requests`` keeps all."""

    def __init__(self, **answers: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.answers = dict(answers)
        self.requests: list[tuple[str, dict[str, Any]]] = []
        session = botocore.session.Session()
        session._credentials = Credentials("key", "secret")  # no look at this machine's own
        self.client = session.create_client(
            "batch", region_name=REGION, config=Config(retries={"total_max_attempts": 1})
        )
        self.client.meta.events.register("before-call.batch", self._answer)

    def of(self, operation: str) -> list[dict[str, Any]]:
        """The requests for ``operation``."""
        return [request for name, request in self.requests if name == operation]

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        request = json.loads(params["body"] or b"{}")
        self.requests.append((model.name, request))
        if model.name not in self.answers:
            raise AssertionError(f"nobody expected {model.name}")
        try:
            answer = self.answers[model.name](request)
        except Refused as refused:
            meta = {"HTTPStatusCode": refused.status}
            error = {"Code": refused.code, "Message": refused.message}
            return SimpleNamespace(status_code=refused.status), {
                "Error": error,
                "ResponseMetadata": meta,
            }
        return SimpleNamespace(status_code=200), answer


def api_of(batch: ScriptedBatch, clock: FakeClock | None = None, **options: Any) -> BatchApi:
    """A BatchApi on the scripted client, in a time of its own: waits move the clock."""
    clock = clock or FakeClock()
    times = TimeSource(clock=clock, sleep=clock.advance, chance=lambda: 0.0)
    options.setdefault("persistence", Persistence())
    return BatchApi(BatchAccess(REGION), batch.client, times=times, **options)


def queue_detail(name: str = "big", **fields: Any) -> dict[str, Any]:
    """A job queue as DescribeJobQueues tells it."""
    return {
        "jobQueueName": name,
        "jobQueueArn": f"{ACCOUNT}:job-queue/{name}",
        "state": "ENABLED",
        "status": "VALID",
        "priority": 1,
        "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": f"{name}-ce"}],
        **fields,
    }


def environment_detail(
    name: str = "big-ce", kind: str = "EC2", types: tuple[str, ...] = ("m5",), **fields: Any
) -> dict[str, Any]:
    """A compute environment as DescribeComputeEnvironments tells it."""
    return {
        "computeEnvironmentName": name,
        "computeEnvironmentArn": f"{ACCOUNT}:compute-environment/{name}",
        "state": "ENABLED",
        "status": "VALID",
        "ecsClusterArn": f"arn:aws:ecs:eu-west-1:123456789012:cluster/{name}_Batch",
        "computeResources": {
            "type": kind,
            "minvCpus": 0,
            "maxvCpus": 256,
            "desiredvCpus": 0,
            "instanceTypes": list(types),
        },
        **fields,
    }
