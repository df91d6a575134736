"""From a SubmitJob request to work that can be queued, or the refusal it earns."""

from __future__ import annotations

from swell.sandbox.batch import containers
from swell.sandbox.batch.definitions import (
    MOST_PRIORITY,
    MOST_TAGS,
    Shelf,
    check_tags,
    checked_retry,
    checked_timeout,
)
from swell.sandbox.batch.entities import Container, Document, Queue, Work
from swell.sandbox.batch.names import checked_name
from swell.sandbox.batch.node_ranges import entry_for, number_of_nodes
from swell.sandbox.batch.refusal import Refused, not_in_the_sandbox

SMALLEST_ARRAY, LARGEST_ARRAY = 2, 10_000
MOST_DEPENDENCIES = 20
_BY_BATCH = {
    "AWS_BATCH_JOB_ID": "0" * 42,
    "AWS_BATCH_JQ_NAME": "",
    "AWS_BATCH_CE_NAME": "",
    "AWS_BATCH_JOB_ATTEMPT": "1",
}


def work_of(request: Document, queue: Queue, shelf: Shelf) -> Work:
    """Check a request against what the API promises to refuse, and merge it with its definition."""
    name = checked_name(request["jobName"], "jobName")
    for absent in (
        "eksPropertiesOverride",
        "ecsPropertiesOverride",
        "consumableResourcePropertiesOverride",
    ):
        if absent in request:
            raise not_in_the_sandbox(absent)
    if queue.state != "ENABLED":
        raise Refused(f"Job queue {queue.name} is DISABLED and takes no jobs.")
    definition = shelf.found(request["jobDefinition"])
    platform = _platform(definition, queue)
    share, priority = _share(request, definition, queue)
    size = _array_size(request, definition)
    dependencies = _dependencies(request)
    parameters = {**definition["parameters"], **(request.get("parameters") or {})}
    retry = request.get("retryStrategy") or definition.get("retryStrategy") or {"attempts": 1}
    timeout = request.get("timeout") or definition.get("timeout")
    tags = request.get("tags") or {}
    check_tags(tags)
    propagates = request.get("propagateTags", definition.get("propagateTags", False))
    shown: Document = {
        "tags": tags,
        "parameters": parameters,
        "dependsOn": dependencies,
        "retryStrategy": retry,
        "propagateTags": propagates,
    }
    if timeout:
        shown["timeout"] = timeout
    if definition["type"] == "multinode":
        found, doomed = _nodes(request, definition, parameters, platform)
        shown["nodeProperties"] = {**definition["nodeProperties"], "numNodes": len(found)}
    else:
        found, doomed = _single(request, definition, parameters, platform)
    _check_gpus(found, queue)
    if propagates and len({**definition["tags"], **tags}) > MOST_TAGS:
        doomed = f"More than {MOST_TAGS} tags on the job and its definition together."
    return Work(
        name=name,
        definition_arn=definition["jobDefinitionArn"],
        definition_name=definition["jobDefinitionName"],
        platform=platform,
        containers=found,
        main_node=(definition.get("nodeProperties") or {}).get("mainNode", 0),
        retry=checked_retry(retry),
        timeout_s=checked_timeout(timeout),
        size=size,
        share=share,
        priority=priority,
        shown=shown,
        doomed=doomed,
    )


def _check_gpus(found: tuple[Container, ...], queue: Queue) -> None:
    """Where the queue has no instance with GPUs the job waits, as it would on AWS; where it has
    one the job would begin, and find none."""
    gpus = max(container.need.gpus for container in found)
    has_some = any(kind.gpus for environment in queue.order for kind in environment.types)
    if gpus and has_some:
        raise not_in_the_sandbox(f"A job with {gpus} GPU{'s' if gpus > 1 else ''}")


def _platform(definition: Document, queue: Queue) -> str:
    platform: str = definition["platformCapabilities"][0]
    for environment in queue.order:
        has = "FARGATE" if environment.is_fargate else "EC2"
        if has != platform:
            raise Refused(
                f"Job definition's platformCapabilities [{platform}] do not match the compute "
                f"environments [{has}] of job queue {queue.name}."
            )
    return platform


def _share(request: Document, definition: Document, queue: Queue) -> tuple[str | None, int | None]:
    share = request.get("shareIdentifier")
    override = request.get("schedulingPriorityOverride")
    if queue.policy is None:
        if share is not None:
            raise Refused("shareIdentifier can only be given for a queue with a scheduling policy.")
        if override is not None:
            raise Refused(
                "schedulingPriorityOverride can only be given for a queue with a scheduling policy."
            )
        return None, definition.get("schedulingPriority")
    if not share:
        raise Refused("Jobs in a queue with a fair-share policy must have a shareIdentifier.")
    if len(share) > 255 or not share.isalnum():
        raise Refused(f"shareIdentifier must be up to 255 letters and digits, got {share[:80]}.")
    priority = definition.get("schedulingPriority") if override is None else override
    if priority is None:
        raise Refused("Jobs in a queue with a fair-share policy must have a scheduling priority.")
    if not 0 <= priority <= MOST_PRIORITY:
        raise Refused(f"schedulingPriorityOverride must be between 0 and {MOST_PRIORITY}.")
    return share, priority


def _array_size(request: Document, definition: Document) -> int:
    if "arrayProperties" not in request:
        return 0
    if definition["type"] == "multinode":
        raise Refused("A multi-node parallel job cannot be an array job.")
    size: int = (request["arrayProperties"] or {}).get("size", 0)
    if not SMALLEST_ARRAY <= size <= LARGEST_ARRAY:
        raise Refused(
            f"Array size must be between {SMALLEST_ARRAY} and {LARGEST_ARRAY}, got {size}."
        )
    return size


def _dependencies(request: Document) -> list[Document]:
    found: list[Document] = request.get("dependsOn") or []
    if len(found) > MOST_DEPENDENCIES:
        raise Refused(f"A job may depend on at most {MOST_DEPENDENCIES} jobs, got {len(found)}.")
    for entry in found:
        if entry.get("type"):
            raise not_in_the_sandbox(f"A dependency of type {entry['type']}")
        if not entry.get("jobId"):
            raise Refused("A dependency must have a jobId.")
    return found


def _single(
    request: Document, definition: Document, parameters: Document, platform: str
) -> tuple[tuple[Container, ...], str | None]:
    if "nodeOverrides" in request:
        raise Refused("nodeOverrides can only be given for a multi-node parallel job.")
    overrides = request.get("containerOverrides") or {}
    container = containers.merged(
        definition["containerProperties"], overrides, parameters, platform
    )
    return (container,), _too_long(overrides)


def _nodes(
    request: Document, definition: Document, parameters: Document, platform: str
) -> tuple[tuple[Container, ...], str | None]:
    if "containerOverrides" in request:
        raise Refused("Multi-node parallel jobs take nodeOverrides, not containerOverrides.")
    properties = definition["nodeProperties"]
    given = request.get("nodeOverrides") or {}
    nodes = number_of_nodes(properties, given)
    found: list[Container] = []
    doomed = None
    for node in range(nodes):
        entry = entry_for(properties["nodeRangeProperties"], node, nodes) or {}
        override = entry_for(given.get("nodePropertyOverrides") or (), node, nodes) or {}
        overrides = override.get("containerOverrides") or {}
        found.append(containers.merged(entry["container"], overrides, parameters, platform))
        doomed = doomed or _too_long(overrides)
    return tuple(found), doomed


def _too_long(overrides: Document) -> str | None:
    if containers.overrides_length(overrides, _BY_BATCH) > containers.LONGEST_OVERRIDES:
        return f"Container Overrides length must be at most {containers.LONGEST_OVERRIDES}"
    return None
