"""Misfortune on demand: what is drawn for an attempt, and what is broken just now. Pure.

What an attempt meets depends on the seed, its job's name, index and number alone, not on the order
in which attempts start: the same flow meets the same misfortune.
"""

from __future__ import annotations

import random

import msgspec

ENVIRONMENT_FAULTS = ("invalid", "never-join", "service-role", "unsupported-instance")
"""What can be wrong with a compute environment."""


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All off by default. Shares are between 0 and 1, times in seconds."""

    spot: float = 0.0
    """The share of attempts whose instance is reclaimed: with notice where an attempt has its
    instance alone; else it is the only one of its instance that goes, without notice."""
    notice_s: float = 2.0
    """How long before its end an instance is told (on AWS 120)."""
    oom: float = 0.0
    """The share of attempts that are killed as if they had passed their memory limit."""
    within_s: float = 1.0
    """How soon after its start an attempt meets what was drawn for it."""
    throttle: float | None = None
    """Calls a second of each operation, instead of the usual number."""
    capacity: int | None = None
    """vCPUs that can be had in all; 0: no instance can be started."""
    environments: dict[str, str] = {}
    """Name of a compute environment → one of ENVIRONMENT_FAULTS."""
    seed: int = 0


class Misfortune(msgspec.Struct, frozen=True):
    """What one attempt meets, seconds after its start; None: nothing."""

    reclaimed_after_s: float | None
    out_of_memory_after_s: float | None


def misfortune(faults: Faults, job: str, index: int, attempt: int) -> Misfortune:
    """What ``faults`` draw for an attempt of the job named ``job``."""
    if not faults.spot and not faults.oom:
        return Misfortune(None, None)
    # Random seeds a text by its hash, the same in each process.
    source = random.Random(f"{faults.seed}/{job}/{index}/{attempt}")
    spot, oom = source.random() < faults.spot, source.random() < faults.oom
    when = source.uniform(0, faults.within_s)
    return Misfortune(when if spot else None, when if oom and not spot else None)


def wrong_with(faults: Faults) -> str | None:
    """Why ``faults`` cannot be meant; None: they can."""
    for name, share in (("spot", faults.spot), ("oom", faults.oom)):
        if not 0 <= share <= 1:
            return f"{name} is a share between 0 and 1, got {share}"
    if faults.throttle is not None and faults.throttle < 0:
        return f"throttle is a number of calls a second, got {faults.throttle}"
    if faults.capacity is not None and faults.capacity < 0:
        return f"capacity is a number of vCPUs, got {faults.capacity}"
    for name, fault in faults.environments.items():
        if fault not in ENVIRONMENT_FAULTS:
            return f"{name}: no fault {fault}; there are {', '.join(ENVIRONMENT_FAULTS)}"
    return None
