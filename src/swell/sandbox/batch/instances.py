"""Instance types and what fits on them; Fargate's sizes. Pure.

From AWS's published tables: nominal memory in MiB. What a job can have is less: the kernel keeps a
part (an m4.large of 8 GiB shows about 7,985 MiB to ECS), and the ECS agent another.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class InstanceType(msgspec.Struct, frozen=True):
    """An instance type: vCPUs, nominal memory in MiB, GPUs, processor architecture."""

    name: str
    vcpus: int
    memory_mib: int
    gpus: int = 0
    architecture: str = "x86_64"

    def usable_mib(self, agent_mib: int) -> int:
        """What jobs can have of its memory."""
        return int(self.memory_mib * (7_985 / 8_192)) - agent_mib


_SIZES = {
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
    "12xlarge": 48,
    "16xlarge": 64,
    "24xlarge": 96,
}
_GIB_PER_VCPU = {"c5": 2, "c6i": 2, "m5": 4, "m6i": 4, "r5": 8, "r6i": 8}
_GIB_PER_VCPU_ARM = {"c6g": 2, "m6g": 4, "r6g": 8}
_OPTIMAL = ("m5", "c5", "r5")


def _family(name: str, gib: int, architecture: str) -> list[InstanceType]:
    return [
        InstanceType(f"{name}.{size}", vcpus, vcpus * gib * 1024, 0, architecture)
        for size, vcpus in _SIZES.items()
    ]


INSTANCE_TYPES: tuple[InstanceType, ...] = (
    InstanceType("m4.large", 2, 8_192),
    InstanceType("m4.xlarge", 4, 16_384),
    InstanceType("g4dn.xlarge", 4, 16_384, 1),
    InstanceType("g4dn.2xlarge", 8, 32_768, 1),
    InstanceType("g4dn.12xlarge", 48, 196_608, 4),
    InstanceType("g5.xlarge", 4, 16_384, 1),
    InstanceType("g5.12xlarge", 48, 196_608, 4),
    InstanceType("p3.2xlarge", 8, 62_464, 1),
    InstanceType("p3.8xlarge", 32, 249_856, 4),
    InstanceType("p4d.24xlarge", 96, 1_179_648, 8),
    *(kind for name, gib in _GIB_PER_VCPU.items() for kind in _family(name, gib, "x86_64")),
    *(kind for name, gib in _GIB_PER_VCPU_ARM.items() for kind in _family(name, gib, "arm64")),
)


def expand(wanted: Sequence[str]) -> tuple[InstanceType, ...]:
    """The types that ``instanceTypes`` means, smallest first: types, families, ``optimal``,
    ``default_x86_64``, ``default_arm64``. What is not in the table is left out."""
    families = {
        "optimal": _OPTIMAL,
        "default_x86_64": tuple(_GIB_PER_VCPU),
        "default_arm64": tuple(_GIB_PER_VCPU_ARM),
    }
    named = {name for word in wanted for name in families.get(word, (word,))}
    found = (
        kind
        for kind in INSTANCE_TYPES
        if kind.name in named or kind.name.partition(".")[0] in named
    )
    return tuple(sorted(found, key=lambda kind: (kind.gpus, kind.vcpus, kind.memory_mib)))


class Need(msgspec.Struct, frozen=True):
    """What one container takes of a host."""

    vcpus: float
    memory_mib: int
    gpus: int = 0


def fits(kind: InstanceType, need: Need, agent_mib: int) -> bool:
    """Whether an empty instance of this type could hold ``need``."""
    return (
        need.vcpus <= kind.vcpus
        and need.gpus <= kind.gpus
        and need.memory_mib <= kind.usable_mib(agent_mib)
    )


_FARGATE: dict[float, frozenset[int]] = {
    0.25: frozenset((512, 1024, 2048)),
    0.5: frozenset(range(1024, 4097, 1024)),
    1: frozenset(range(2048, 8193, 1024)),
    2: frozenset(range(4096, 16385, 1024)),
    4: frozenset(range(8192, 30721, 1024)),
    8: frozenset(range(16384, 61441, 4096)),
    16: frozenset(range(32768, 122881, 8192)),
    32: frozenset((61440, 122880, 249856)),
}


def is_fargate_size(vcpus: float, memory_mib: int) -> bool:
    """Whether Fargate has this pair of vCPUs and MiB."""
    return memory_mib in _FARGATE.get(vcpus, frozenset())


def fargate_vcpus() -> tuple[float, ...]:
    """The vCPU values that Fargate has."""
    return tuple(_FARGATE)
