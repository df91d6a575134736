"""The Batch API as typed calls: paced, tried again, counted; foreign errors end here."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from swell.compute.batch.access import BatchAccess, open_client
from swell.compute.batch.api_errors import Called, fault_of, is_not_there, is_unknown_operation
from swell.compute.batch.buckets import OTHER_RATE_PER_S, RATES_PER_S, TokenBucket
from swell.compute.batch.records import (
    Consumable,
    Definition,
    Environment,
    Identity,
    Job,
    LogEvent,
    Queue,
    Snapshot,
)
from swell.errors import ComputeError, InternalError

DESCRIBE_LIMIT = 100
TERMINATE_LIMIT = 50
PAGE = 1_000
FILTERED_PAGE = 100
REASON_LIMIT = 1_024
_EMPTY_PAGES = 5

_T = TypeVar("_T")
Say = Callable[[str], None]


class Persistence(NamedTuple):
    """How long a call is tried again: waits double from ``first_wait_s`` to ``max_wait_s``,
    each cut by a random part of up to a half; none begins later than ``within_s``. A service
    that never answered is given up before another silence would make it more than
    ``first_answer_s``: then most likely nothing is there, and somebody waits."""

    first_wait_s: float = 0.5
    max_wait_s: float = 10.0
    within_s: float = 60.0
    first_answer_s: float = 30.0

    def wait_before(self, retry: int, chance: float) -> float:
        """Seconds before ``retry`` (1, 2, …); ``chance`` is random, from 0 to 1."""
        longest: float = min(self.max_wait_s, self.first_wait_s * 2.0 ** min(retry - 1, 30))
        return longest * (1 - chance / 2)


class TimeSource(NamedTuple):
    """Time and chance, so that tests have their own."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class Refusal(NamedTuple):
    """A job that a bulk call did not end, and why."""

    job: str
    message: str


class BatchApi:
    """Typed calls. ``calls`` counts requests by operation, tries included.

    ``client`` is botocore's for 'batch'; None opens it at the first call. ``say`` is told
    before each wait for a service that is away. Safe for many threads. All methods raise
    ComputeError; ``retryable`` where a later try can help.
    """

    def __init__(
        self,
        access: BatchAccess,
        client: Any = None,
        *,
        times: TimeSource | None = None,
        persistence: Persistence | None = None,
        say: Say | None = None,
    ) -> None:
        self.access = access
        self.calls: Counter[str] = Counter()
        self._clients: dict[str, Any] = {} if client is None else {"batch": client}
        self._times = times or TimeSource()
        self._persistence = persistence or Persistence()
        self._say = say or _be_silent
        self._buckets: dict[str, TokenBucket] = {}
        self._without: set[str] = set()
        self._has_answered: set[str] = set()

    # -- jobs --------------------------------------------------------------

    def submit_job(self, request: Mapping[str, Any]) -> str:
        """SubmitJob; returns the job's id.

        It is not idempotent, so a request that may have been obeyed without an answer is
        not repeated: the error is then retryable, and the job must be looked for first.
        """
        return str(self._call("SubmitJob", request, is_repeatable=False)["jobId"])

    def describe_jobs(self, ids: Iterable[str]) -> list[Job]:
        """DescribeJobs, a hundred ids a call; what Batch does not know is left out."""
        found: list[Job] = []
        for part in _parts(list(ids), DESCRIBE_LIMIT):
            answer = self._call("DescribeJobs", {"jobs": part})
            found += _read(answer.get("jobs", ()), list[Job])
        return found

    def list_jobs(self, limit: int = PAGE, **query: Any) -> Iterator[Job]:
        """ListJobs, page by page: one of jobQueue, arrayJobId and multiNodeJobId, and
        jobStatus or filters. ``limit`` is how many a page holds."""
        page = min(limit, FILTERED_PAGE if "filters" in query else PAGE)
        for answer in self._pages("ListJobs", {**query, "maxResults": page}):
            yield from _read(answer.get("jobSummaryList", ()), list[Job])

    def terminate_jobs(self, ids: Sequence[str], reason: str) -> list[Refusal]:
        """End jobs, fifty a call; unknown ids count as ended. Returns what was refused."""
        reason = reason[:REASON_LIMIT]
        refused: list[Refusal] = []
        for part in _parts(ids, TERMINATE_LIMIT):
            if "TerminateJobs" not in self._without:
                try:
                    answer = self._call("TerminateJobs", {"jobs": part, "reason": reason})
                except _NoSuchOperation:
                    self._without.add("TerminateJobs")
                else:
                    refused += [
                        Refusal(error["job"], error.get("message", error.get("code", "")))
                        for error in answer.get("errors", ())
                    ]
                    continue
            for job in part:
                self._call("TerminateJob", {"jobId": job, "reason": reason})
        return refused

    # -- definitions -------------------------------------------------------

    def find_definition(self, name: str) -> Definition | None:
        """The newest active revision of the job definition ``name``."""
        query = {"jobDefinitionName": name, "status": "ACTIVE"}
        found: list[Definition] = []
        for answer in self._pages("DescribeJobDefinitions", query):
            found += _read(answer.get("jobDefinitions", ()), list[Definition])
        return max(found, key=lambda definition: definition.revision, default=None)

    def register_definition(self, body: Mapping[str, Any]) -> Definition:
        """RegisterJobDefinition: makes a new revision each time."""
        return _read(self._call("RegisterJobDefinition", body), Definition)

    # -- places ------------------------------------------------------------

    def describe_queues(self, names: Sequence[str]) -> list[Queue]:
        """DescribeJobQueues; all of the region where ``names`` is empty."""
        query = {"jobQueues": list(names)} if names else {}
        found: list[Queue] = []
        for answer in self._pages("DescribeJobQueues", query):
            found += _read(answer.get("jobQueues", ()), list[Queue])
        return found

    def describe_environments(self, names: Sequence[str]) -> list[Environment]:
        """DescribeComputeEnvironments of ``names``."""
        if not names:
            return []
        query = {"computeEnvironments": list(names)}
        found: list[Environment] = []
        for answer in self._pages("DescribeComputeEnvironments", query):
            found += _read(answer.get("computeEnvironments", ()), list[Environment])
        return found

    def snapshot(self, queue: str) -> Snapshot:
        """GetJobQueueSnapshot."""
        return _read(self._call("GetJobQueueSnapshot", {"jobQueue": queue}), Snapshot)

    def consumable(self, name: str) -> Consumable:
        """DescribeConsumableResource."""
        query = {"consumableResource": name}
        return _read(self._call("DescribeConsumableResource", query), Consumable)

    def hosts_of(self, clusters: Sequence[str]) -> dict[str, int] | None:
        """ECS cluster → container instances that joined it (ecs:DescribeClusters).

        None where something stands in for AWS Batch: its clusters are not Amazon's.
        """
        if self.access.endpoint_url is not None:
            return None
        query = {"clusters": list(clusters)}
        answer = self._call("DescribeClusters", query, service="ecs")
        return {
            cluster["clusterArn"]: int(cluster.get("registeredContainerInstancesCount", 0))
            for cluster in answer.get("clusters", ())
        }

    # -- beside Batch --------------------------------------------------------

    def identity(self) -> Identity | None:
        """Whose credentials these are (sts:GetCallerIdentity, which needs no right).

        None where something stands in for AWS Batch, which has no accounts.
        """
        if self.access.endpoint_url is not None:
            return None
        return _read(self._call("GetCallerIdentity", {}, service="sts"), Identity)

    def last_log_events(self, group: str, stream: str, since_ms: int = 0) -> list[LogEvent]:
        """The last page of a stream of CloudWatch Logs, in order (logs:GetLogEvents).

        Empty where there is no such stream, or something stands in for Batch alone.
        """
        if self.access.endpoint_url is not None and self.access.logs_endpoint_url is None:
            return []
        query: dict[str, Any] = {"logGroupName": group, "logStreamName": stream}
        if since_ms:
            query["startTime"] = since_ms
        for _ in range(_EMPTY_PAGES):
            try:
                answer = self._call("GetLogEvents", query, service="logs")
            except ComputeError as error:
                if is_not_there(error.__cause__):
                    return []
                raise
            token = answer.get("nextBackwardToken")
            if answer.get("events") or not token or token == query.get("nextToken"):
                return _read(answer.get("events", ()), list[LogEvent])
            query["nextToken"] = token  # pages before the last may hold what it does not
        return []

    def close(self) -> None:
        """Close connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    @property
    def region(self) -> str:
        """The region in force."""
        return str(self._client("batch").meta.region_name)

    # -- one call ----------------------------------------------------------

    def _pages(self, operation: str, query: Mapping[str, Any]) -> Iterator[Any]:
        token: dict[str, str] = {}
        while True:
            answer = self._call(operation, {**query, **token})
            yield answer
            if not answer.get("nextToken"):
                return
            token = {"nextToken": answer["nextToken"]}

    def _call(
        self,
        operation: str,
        request: Mapping[str, Any],
        *,
        service: str = "batch",
        is_repeatable: bool = True,
    ) -> Any:
        clock, sleep, chance = self._times
        bucket = self._bucket(operation)
        client = self._client(service)
        endpoint = self.access.endpoint_of(service)
        called = Called(service, operation, client.meta.region_name, endpoint)
        began, tries = clock(), 0
        while True:
            if wait := bucket.take():
                sleep(wait)
            self.calls[operation] += 1
            tried_at = clock()
            try:
                answer = getattr(client, _snake(operation))(**request)
            except Exception as error:
                if operation == "TerminateJobs" and is_unknown_operation(error):
                    raise _NoSuchOperation from error
                fault = fault_of(error, called)
                tries += 1
                if fault.is_throttle:
                    bucket.slow_down()
                wait = self._persistence.wait_before(tries, chance())
                now = clock()
                is_late = now + wait - began > self._persistence.within_s
                if fault.is_silence and service not in self._has_answered:
                    silent_s = now + wait + (now - tried_at) - began
                    is_late = is_late or silent_s > self._persistence.first_answer_s
                is_doubtful = fault.may_have_happened and not is_repeatable
                if not fault.error.retryable or is_late or is_doubtful:
                    raise fault.error from error
                if not fault.is_throttle:
                    self._say(f"{fault.error.message} Trying again in {wait:.1f} s.")
                sleep(wait)
            else:
                self._has_answered.add(service)
                bucket.speed_up()
                return answer

    def _bucket(self, operation: str) -> TokenBucket:
        if operation not in self._buckets:
            rate = RATES_PER_S.get(operation, OTHER_RATE_PER_S)
            self._buckets[operation] = TokenBucket(rate, self._times.clock)
        return self._buckets[operation]

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = open_client(self.access, service)
        return self._clients[service]


class _NoSuchOperation(ComputeError):
    """The endpoint does not have this operation: an emulator of Batch."""


def _be_silent(_text: str) -> None:
    """Tell nobody."""


def _parts(ids: Sequence[str], size: int) -> Iterator[list[str]]:
    for at in range(0, len(ids), size):
        yield list(ids[at : at + size])


def _snake(operation: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")


def _read(answer: Any, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise InternalError(
            f"AWS Batch answered what is not understood: {error}.",
            remedy="Report it, with the version of swell and of boto3.",
        ) from error
