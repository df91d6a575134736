"""What the service holds: queues, compute environments, instances, jobs; data without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from swell.sandbox.batch.exits import RetryStrategy
from swell.sandbox.batch.instances import InstanceType, Need

Document = dict[str, Any]
"""A JSON object of the API, checked against the API's model where it came in."""

SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED, FAILED = STATES = (
    "SUBMITTED",
    "PENDING",
    "RUNNABLE",
    "STARTING",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
)
"""The states of a job, in their order."""

PLAIN, ARRAY, CHILD, MULTINODE, NODE = "plain", "array", "child", "multinode", "node"
"""The kinds of job."""


@dataclass(slots=True, frozen=True)
class Container:
    """One container as it will run: definition and overrides together."""

    properties: Document
    """As DescribeJobs shows it (ContainerDetail, without what only a run brings)."""
    need: Need


@dataclass(slots=True, frozen=True)
class Work:
    """What a submission asks for; an array's children share it."""

    name: str
    definition_arn: str
    definition_name: str
    platform: str
    """``EC2`` or ``FARGATE``."""
    containers: tuple[Container, ...]
    """One; of a multi-node job one for each node."""
    main_node: int
    retry: RetryStrategy
    timeout_s: int | None
    size: int
    """Of an array; 0: it is none."""
    share: str | None
    priority: int | None
    shown: Document
    """Members of JobDetail that are shown as they were given: tags, parameters, dependsOn…"""
    doomed: str | None = None
    """Why the job fails as soon as it leaves the queue, by a rule that SubmitJob does not check."""


@dataclass(slots=True, eq=False)
class Attempt:
    """One try of a job. Times in Unix seconds."""

    number: int
    task_arn: str
    instance_arn: str
    log_stream: str
    started_at: float
    stopped_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    status_reason: str = ""
    forced: str | None = None
    """The statusReason that is decided already, whatever the container says at its end."""
    is_final: bool = False
    """Forced, and no rule may try again: terminated or timed out."""
    is_lost: bool = False
    """Its instance is gone: there is no exit code."""
    is_out_of_memory: bool = False
    """Killed as if it had passed its memory limit."""


@dataclass(slots=True, eq=False)
class Job:
    """A job, an array's child or a multi-node job's node. Times in Unix seconds."""

    id: str
    kind: str
    work: Work
    queue: Queue
    sequence: int
    created_at: float
    visible_at: float
    status: str = SUBMITTED
    status_reason: str | None = None
    attempts: list[Attempt] = field(default_factory=list)
    started_at: float | None = None
    stopped_at: float | None = None
    runnable_at: float | None = None
    is_cancelled: bool = False
    is_terminated: bool = False
    index: int = 0
    """Of a child within its array, of a node within its job."""
    parent: Job | None = None
    children: list[Job] = field(default_factory=list)
    waits_for: set[str] = field(default_factory=set)
    dependents: list[Job] = field(default_factory=list)
    host: Host | None = None
    environment: Environment | None = None
    counts: dict[str, int] = field(default_factory=dict)
    """Of an array: children in each state, now."""
    published: dict[str, int] = field(default_factory=dict)
    """Of an array: the counts that are shown."""
    published_at: float = 0.0
    is_publishing: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.status in (SUCCEEDED, FAILED)

    @property
    def container(self) -> Container:
        """What it runs; of a multi-node job: its main node's."""
        containers = self.work.containers
        if self.kind == NODE:
            return containers[self.index]
        return containers[self.work.main_node] if self.kind == MULTINODE else containers[0]

    @property
    def attempt(self) -> Attempt:
        """The latest try; there must be one."""
        return self.attempts[-1]


@dataclass(slots=True, eq=False)
class Host:
    """An instance, or a Fargate task's own host."""

    id: str
    environment: Environment
    kind: InstanceType | None
    """None: Fargate."""
    vcpus: float
    """What it counts for."""
    ready_at: float
    """When it joins the cluster; infinity: it never will."""
    free_vcpus: float
    free_mib: int
    free_gpus: int
    jobs: set[Job] = field(default_factory=set)
    idle_since: float = 0.0
    is_leaving: bool = False
    """It has been told that it will be reclaimed: nothing more is placed there."""
    is_gone: bool = False


@dataclass(slots=True, eq=False)
class Environment:
    """A compute environment."""

    name: str
    arn: str
    state: str
    document: Document
    """As CreateComputeEnvironment gave it."""
    kind: str
    """EC2, SPOT, FARGATE or FARGATE_SPOT."""
    min_vcpus: int
    max_vcpus: int
    types: tuple[InstanceType, ...]
    uuid: str
    status: str = "VALID"
    status_reason: str = "ComputeEnvironment Healthy"
    hosts: dict[str, Host] = field(default_factory=dict)
    used_vcpus: float = 0.0
    """Of its instances, busy or not; of Fargate: those of its tasks."""
    free_vcpus: float = 0.0
    """Of its instances, also of those that have not joined yet."""
    freed: Host | None = None
    """The instance that had room last; a place to look first."""

    @property
    def is_fargate(self) -> bool:
        """Whether there are no instances."""
        return self.kind.startswith("FARGATE")

    @property
    def architecture(self) -> str:
        """Of its instances; empty where it has any or none."""
        kinds = {kind.architecture for kind in self.types}
        return kinds.pop() if len(kinds) == 1 else ""


@dataclass(slots=True, eq=False)
class Policy:
    """A scheduling policy."""

    name: str
    arn: str
    document: Document

    def weight(self, share: str) -> float:
        """What a vCPU in use weighs for ``share``; the less, the more it gets."""
        best, weight = -1, 1.0
        for entry in (self.document.get("fairsharePolicy") or {}).get("shareDistribution", ()):
            name = entry["shareIdentifier"]
            is_prefix = name.endswith("*")
            if name == share or (is_prefix and share.startswith(name[:-1])):
                length = len(name) if not is_prefix else len(name) - 1
                if length > best:
                    best, weight = length, float(entry.get("weightFactor", 1.0))
        return weight


@dataclass(slots=True, eq=False)
class Queue:
    """A job queue."""

    name: str
    arn: str
    state: str
    priority: int
    order: list[Environment]
    policy: Policy | None
    document: Document
    """What else CreateJobQueue gave: tags, jobStateTimeLimitActions, jobQueueType."""
    jobs: dict[str, Job] = field(default_factory=dict)
    """Submitted to it and still remembered, oldest first."""
    head: Job | None = None
    """The job that could not be placed last time."""
    head_since: float = 0.0
    head_reason: str | None = None
    moved_at: float = 0.0
    """When its front last changed."""
