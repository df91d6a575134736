"""Job definitions and their revisions."""

from __future__ import annotations

import re

import msgspec

from swell.sandbox.batch.containers import check_properties
from swell.sandbox.batch.entities import Document
from swell.sandbox.batch.exits import RetryStrategy, wrong_with
from swell.sandbox.batch.names import Names, checked_name, last_part
from swell.sandbox.batch.node_ranges import check_nodes
from swell.sandbox.batch.paging import page
from swell.sandbox.batch.refusal import Refused, not_in_the_sandbox

SHORTEST_TIMEOUT_S = 60
MOST_TAGS = 50
MOST_PRIORITY = 9_999
_KEPT = (
    "type",
    "parameters",
    "schedulingPriority",
    "containerProperties",
    "nodeProperties",
    "retryStrategy",
    "propagateTags",
    "timeout",
    "tags",
)


def checked_retry(document: Document | None) -> RetryStrategy:
    """The strategy in ``document``, or the default of one attempt."""
    strategy = msgspec.convert(document or {}, RetryStrategy)
    wrong = wrong_with(strategy)
    if wrong:
        raise Refused(wrong)
    return strategy


def checked_timeout(document: Document | None) -> int | None:
    """attemptDurationSeconds; None: no limit."""
    seconds: int | None = (document or {}).get("attemptDurationSeconds")
    if seconds is not None and seconds < SHORTEST_TIMEOUT_S:
        raise Refused(f"attemptDurationSeconds must be at least {SHORTEST_TIMEOUT_S}.")
    return seconds


def check_tags(tags: Document) -> None:
    """Refuse more tags than there may be."""
    if len(tags) > MOST_TAGS:
        raise Refused(f"At most {MOST_TAGS} tags, got {len(tags)}.")


class Shelf:
    """All revisions of all definitions, by name."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self.revisions: dict[str, list[Document]] = {}

    def register(self, request: Document) -> Document:
        """RegisterJobDefinition: each call makes a revision."""
        name = checked_name(request["jobDefinitionName"], "jobDefinitionName")
        for absent in ("eksProperties", "ecsProperties", "consumableResourceProperties"):
            if absent in request:
                raise not_in_the_sandbox(absent)
        platforms = request.get("platformCapabilities") or ["EC2"]
        if platforms == ["MANAGED_INSTANCES"] or len(platforms) != 1:
            raise not_in_the_sandbox(f"platformCapabilities {platforms}")
        _check_body(request, platforms[0])
        checked_retry(request.get("retryStrategy"))
        checked_timeout(request.get("timeout"))
        check_tags(request.get("tags") or {})
        if not 0 <= request.get("schedulingPriority", 0) <= MOST_PRIORITY:
            raise Refused(f"schedulingPriority must be between 0 and {MOST_PRIORITY}.")
        revisions = self.revisions.setdefault(name, [])
        revision = len(revisions) + 1
        arn = self._names.arn("job-definition", f"{name}:{revision}")
        definition: Document = {
            "jobDefinitionName": name,
            "jobDefinitionArn": arn,
            "revision": revision,
            "status": "ACTIVE",
            "containerOrchestrationType": "ECS",
            "platformCapabilities": platforms,
            "parameters": {},
            "tags": {},
        }
        definition |= {key: request[key] for key in _KEPT if key in request}
        revisions.append(definition)
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def deregister(self, request: Document) -> Document:
        """DeregisterJobDefinition: a revision becomes INACTIVE."""
        wanted = request["jobDefinition"]
        if ":" not in last_part(wanted, "job-definition"):
            raise Refused(f"{wanted} names no revision.")
        self.found(wanted, is_for_jobs=False)["status"] = "INACTIVE"
        return {}

    def found(self, wanted: str, *, is_for_jobs: bool = True) -> Document:
        """The definition named by name, ``name:revision`` or ARN; the latest ACTIVE revision."""
        name, _, revision = last_part(wanted, "job-definition").partition(":")
        revisions = self.revisions.get(name, [])
        if revision:
            hits = [one for one in revisions if str(one["revision"]) == revision]
        else:
            hits = [one for one in revisions if one["status"] == "ACTIVE"]
        if not hits:
            raise Refused(f"Job definition {wanted} does not exist.")
        if is_for_jobs and hits[-1]["status"] != "ACTIVE":
            raise Refused(f"Job definition {wanted} is not ACTIVE.")
        return hits[-1]

    def describe(self, request: Document) -> Document:
        """DescribeJobDefinitions, by ids, by name and status, or all."""
        wanted = request.get("jobDefinitions")
        if wanted is not None and request.get("jobDefinitionName") is not None:
            raise Refused("Give jobDefinitions or jobDefinitionName, not both.")
        if wanted is not None:
            if len(wanted) > 100:
                raise Refused(f"At most 100 job definitions, got {len(wanted)}.")
            hits = [one for text in wanted for one in self._matching(text)]
        elif request.get("jobDefinitionName") is not None:
            hits = list(reversed(self.revisions.get(request["jobDefinitionName"], [])))
        else:
            hits = [one for revisions in self.revisions.values() for one in reversed(revisions)]
        status = request.get("status")
        if status is not None:
            hits = [one for one in hits if one["status"] == status]
        return page("jobDefinitions", hits, request, most=100)

    def _matching(self, wanted: str) -> list[Document]:
        try:
            return [self.found(wanted, is_for_jobs=False)]
        except Refused:
            return []


def _check_body(request: Document, platform: str) -> None:
    if request["type"] == "container":
        if "containerProperties" not in request or "nodeProperties" in request:
            raise Refused(
                "A definition of type container needs containerProperties, and no nodeProperties."
            )
        check_properties(request["containerProperties"], platform)
        return
    if platform == "FARGATE":
        raise Refused("Multi-node parallel jobs are not supported on Fargate.")
    nodes = request.get("nodeProperties")
    if nodes is None or "containerProperties" in request:
        raise Refused(
            "A definition of type multinode needs nodeProperties, and no containerProperties."
        )
    check_nodes(nodes)
    for entry in nodes["nodeRangeProperties"]:
        if "container" not in entry:
            raise not_in_the_sandbox("A node range without container")
        check_properties(entry["container"], platform)


def name_and_revision(arn: str) -> str:
    """``name:revision`` of a definition's ARN."""
    return re.sub(r".*:job-definition/", "", arn)
