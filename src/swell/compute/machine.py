"""What this machine has to give: processors and memory, within the limits of its cgroup."""

from __future__ import annotations

import os

from swell.model.resources import Resources

_CGROUP_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


def machine_resources(
    cgroup_limits: tuple[str, ...] = _CGROUP_LIMITS, meminfo: str = "/proc/meminfo"
) -> Resources:
    """cpu this process may use, memory in MB (10^6 bytes); None where the system does not say."""
    sizes = [_memory_total(meminfo), *map(_limit, cgroup_limits)]
    known = [size for size in sizes if size is not None]
    affinity = getattr(os, "sched_getaffinity", None)
    cpu = len(affinity(0)) if affinity is not None else os.cpu_count()
    return Resources(
        cpu=float(cpu) if cpu else None, memory_mb=min(known) // 1_000_000 if known else None
    )


def _memory_total(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemTotal:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def _limit(path: str) -> int | None:
    """A cgroup's limit in bytes; None for 'max' and where there is no such file."""
    try:
        with open(path, encoding="ascii") as file:
            text = file.read().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
