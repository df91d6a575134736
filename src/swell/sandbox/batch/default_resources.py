"""The queues that a fresh sandbox has: one of each sort that behaves differently."""

from __future__ import annotations

import os

import msgspec

from swell.sandbox.batch.entities import Document
from swell.sandbox.batch.names import Names
from swell.sandbox.batch.tuning import BatchSettings

FAIR = "swell-fair"


class ResourceCall(msgspec.Struct, frozen=True):
    """A call of the Batch API that sets something up."""

    operation: str
    request: Document


SMALLEST_VCPUS = 4
"""So that a job of a few cores can be tried on a laptop of two."""


def default_resources(settings: BatchSettings, vcpus: int | None = None) -> list[ResourceCall]:
    """Calls that make the queues ``swell`` (EC2), ``spot``, ``fargate`` and ``fair``.

    ``vcpus``: what each compute environment may use at most; None: this machine's cores, at
    least SMALLEST_VCPUS. Jobs are real processes, so more vCPUs than cores means more of them at
    a time, not more speed.
    """
    policy_arn = Names(settings).arn("scheduling-policy", FAIR)
    limit = vcpus or max(os.cpu_count() or 1, SMALLEST_VCPUS)
    calls = [
        _environment("swell-ec2", {"type": "EC2", "minvCpus": 0, "instanceTypes": ["optimal"]}),
        _environment("swell-spot", {"type": "SPOT", "minvCpus": 0, "instanceTypes": ["optimal"]}),
        _environment("swell-fargate", {"type": "FARGATE"}),
    ]
    for call in calls:
        call.request["computeResources"]["maxvCpus"] = limit
    calls.append(ResourceCall("CreateSchedulingPolicy", {"name": FAIR, "fairsharePolicy": {}}))
    calls += [_queue("swell", "swell-ec2"), _queue("spot", "swell-spot")]
    calls += [_queue("fargate", "swell-fargate"), _queue("fair", "swell-ec2")]
    calls[-1].request["schedulingPolicyArn"] = policy_arn
    return calls


def _environment(name: str, resources: Document) -> ResourceCall:
    network = {"subnets": ["subnet-sandbox"], "securityGroupIds": ["sg-sandbox"]}
    return ResourceCall(
        "CreateComputeEnvironment",
        {
            "computeEnvironmentName": name,
            "type": "MANAGED",
            "state": "ENABLED",
            "computeResources": {**resources, **network},
        },
    )


def _queue(name: str, environment: str) -> ResourceCall:
    order = [{"order": 1, "computeEnvironment": environment}]
    request: Document = {
        "jobQueueName": name,
        "state": "ENABLED",
        "priority": 1,
        "computeEnvironmentOrder": order,
    }
    return ResourceCall("CreateJobQueue", request)
