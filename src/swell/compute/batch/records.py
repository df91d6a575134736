"""What the Batch API answers, as records: only the fields that are looked at.

Names and meanings are those of the API (version 2016-08-10); times are Unix milliseconds.
"""

from __future__ import annotations

import msgspec

UNFINISHED = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
"""States of jobs that have not ended, in their order."""
ENDED = ("FAILED", "SUCCEEDED")


class LogConfiguration(msgspec.Struct, frozen=True, rename="camel"):
    """Where what a container prints goes."""

    log_driver: str = "awslogs"
    options: dict[str, str] = {}


class Requirement(msgspec.Struct, frozen=True):
    """``type`` is VCPU, MEMORY (MiB) or GPU; ``value`` a number as text."""

    type: str
    value: str


class Container(msgspec.Struct, frozen=True, rename="camel"):
    """The container of a job or of one attempt; only a job's has requirements."""

    exit_code: int | None = None
    reason: str = ""
    container_instance_arn: str = ""
    task_arn: str = ""
    log_stream_name: str = ""
    log_configuration: LogConfiguration | None = None
    instance_type: str = ""
    resource_requirements: tuple[Requirement, ...] = ()


class AttemptDetail(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt that Batch made for a job."""

    container: Container = Container()
    started_at: int | None = None
    stopped_at: int | None = None
    status_reason: str = ""


class ArrayDetail(msgspec.Struct, frozen=True, rename="camel"):
    """Of a parent: ``size`` and counts of children per state; of a child: ``index``."""

    size: int | None = None
    index: int | None = None
    status_summary: dict[str, int] = {}


class NodeRange(msgspec.Struct, frozen=True, rename="camel"):
    """Nodes of a multi-node job that are alike."""

    container: Container = Container()


class NodeDetail(msgspec.Struct, frozen=True, rename="camel"):
    """Of a multi-node job or one of its nodes."""

    num_nodes: int | None = None
    node_index: int | None = None
    is_main_node: bool = False
    node_range_properties: tuple[NodeRange, ...] = ()


class Job(msgspec.Struct, frozen=True, rename="camel"):
    """A job as DescribeJobs tells it in full, or ListJobs in brief."""

    job_id: str
    job_name: str = ""
    job_queue: str = ""
    job_arn: str = ""
    status: str = ""
    status_reason: str = ""
    created_at: int = 0
    started_at: int | None = None
    stopped_at: int | None = None
    container: Container = Container()
    attempts: tuple[AttemptDetail, ...] = ()
    array_properties: ArrayDetail | None = None
    node_properties: NodeDetail | None = None
    share_identifier: str = ""
    is_cancelled: bool = False
    is_terminated: bool = False
    tags: dict[str, str] = {}

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ENDED


class EnvironmentPlace(msgspec.Struct, frozen=True, rename="camel"):
    """A compute environment's place in a queue."""

    order: int
    compute_environment: str


class Queue(msgspec.Struct, frozen=True, rename="camel"):
    """A job queue."""

    job_queue_name: str
    job_queue_arn: str = ""
    state: str = "ENABLED"
    status: str = "VALID"
    status_reason: str = ""
    scheduling_policy_arn: str = ""
    compute_environment_order: tuple[EnvironmentPlace, ...] = ()

    @property
    def has_shares(self) -> bool:
        """Whether it divides its capacity by fair share."""
        return bool(self.scheduling_policy_arn)


class ComputeResources(msgspec.Struct, frozen=True):
    """What a managed compute environment may start; counts in vCPU, bid in percent."""

    type: str = "EC2"
    minimum_vcpus: int = msgspec.field(name="minvCpus", default=0)
    maximum_vcpus: int = msgspec.field(name="maxvCpus", default=0)
    desired_vcpus: int = msgspec.field(name="desiredvCpus", default=0)
    instance_types: tuple[str, ...] = msgspec.field(name="instanceTypes", default=())
    bid_percentage: int | None = msgspec.field(name="bidPercentage", default=None)


class Environment(msgspec.Struct, frozen=True, rename="camel"):
    """A compute environment."""

    compute_environment_name: str
    compute_environment_arn: str = ""
    type: str = "MANAGED"
    state: str = "ENABLED"
    status: str = "VALID"
    status_reason: str = ""
    ecs_cluster_arn: str = ""
    compute_resources: ComputeResources | None = None


class FrontJob(msgspec.Struct, frozen=True, rename="camel"):
    """A job among the first hundred of a queue that wait for a machine."""

    job_arn: str
    earliest_time_at_position: int = 0


class Front(msgspec.Struct, frozen=True, rename="camel"):
    """The first hundred, in the order in which they will be started."""

    jobs: tuple[FrontJob, ...] = ()
    last_updated_at: int = 0


class CapacityUse(msgspec.Struct, frozen=True, rename="camel"):
    """So much of ``capacity_unit`` is in use."""

    capacity_unit: str = ""
    quantity: float = 0.0


class ShareUse(msgspec.Struct, frozen=True, rename="camel"):
    """What the jobs of one share use."""

    share_identifier: str = ""
    capacity_usage: tuple[CapacityUse, ...] = ()


class ShareUtilization(msgspec.Struct, frozen=True, rename="camel"):
    """The shares that use most."""

    active_share_count: int = 0
    top_capacity_utilization: tuple[ShareUse, ...] = ()


class Utilization(msgspec.Struct, frozen=True, rename="camel"):
    """What a queue's jobs use in all."""

    total_capacity_usage: tuple[CapacityUse, ...] = ()
    fairshare_utilization: ShareUtilization | None = None


class Snapshot(msgspec.Struct, frozen=True, rename="camel"):
    """What GetJobQueueSnapshot tells."""

    front_of_queue: Front = Front()
    queue_utilization: Utilization | None = None


class Identity(msgspec.Struct, frozen=True, rename="pascal"):
    """Whose credentials were used."""

    account: str
    arn: str = ""


class LogEvent(msgspec.Struct, frozen=True):
    """One line as CloudWatch Logs keeps it; ``timestamp`` in Unix milliseconds."""

    timestamp: int
    message: str = ""


class Definition(msgspec.Struct, frozen=True, rename="camel"):
    """A revision of a job definition."""

    job_definition_name: str
    job_definition_arn: str
    revision: int = 1
    status: str = "ACTIVE"


class Consumable(msgspec.Struct, frozen=True, rename="camel"):
    """A consumable resource: units in all, in use and free."""

    consumable_resource_name: str
    total_quantity: int = 0
    in_use_quantity: int = 0
    available_quantity: int = 0
