"""From a Submission to a SubmitJob request, within all limits of Batch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from swell.compute.batch.definitions import ALL_NODES
from swell.compute.batch.platforms import Platform, size_on
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan
from swell.seams.queue import Submission

LARGEST_ARRAY = 10_000
MOST_NODES = 1_000
REQUEST_LIMIT = 30 * 1024
"""Bytes of a SubmitJob request."""
OVERRIDES_LIMIT = 8_192
"""Characters of the overrides of a container, which Amazon's ECS counts."""
MOST_TAGS = 50
MOST_SHARE_LETTERS = 255

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")
_NOT_IN_TAGS = re.compile(r"[^\w\s_.:/=+\-@]", re.UNICODE)
_SHARE = re.compile(r"^[A-Za-z0-9]+$")


def submit_request(submission: Submission, platform: Platform, definition: str) -> dict[str, Any]:
    """The request; raises ComputeError for what Batch would refuse.

    A lone job is a plain one: Batch has no arrays of one.
    """
    if not _NAME.match(submission.name):
        raise ComputeError(
            f"'{submission.name}' cannot be the name of a job: at most 128 letters, digits, "
            "'-' and '_', a letter or digit first.",
        )
    most = MOST_NODES if submission.is_gang else LARGEST_ARRAY
    if not 1 <= submission.count <= most:
        what = "nodes" if submission.is_gang else "jobs in an array"
        raise ComputeError(
            f"{submission.count:,} {what} of step '{submission.plan.step}': AWS Batch takes 1 to "
            f"{most:,}.",
            remedy="Ask for fewer.",
        )
    environment = [
        {"name": name, "value": value} for name, value in sorted(submission.environment.items())
    ]
    overrides: dict[str, Any] = {"environment": environment}
    if submission.memory_mb is not None:
        asked = replace(submission.plan.resources, memory_mb=submission.memory_mb)
        size = size_on(platform, replace(submission.plan, resources=asked))
        overrides["resourceRequirements"] = size.requirements()
    request: dict[str, Any] = {
        "jobName": submission.name,
        "jobQueue": platform.queue.job_queue_arn or platform.name,
        "jobDefinition": definition,
        "propagateTags": True,
        "tags": tags_of(submission),
        **_share(submission.plan, platform),
    }
    if submission.is_gang:
        nodes = {"targetNodes": ALL_NODES, "containerOverrides": overrides}
        request["nodeOverrides"] = {
            "numNodes": submission.count,
            "nodePropertyOverrides": [nodes],
        }
    else:
        request["containerOverrides"] = overrides
        if submission.count > 1:
            request["arrayProperties"] = {"size": submission.count}
    _refuse_too_large(submission, request, overrides)
    return request


def tags_of(submission: Submission) -> dict[str, str]:
    """Our tags and the user's, theirs last; letters that tags may not have become '_'.

    Raises ComputeError for more than fifty, counted with the definition's, which has none.
    """
    options = submission.plan.batch or BatchOptions()
    tags = {
        _tag_text(key, 128): _tag_text(value, 256)
        for key, value in (*submission.tags.items(), *options.tags)
    }
    reserved = [key for key in tags if key.lower().startswith("aws:")]
    if reserved:
        raise ComputeError(
            f"The tag '{reserved[0]}' begins with 'aws:', which is Amazon's own.",
            remedy="Name it otherwise in @batch(aws_batch_tags=…).",
        )
    if len(tags) > MOST_TAGS:
        raise ComputeError(
            f"Step '{submission.plan.step}' has {len(options.tags)} tags of its own, "
            f"{len(tags)} in all; AWS Batch takes {MOST_TAGS}.",
            remedy="Leave some out of @batch(aws_batch_tags=…).",
        )
    return tags


def share_problem(plan: StepPlan, platform: Platform) -> ComputeError | None:
    """What is wrong with the share of ``plan``: missing in a queue that divides by shares,
    or no name of one."""
    options = plan.batch or BatchOptions()
    if platform.queue.has_shares and not options.share:
        return ComputeError(
            f"The queue '{platform.name}' divides its machines by fair share, and step "
            f"'{plan.step}' names no share.",
            remedy="Say @batch(share='name'), or --with batch:share=name; whoever runs the queue "
            "knows the names.",
        )
    share = options.share or ""
    if share and (not _SHARE.match(share) or len(share) > MOST_SHARE_LETTERS):
        return ComputeError(
            f"Step '{plan.step}': '{share}' cannot be the name of a share.",
            remedy=f"Use letters and digits, {MOST_SHARE_LETTERS} at most.",
        )
    return None


def _share(plan: StepPlan, platform: Platform) -> dict[str, Any]:
    """Share and priority, which only a fair-share queue takes, and which it must have."""
    problem = share_problem(plan, platform)
    if problem is not None:
        raise problem
    if not platform.queue.has_shares:
        return {}
    options = plan.batch or BatchOptions()
    return {
        "shareIdentifier": options.share,
        "schedulingPriorityOverride": options.priority or 0,
    }


def _tag_text(text: str, longest: int) -> str:
    return _NOT_IN_TAGS.sub("_", text)[:longest]


def _refuse_too_large(
    submission: Submission, request: Mapping[str, Any], overrides: Mapping[str, Any]
) -> None:
    reserved = [name for name in submission.environment if name.startswith("AWS_BATCH")]
    if reserved:
        raise ComputeError(
            f"The variable '{reserved[0]}' begins with AWS_BATCH, which AWS Batch keeps to itself.",
            remedy="Name it otherwise.",
        )
    sizes = (
        (len(json.dumps(overrides)), OVERRIDES_LIMIT, "characters of variables"),
        (len(json.dumps(request).encode()), REQUEST_LIMIT, "bytes in all"),
    )
    for size, limit, what in sizes:
        if size > limit:
            raise ComputeError(
                f"A submission of step '{submission.plan.step}' has {size:,} {what}; "
                f"AWS Batch takes {limit:,}.",
                remedy="Put large values into a file, a parameter or the store, not into "
                "variables or tags.",
            )
