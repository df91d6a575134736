"""The options of one container, from what a job asked for. Pure."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path

from swell.sandbox.engine import PODMAN, Engine
from swell.sandbox.jobs import JobSpec

_PASS_ON = (
    'trap \'kill -TERM "$child"\' TERM; "$@" & child=$!; '
    'while wait "$child"; code=$?; kill -0 "$child" 2>/dev/null; do :; done; exit "$code"'
)
"""A first process in place of an engine's own: passes SIGTERM on, ends as its child does."""


def common_options(engine: Engine, name: str, label: str) -> list[str]:
    """What every container of the sandbox is given."""
    options = [
        f"--name={name}",
        f"--label={label}",
        # The sandbox's servers listen on loopback.
        "--network=host",
        "--pull=never",
        # What is printed is read as it comes; nobody asks the engine for it later.
        "--log-driver=none",
        # Folders of this machine keep the labels they have.
        "--security-opt=label=disable",
    ]
    if engine.name == PODMAN:
        options += ["--http-proxy=false", *_limits_as_here()]
    return options


def memory_options(memory_mib: int) -> list[str]:
    """So much, and no swap besides."""
    return [f"--memory={memory_mib}m", f"--memory-swap={memory_mib}m"]


def cpu_options(engine: Engine, vcpus: float, limit: float | None) -> list[str]:
    """Its share among containers that all want to work; and its limit, below what is here."""
    if not engine.limits_cpu:
        return []
    options = [f"--cpu-shares={max(2, round(vcpus * 1024))}"]
    # Engines refuse more than there is, which is a limit anyway.
    if limit is not None and limit < (os.cpu_count() or 1):
        options.append(f"--cpus={limit:g}")
    return options


def job_options(
    engine: Engine, spec: JobSpec, variables: Mapping[str, str], host: Path, visible: Sequence[Path]
) -> list[str]:
    """What ``spec`` asks for. Folders of the instance are in ``host``."""
    options = [f"--env={name}={value}" for name, value in variables.items()]
    options += memory_options(spec.memory_mib)
    options += cpu_options(engine, spec.vcpus, spec.cpu_limit)
    for mount in spec.mounts:
        how = ":ro" if mount.read_only else ""
        options.append(f"--volume={host}/{mount.source.strip('/')}:{mount.target}{how}")
    options += [f"--volume={path}:{path}:ro" for path in visible]
    options += [f"--tmpfs={folder.target}:size={folder.size_mib}m" for folder in spec.tmpfs]
    if spec.shared_memory_mib is not None:
        options.append(f"--shm-size={spec.shared_memory_mib}m")
    if spec.user:
        options.append(f"--user={spec.user}")
    if spec.has_init and engine.has_init:
        options.append("--init")
    return options


def job_command(engine: Engine, spec: JobSpec) -> list[str]:
    """What its first process is."""
    if spec.has_init and not engine.has_init and spec.command:
        return ["/bin/sh", "-c", _PASS_ON, "sh", *spec.command]
    return list(spec.command)


def _limits_as_here() -> list[str]:
    """podman would give more open files and processes than it may where its own are limited."""
    found = []
    for name, kind, most in (
        ("nofile", resource.RLIMIT_NOFILE, 1 << 20),
        # podman 4.3 takes no more itself.
        ("nproc", resource.RLIMIT_NPROC, 1 << 15),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(hard, most)
        found.append(f"--ulimit={name}={limit}:{limit}")
    return found
