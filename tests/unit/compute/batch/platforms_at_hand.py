"""Queues of each kind as records, for tables."""

from __future__ import annotations

from swell.compute.batch.platforms import Platform, platform_of
from swell.compute.batch.records import ComputeResources, Environment, EnvironmentPlace, Queue


def environment(
    name: str = "ce",
    kind: str = "EC2",
    types: tuple[str, ...] = ("m5",),
    *,
    most: int = 256,
    desired: int = 0,
    **fields: str,
) -> Environment:
    resources = ComputeResources(kind, 0, most, desired, types)
    cluster = f"arn:aws:ecs:eu-west-1:123456789012:cluster/{name}_Batch"
    return Environment(name, compute_resources=resources, ecs_cluster_arn=cluster, **fields)


def queue(name: str = "big", **fields: str) -> Queue:
    return Queue(
        name,
        f"arn:aws:batch:eu-west-1:123456789012:job-queue/{name}",
        compute_environment_order=(EnvironmentPlace(1, "ce"),),
        **fields,
    )


EC2 = platform_of(queue(), [environment()])
SPOT = platform_of(queue(), [environment(kind="SPOT")])
FARGATE = platform_of(queue(), [environment(kind="FARGATE", types=())])
FARGATE_SPOT = platform_of(queue(), [environment(kind="FARGATE_SPOT", types=())])
SHARED = platform_of(queue(scheduling_policy_arn="arn:aws:batch:…:policy"), [environment()])
EVERY: tuple[Platform, ...] = (EC2, SPOT, FARGATE, FARGATE_SPOT, SHARED)
