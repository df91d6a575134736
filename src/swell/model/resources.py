"""What a task asks of the machine it runs on."""

from __future__ import annotations

import msgspec


class Resources(msgspec.Struct, frozen=True):
    """cpu in cores, memory, disk and shared memory in MB; None means not said.

    ``auto`` names what is sized from history: 'cpu', 'memory'.
    ``named`` are amounts of what ``--limit`` limits, by name.
    """

    cpu: float | None = None
    memory_mb: int | None = None
    gpu: int | None = None
    disk_mb: int | None = None
    shared_memory_mb: int | None = None
    auto: tuple[str, ...] = ()
    named: tuple[tuple[str, float], ...] = ()
