"""What the Batch service and whatever runs its jobs say to each other; no behaviour.

The service decides when an attempt starts and when it must stop; a runner makes it a process
or a container and tells once how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

KILLED_BY_SIGKILL = 137
"""The exit code that a container shows whose process was killed by SIGKILL."""

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
"""``JobEnd.reason`` of a container that passed its memory limit."""

CANNOT_PULL = "CannotPullContainerError: "
"""How ``JobEnd.reason`` begins when the image cannot be had; the cause follows."""


class Mount(msgspec.Struct, frozen=True):
    """A path of the host that is seen inside the container."""

    source: str
    target: str
    read_only: bool = False


class Tmpfs(msgspec.Struct, frozen=True):
    """A folder of the container that is kept in memory."""

    target: str
    size_mib: int


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of one job, or of one child of an array, or of one node of a multi-node job.

    ``job_id`` is as the API shows it: plain, ``<id>:<index>`` or ``<id>#<node>``. Together with
    ``attempt`` (from 1, as in AWS_BATCH_JOB_ATTEMPT) it names the attempt. ``environment`` is
    whole: what the job asked for and every AWS_BATCH variable; the runner adds only what a
    container would have anyway (PATH, HOME, HOSTNAME) and what leads to the sandbox's own S3.
    Time limits are not here: the service watches them and calls ``stop``.
    """

    job_id: str
    attempt: int
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    vcpus: float
    memory_mib: int
    gpus: int = 0
    cpu_limit: float | None = None
    """Processors it may use at most, as on Fargate; None: its vCPUs are its share of those of
    the instance, and it may use what others leave."""
    host_name: str = ""
    """The instance the job was placed on, such as ``i-0123456789abcdef0``."""
    log_group: str = "/aws/batch/job"
    log_stream: str = ""
    """Where standard output and standard error go, both, in arrival order."""
    mounts: tuple[Mount, ...] = ()
    shared_memory_mib: int | None = None
    """Size of /dev/shm; None: the engine's default (64)."""
    tmpfs: tuple[Tmpfs, ...] = ()
    has_init: bool = False
    """Whether a small first process passes signals on to the job's own."""
    user: str = ""


class JobEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended. Times in Unix seconds.

    ``exit_code`` is None where no process ran at all (image not found). ``reason`` is what the
    container's reason will be: empty, OUT_OF_MEMORY, or such as ``CannotPullContainerError: …``
    or ``DockerTimeoutError: …``; it is never about the exit code.
    """

    exit_code: int | None
    reason: str = ""
    started_at: float | None = None
    """When the process began; None: it never did."""
    stopped_at: float
    log_stream: str = ""


class JobRunner(Protocol):
    """Runs attempts. Every method may be called from any thread and returns at once.

    ``on_end`` is called exactly once for each ``start``, from any thread, also when the process
    could not be started (then with ``exit_code=None`` and a reason), also after ``close``.
    """

    def start(self, spec: JobSpec, on_end: Callable[[JobEnd], None]) -> None:
        """Begin the attempt. Never raises for what the job or its image has wrong."""
        ...

    def stop(self, job_id: str, attempt: int, grace_s: float) -> None:
        """SIGTERM now, SIGKILL if it still runs after ``grace_s`` seconds.

        An attempt that is not known, or has ended, is none of the caller's errors.
        """
        ...

    def kill(self, job_id: str, attempt: int) -> None:
        """SIGKILL now, for the whole process group; as when the host is lost."""
        ...

    def close(self) -> None:
        """Kill what still runs, give back what is held; ``on_end`` is called for each."""
        ...
