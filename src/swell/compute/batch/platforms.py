"""What a queue's compute environments are, and what jobs there cannot have."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import msgspec

from swell.compute.batch.instance_types import (
    X86,
    architecture_of,
    machines_of,
    memory_for_one_job,
)
from swell.compute.batch.records import Environment, Queue
from swell.compute.batch.sizes import (
    FARGATE_LARGEST,
    FARGATE_MOST_DISK_GIB,
    Size,
    ec2_size,
    fargate_disk_gib,
    fargate_size,
    with_defaults,
)
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan


class Family(enum.Enum):
    """What a queue's jobs run on; a queue never mixes the two."""

    EC2 = "EC2"
    """Machines of the account, bought or spot."""
    FARGATE = "FARGATE"
    """Amazon's own, one job each."""


class Platform(msgspec.Struct, frozen=True):
    """A queue with all its compute environments.

    ``machine`` is 'x86_64' or 'aarch64', as ``platform.machine()`` says it in a job there.
    """

    queue: Queue
    environments: tuple[Environment, ...]
    family: Family
    machine: str

    @property
    def name(self) -> str:
        """The queue's name."""
        return self.queue.job_queue_name

    @property
    def is_fargate(self) -> bool:
        """Whether jobs run on Fargate."""
        return self.family is Family.FARGATE

    @property
    def is_spot(self) -> bool:
        """Whether every machine there is a spot machine."""
        kinds = {_kind(environment) for environment in self.environments}
        return bool(kinds) and kinds <= {"SPOT", "FARGATE_SPOT"}

    def may_be_spot(self, cluster: str) -> bool:
        """Whether machines of the ECS cluster, by the end of its ARN, are spot machines."""
        for environment in self.environments:
            if cluster and environment.ecs_cluster_arn.endswith(f"/{cluster}"):
                return _kind(environment) in ("SPOT", "FARGATE_SPOT")
        return self.is_spot


def platform_of(queue: Queue, environments: Sequence[Environment]) -> Platform:
    """Read all environments, not the first alone.

    Raises ComputeError for those that jobs cannot be sent to.
    """
    kinds = {_kind(environment) for environment in environments}
    if "ECS_MANAGED_INSTANCES" in kinds:
        raise ComputeError(
            f"The queue '{queue.job_queue_name}' has managed instances, which are not supported.",
            remedy="Use a queue of EC2, Spot, Fargate or Fargate Spot.",
        )
    is_fargate = any(kind.startswith("FARGATE") for kind in kinds)
    machines = {
        architecture_of(name)
        for environment in environments
        if environment.compute_resources is not None
        for name in environment.compute_resources.instance_types
    }
    return Platform(
        queue=queue,
        environments=tuple(environments),
        family=Family.FARGATE if is_fargate else Family.EC2,
        machine=X86 if is_fargate or len(machines) != 1 else machines.pop(),
    )


def size_on(platform: Platform, plan: StepPlan) -> Size:
    """What a job of ``plan`` reserves there. Raises ComputeError: more than Fargate has."""
    if not platform.is_fargate:
        return ec2_size(plan.resources)
    size = fargate_size(plan.resources)
    if size is None:
        asked = with_defaults(plan.resources)
        raise ComputeError(
            f"Step '{plan.step}' asks for {asked.cpu:g} cpu and {asked.memory_mb:,} MB of memory; "
            f"the most that Fargate gives is {FARGATE_LARGEST}.",
            remedy="Ask for less, or use a queue with EC2 machines.",
        )
    return size


def most_memory_mb(platform: Platform, plan: StepPlan) -> int | None:
    """The memory of the largest machine there that has the cpu and gpu of ``plan``, as far as a
    job can have it; None where the machines are not known."""
    if platform.is_fargate:
        return FARGATE_LARGEST.memory_mib
    size = size_on(platform, plan)
    most = 0
    for environment in platform.environments:
        resources = environment.compute_resources
        machines = None if resources is None else machines_of(resources.instance_types)
        if resources is None or machines is None:
            return None
        for machine in machines:
            has_cpu = size.vcpus <= machine.vcpus <= resources.maximum_vcpus
            if has_cpu and size.gpus <= machine.gpus:
                most = max(most, memory_for_one_job(machine))
    return most or None


def refuse_what_it_cannot(platform: Platform, plan: StepPlan, *, is_gang: bool = False) -> None:
    """Raise ComputeError for what no job there can have, before anything is submitted."""
    options = plan.batch or BatchOptions()
    if platform.is_fargate:
        _refuse_on_fargate(platform, plan, options, is_gang)
    else:
        _refuse_on_ec2(platform, plan, options)


def _refuse_on_fargate(
    platform: Platform, plan: StepPlan, options: BatchOptions, is_gang: bool
) -> None:
    asked = {
        "gpu": plan.resources.gpu,
        "shared_memory": plan.resources.shared_memory_mb,
        "privileged": options.privileged,
        "max_swap": options.max_swap,
        "swappiness": options.swappiness,
        "use_tmpfs": uses_tmpfs(options),
        "host_volumes": options.host_volumes,
        "inferentia or trainium": options.trainium,
        "efa": options.efa,
        "num_parallel": is_gang,
    }
    wanted = [name for name, value in asked.items() if value]
    if wanted:
        raise ComputeError(
            f"Step '{plan.step}' asks for {', '.join(wanted)}, which Fargate does not have; "
            f"the queue '{platform.name}' is one of Fargate.",
            remedy="Leave it out, or use a queue with EC2 machines: @batch(queue=…).",
        )
    disk = fargate_disk_gib(plan.resources, options.ephemeral_storage)
    if disk is not None and disk > FARGATE_MOST_DISK_GIB:
        raise ComputeError(
            f"Step '{plan.step}' asks for {disk} GiB of disk; Fargate gives up to "
            f"{FARGATE_MOST_DISK_GIB}.",
            remedy="Ask for less, use an EFS volume (efs_volumes), or a queue of EC2 machines "
            "with larger disks.",
        )
    size_on(platform, plan)


def _refuse_on_ec2(platform: Platform, plan: StepPlan, options: BatchOptions) -> None:
    asked = f"@resources(disk={plan.resources.disk_mb})" if plan.resources.disk_mb else ""
    if options.ephemeral_storage:
        asked = f"@batch(ephemeral_storage={options.ephemeral_storage})"
    if asked:
        raise ComputeError(
            f"Step '{plan.step}' has {asked}, but a job on EC2 machines cannot choose its disk; "
            f"the queue '{platform.name}' is one of EC2.",
            remedy="Give the compute environment a launch template with a larger volume and leave "
            "this out; or mount one with host_volumes or efs_volumes; or use a queue of Fargate.",
        )


def uses_tmpfs(options: BatchOptions) -> bool:
    """Whether a part of memory is mounted as a folder; naming its size asks for it."""
    return options.use_tmpfs or options.tmpfs_size is not None


def _kind(environment: Environment) -> str:
    resources = environment.compute_resources
    return "EC2" if resources is None else resources.type
