"""What this machine has to give, within the limits of its control groups and the user's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from swell.compute.cgroups import Cgroups
from swell.compute.packing import Machine

_BYTES_PER_MB = 1 << 20


def find_machine(
    limits: Mapping[str, float] | None = None,
    find_gpus: Callable[[], tuple[str, ...]] | None = None,
    *,
    root: str = "/",
) -> Machine:
    """cpu this process may use, memory in MB (2^20 bytes, as engines count it), GPUs where
    ``find_gpus`` is given.

    ``limits`` named 'cpu', 'memory' and 'gpu' lower what there is; all others are names that
    steps ask for. What the system does not say is None.
    """
    cgroups = Cgroups(root)
    given = dict(limits or {})
    cpu = _smallest(_processors(), cgroups.cpu_quota(), given.pop("cpu", None))
    meminfo = read_meminfo(cgroups.read("/proc/meminfo"))
    total, available = meminfo.get("MemTotal"), meminfo.get("MemAvailable")
    bounds = cgroups.memory_bounds()
    there = _smallest(total, *(bound.limit for bound in bounds))
    free = _smallest(available, *(max(0, bound.limit - bound.held) for bound in bounds))
    memory = given.pop("memory", None)
    most_gpus = given.pop("gpu", None)
    devices = find_gpus() if find_gpus is not None else None
    return Machine(
        cpu=cpu,
        memory_mb=_megabytes(there, memory),
        free_memory_mb=_megabytes(free, memory),
        devices=devices[: None if most_gpus is None else int(most_gpus)] if devices else devices,
        limits=tuple(given.items()),
    )


def read_meminfo(text: str) -> dict[str, int]:
    """The sizes in ``/proc/meminfo``, in bytes."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        if fields and fields[0].isdecimal():
            found[name] = int(fields[0]) * 1024
    return found


def _processors() -> float | None:
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity is not None else os.cpu_count()
    return float(count) if count else None


def _smallest(*sizes: float | None) -> float | None:
    return min((size for size in sizes if size is not None), default=None)


def _megabytes(size: float | None, given_mb: float | None) -> int | None:
    there = None if size is None else size // _BYTES_PER_MB
    smallest = _smallest(there, given_mb)
    return None if smallest is None else int(smallest)
