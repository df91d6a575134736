"""Whether a queue, roles and logs are fit for jobs, before anybody relies on them.

Each check returns a sentence, or raises what is wrong and how it is mended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from swell.compute.batch.api import BatchApi
from swell.compute.batch.defaults import account_of_role
from swell.compute.batch.last_lines import DEFAULT_GROUP
from swell.compute.batch.platforms import Platform, platform_of, size_on
from swell.compute.batch.preflight import queue_named, why_never
from swell.compute.batch.queue_facts import look_at_queue
from swell.compute.batch.records import Environment
from swell.errors import ComputeError, UsageError
from swell.model.job import StepPlan

_PLAN = StepPlan("a step", backend="batch")
"""Asks for what a job gets that asks for nothing."""


class QueueCheck(NamedTuple):
    """A queue that takes jobs; ``denied`` are rights that would have told more."""

    platform: Platform
    sentence: str
    denied: tuple[str, ...]


def queue_names(api: BatchApi) -> list[str]:
    """All queues of the region. Raises ComputeError."""
    return sorted(queue.job_queue_name for queue in api.describe_queues([]))


def check_queue(api: BatchApi, name: str) -> QueueCheck:
    """Whether jobs sent there would run. Raises ComputeError."""
    queue = queue_named(name, api.describe_queues([name]), api.region, _PLAN.step)
    facts = look_at_queue(api, queue.job_queue_name)
    platform = platform_of(queue, facts.environments)
    never = why_never(size_on(platform, _PLAN), facts)
    if never is not None:
        raise ComputeError(never.sentence, remedy=never.remedy)
    places = ", ".join(map(_words, facts.environments))
    is_spot = ", Spot machines" if platform.is_spot else ""
    sentence = f"the queue '{name}' takes jobs: {platform.family.value}{is_spot}, {places}"
    return QueueCheck(platform, sentence, facts.denied)


def check_role(arn: str, account: str | None) -> str:
    """Raises UsageError for a text that is no role, or one of another account.

    Whether the role may do what it must is seen when a job runs.
    """
    of_role = account_of_role(arn)
    if of_role is None:
        is_name = arn and not set(arn) & set(": /")
        example = f"arn:aws:iam::{account or '123456789012'}:role/{arn if is_name else 'NAME'}"
        raise UsageError(f"'{arn}' is not the ARN of a role.", remedy=f"Write it like {example}.")
    if account is not None and of_role != account:
        raise UsageError(
            f"The role {arn} is of the account {of_role}, and the credentials are of {account}: "
            "jobs only get roles of their own account.",
            remedy="Name a role of that account, or use other credentials (AWS_PROFILE).",
        )
    return f"{arn} can be a role; its rights show when a job runs"


def check_logs(api: BatchApi) -> str:
    """Whether the last lines of a killed container could be read. Raises ComputeError."""
    if api.access.endpoint_url is not None and api.access.logs_endpoint_url is None:
        return "no CloudWatch Logs beside a service that stands in for AWS Batch"
    # A right is looked at before the stream is: no such stream means that it may be read.
    api.last_log_events(DEFAULT_GROUP, "swell-asks-whether-it-may")
    return f"{DEFAULT_GROUP} in CloudWatch Logs may be read"


def _words(environment: Environment) -> str:
    resources = environment.compute_resources
    name = environment.compute_environment_name
    if resources is None:
        return name
    types = f" of {'/'.join(_few(resources.instance_types))}" if resources.instance_types else ""
    return f"{name} (up to {resources.maximum_vcpus:,} vCPUs{types})"


def _few(names: Sequence[str]) -> list[str]:
    return [*names[:3], "…"] if len(names) > 3 else list(names)
