"""What an attempt is given of its machine: threads for its libraries, devices, a memory limit."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from swell.compute.gpus import visible_devices
from swell.compute.thread_count import set_thread_count, thread_variables
from swell.model.job import Launch


class Given(msgspec.Struct, frozen=True, array_like=True):
    """``threads`` for numerical libraries, None to leave them alone; ``devices`` as variables
    name them; ``memory_mb`` the limit that is held, None for none."""

    threads: int | None = None
    devices: tuple[str, ...] = ()
    memory_mb: int | None = None


def given_to(launch: Launch, *, enforces_memory: bool) -> Given:
    """What goes with ``launch``: one that only records a failure is held to nothing."""
    if launch.fallback is not None:
        return Given()
    memory_mb = launch.resources.memory_mb if enforces_memory else None
    return Given(launch.threads, launch.devices, memory_mb)


def take(given: Given) -> None:
    """In a forked attempt, where libraries are loaded already: tell them, and what starts
    from here."""
    if given.devices:
        os.environ.update(visible_devices(given.devices))
    if given.threads is not None:
        set_thread_count(given.threads)


def variables(given: Given, environ: Mapping[str, str]) -> dict[str, str]:
    """What a fresh interpreter is started with besides ``environ``."""
    found = visible_devices(given.devices)
    if given.threads is not None:
        found.update(thread_variables(given.threads, environ))
    return found
