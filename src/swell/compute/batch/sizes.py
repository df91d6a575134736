"""What a job reserves, in the amounts that each kind of compute environment takes."""

from __future__ import annotations

import math
from typing import NamedTuple

from msgspec.structs import replace

from swell.compute.batch.records import Job
from swell.model.resources import Resources

DEFAULT_CPU = 1.0
DEFAULT_MEMORY_MB = 4_000
LEAST_MEMORY_MB = 4
FARGATE_LEAST_DISK_GIB, FARGATE_MOST_DISK_GIB = 21, 200


class Size(NamedTuple):
    """What is reserved: vCPU, MiB of memory, GPUs."""

    vcpus: float
    memory_mib: int
    gpus: int = 0

    def __str__(self) -> str:
        text = f"{self.vcpus:g} vCPU and {self.memory_mib:,} MB of memory"
        return f"{text} and {self.gpus} GPU" if self.gpus else text

    def requirements(self) -> list[dict[str, str]]:
        """``resourceRequirements``; Batch refuses '2.0' for 2."""
        wanted = [("VCPU", f"{self.vcpus:g}"), ("MEMORY", str(self.memory_mib))]
        if self.gpus:
            wanted.append(("GPU", str(self.gpus)))
        return [{"type": kind, "value": value} for kind, value in wanted]


def size_of(job: Job) -> Size | None:
    """What a described job reserves, or each of its nodes; None where it does not say."""
    ranges = job.node_properties.node_range_properties if job.node_properties else ()
    container = ranges[0].container if ranges else job.container
    asked = {one.type: one.value for one in container.resource_requirements}
    try:
        return Size(float(asked["VCPU"]), int(asked["MEMORY"]), int(asked.get("GPU", 0)))
    except (KeyError, ValueError):
        return None


# vCPU → MiB of memory: https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
FARGATE_SIZES: dict[float, tuple[int, ...]] = {
    0.25: (512, 1024, 2048),
    0.5: tuple(range(1024, 4096 + 1, 1024)),
    1.0: tuple(range(2048, 8192 + 1, 1024)),
    2.0: tuple(range(4096, 16384 + 1, 1024)),
    4.0: tuple(range(8192, 30720 + 1, 1024)),
    8.0: tuple(range(16384, 61440 + 1, 4096)),
    16.0: tuple(range(32768, 122880 + 1, 8192)),
    32.0: (61440, 122880, 249856),
}
FARGATE_LARGEST = Size(32.0, 249_856)


def with_defaults(asked: Resources) -> Resources:
    """Cpu and memory filled in where nobody said them."""
    return replace(
        asked,
        cpu=DEFAULT_CPU if asked.cpu is None else asked.cpu,
        memory_mb=DEFAULT_MEMORY_MB if asked.memory_mb is None else asked.memory_mb,
    )


def ec2_size(asked: Resources) -> Size:
    """Whole vCPUs, rounded up."""
    filled = with_defaults(asked)
    assert filled.cpu is not None
    assert filled.memory_mb is not None
    memory = max(LEAST_MEMORY_MB, filled.memory_mb)
    return Size(float(max(1, math.ceil(filled.cpu))), memory, filled.gpu or 0)


def fargate_size(asked: Resources) -> Size | None:
    """The smallest of Fargate's sizes that holds both cpu and memory; None: none does."""
    filled = with_defaults(asked)
    assert filled.cpu is not None
    assert filled.memory_mb is not None
    for vcpus, memories in FARGATE_SIZES.items():
        enough = [memory for memory in memories if memory >= filled.memory_mb]
        if vcpus >= filled.cpu and enough:
            return Size(vcpus, min(enough))
    return None


def fargate_disk_gib(asked: Resources, ephemeral_storage_gib: int | None) -> int | None:
    """The disk to ask for, the larger of both wishes; None: the 20 GiB that all have.

    It may exceed what Fargate gives (FARGATE_MOST_DISK_GIB).
    """
    wanted = math.ceil((asked.disk_mb or 0) / 1024)
    largest = max(wanted, ephemeral_storage_gib or 0)
    if largest <= 20:
        return None
    return max(FARGATE_LEAST_DISK_GIB, largest)


def wastes_a_machine(memory_mib: int) -> int | None:
    """The memory to ask for instead of one that is exactly a machine's, which has less.

    The system and the agent keep some of it, so that the job would go to the next larger
    machine, or wait for ever: m4.large has 8 GiB and offers 7,985 MiB less 32 MiB.
    https://docs.aws.amazon.com/batch/latest/userguide/memory-management.html
    """
    gib, rest = divmod(memory_mib, 1024)
    if rest or gib < 2 or gib not in _MACHINES_GIB:
        return None
    return int(memory_mib * 0.95)


_MACHINES_GIB = {
    factor << power for factor in (1, 3, 9) for power in range(12) if factor << power <= 24_576
}
