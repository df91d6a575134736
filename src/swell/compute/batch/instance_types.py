"""Which machines the instance types of a compute environment mean, and what a job finds there.

A table of the families that queues are usually made of. What is not in it is not judged.
Sources: https://aws.amazon.com/ec2/instance-types/ and, for the memory that is kept back,
https://docs.aws.amazon.com/batch/latest/userguide/memory-management.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from swell.compute.batch.sizes import Size

X86, ARM = "x86_64", "aarch64"


class Machine(NamedTuple):
    """What an instance type has; memory in MiB, nominal."""

    vcpus: int
    memory_mib: int
    gpus: int = 0


_FAMILIES_OF = {
    # Which it is depends on the region and on when the environment was made.
    "optimal": ("c4", "m4", "r4", "c5", "m5", "r5", "m6i", "c6i", "r6i", "c7i"),
    "default_x86_64": ("m6i", "c6i", "r6i", "c7i"),
    "default_arm64": ("m6g", "c6g", "r6g", "c7g"),
}
_ARM = re.compile(r"^(a1|[a-z]+\d+g[a-z]*|default_arm64)(-|\.|$)")

_STEPS = {"medium": 1, "large": 2, "xlarge": 4}


def architecture_of(instance_type: str) -> str:
    """'x86_64' or 'aarch64', by the name alone: Graviton families have a g after the number."""
    return ARM if _ARM.match(instance_type) else X86


def machines_of(instance_types: Iterable[str]) -> list[Machine] | None:
    """All machines that a compute environment may start; None if some are not known."""
    found: list[Machine] = []
    for name in instance_types:
        for part in _FAMILIES_OF.get(name, (name,)):
            machines = _machines(part)
            if machines is None:
                return None
            found += machines
    return found or None


def memory_for_jobs(machine: Machine) -> int:
    """MiB of its memory that jobs get: the system keeps 2 % or more, the agent 32 MiB.

    Generous, since what it says cannot be had is refused: m4.large offers 7,985 of 8,192.
    """
    return int(machine.memory_mib * 0.98) - 32


def memory_for_one_job(machine: Machine) -> int:
    """MiB that a job can ask for and be sure to get on that machine, when nothing else is there."""
    return min(int(machine.memory_mib * 0.95), memory_for_jobs(machine))


def fits(size: Size, machine: Machine) -> bool:
    """Whether a job of ``size`` fits on the machine when nothing else is there."""
    return (
        size.vcpus <= machine.vcpus
        and size.memory_mib <= memory_for_jobs(machine)
        and size.gpus <= machine.gpus
    )


def _machines(name: str) -> list[Machine] | None:
    family, _, size = name.partition(".")
    if family in _ODD:
        sizes = _ODD[family]
    else:
        shape = _SHAPES.get(family)
        if shape is None:
            return None
        gib_per_vcpu, names = shape
        sizes = {
            one: Machine(_vcpus(one), round(_vcpus(one) * gib_per_vcpu * 1024))
            for one in names.split()
        }
    if not size:
        return list(sizes.values())
    return [sizes[size]] if size in sizes else None


def _vcpus(size: str) -> int:
    number = size.removesuffix("xlarge")
    return _STEPS[size] if size in _STEPS else 4 * int(number)


_FIVE = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"
_C_FIVE = "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge"
_SIX = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"
_SEVEN = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"
_SIX_AMD = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge"
_GRAVITON = "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"
_GRAVITON_4 = _GRAVITON + " 24xlarge 48xlarge"
_FIVE_AMD_C = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"

# Family → GiB of memory for each vCPU, sizes.
_SHAPES: dict[str, tuple[float, str]] = {
    **dict.fromkeys(("m5", "m5d", "m5a", "m5ad", "m5n", "m5dn"), (4, _FIVE)),
    **dict.fromkeys(("r5", "r5d", "r5a", "r5ad", "r5n", "r5dn", "r5b"), (8, _FIVE)),
    **dict.fromkeys(("c5", "c5d"), (2, _C_FIVE)),
    **dict.fromkeys(("c5a", "c5ad"), (2, _FIVE_AMD_C)),
    **dict.fromkeys(("m6i", "m6id", "m6in", "m6idn"), (4, _SIX)),
    **dict.fromkeys(("r6i", "r6id", "r6in", "r6idn"), (8, _SIX)),
    **dict.fromkeys(("c6i", "c6id", "c6in"), (2, _SIX)),
    "m6a": (4, _SIX_AMD),
    "r6a": (8, _SIX_AMD),
    "c6a": (2, _SIX_AMD),
    "m7i": (4, _SEVEN),
    "r7i": (8, _SEVEN),
    "c7i": (2, _SEVEN),
    "m7a": (4, "medium " + _SIX_AMD),
    "r7a": (8, "medium " + _SIX_AMD),
    "c7a": (2, "medium " + _SIX_AMD),
    **dict.fromkeys(("m6g", "m6gd", "m7g", "m7gd"), (4, _GRAVITON)),
    **dict.fromkeys(("r6g", "r6gd", "r7g", "r7gd"), (8, _GRAVITON)),
    **dict.fromkeys(("c6g", "c6gd", "c6gn", "c7g", "c7gd", "c7gn"), (2, _GRAVITON)),
    "m8g": (4, _GRAVITON_4),
    "r8g": (8, _GRAVITON_4),
    "c8g": (2, _GRAVITON_4),
    "r4": (7.625, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge"),
}


def _gib(vcpus: int, gib: float, gpus: int = 0) -> Machine:
    return Machine(vcpus, round(gib * 1024), gpus)


# Families whose sizes follow no rule.
_ODD: dict[str, dict[str, Machine]] = {
    "m4": {
        "large": _gib(2, 8),
        "xlarge": _gib(4, 16),
        "2xlarge": _gib(8, 32),
        "4xlarge": _gib(16, 64),
        "10xlarge": _gib(40, 160),
        "16xlarge": _gib(64, 256),
    },
    "c4": {
        "large": _gib(2, 3.75),
        "xlarge": _gib(4, 7.5),
        "2xlarge": _gib(8, 15),
        "4xlarge": _gib(16, 30),
        "8xlarge": _gib(36, 60),
    },
    "c5n": {
        "large": _gib(2, 5.25),
        "xlarge": _gib(4, 10.5),
        "2xlarge": _gib(8, 21),
        "4xlarge": _gib(16, 42),
        "9xlarge": _gib(36, 96),
        "18xlarge": _gib(72, 192),
    },
    "p3": {
        "2xlarge": _gib(8, 61, 1),
        "8xlarge": _gib(32, 244, 4),
        "16xlarge": _gib(64, 488, 8),
    },
    "p4d": {"24xlarge": _gib(96, 1152, 8)},
    "p4de": {"24xlarge": _gib(96, 1152, 8)},
    "p5": {"48xlarge": _gib(192, 2048, 8), "4xlarge": _gib(16, 256, 1)},
    "g4dn": {
        "xlarge": _gib(4, 16, 1),
        "2xlarge": _gib(8, 32, 1),
        "4xlarge": _gib(16, 64, 1),
        "8xlarge": _gib(32, 128, 1),
        "12xlarge": _gib(48, 192, 4),
        "16xlarge": _gib(64, 256, 1),
        "metal": _gib(96, 384, 8),
    },
    **{
        family: {
            "xlarge": _gib(4, 16, 1),
            "2xlarge": _gib(8, 32, 1),
            "4xlarge": _gib(16, 64, 1),
            "8xlarge": _gib(32, 128, 1),
            "12xlarge": _gib(48, 192, 4),
            "16xlarge": _gib(64, 256, 1),
            "24xlarge": _gib(96, 384, 4),
            "48xlarge": _gib(192, 768, 8),
        }
        for family in ("g5", "g6")
    },
    "t3": {
        "nano": _gib(2, 0.5),
        "micro": _gib(2, 1),
        "small": _gib(2, 2),
        "medium": _gib(2, 4),
        "large": _gib(2, 8),
        "xlarge": _gib(4, 16),
        "2xlarge": _gib(8, 32),
    },
}
