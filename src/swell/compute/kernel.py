"""The few calls to the Linux kernel that Python's own library does not offer."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MIB = 1 << 20
_LEAST_DATA = 4 * _MIB
_LISTING_BYTES = 1 << 16


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (prctl(2), Linux only)."""
    _prctl()(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def prepare_to_die_with_parent() -> Callable[[int], None]:
    """In a parent that will fork: a function for its children, given the parent's pid.

    It asks the kernel to kill the child when that parent ends (Linux only). Prepared
    here, since loading the C library in every child costs half a millisecond.
    """
    prctl = _prctl()

    def die_with_parent(parent: int) -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # it ended before the request was made

    return die_with_parent


def children_of(pid: int) -> set[int]:
    """Process ids of the children of ``pid``; empty where the kernel does not list them."""
    # By descriptor: a file object takes the keeper, which asks after each attempt, twice as long.
    try:
        listing = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return set()
    try:
        parts = []
        while part := os.read(listing, _LISTING_BYTES):
            parts.append(part)
        return {int(child) for child in b"".join(parts).split()}
    except OSError:
        return set()
    finally:
        os.close(listing)


def start_time_of(pid: int) -> str:
    """When the process began, in the kernel's own count; "" where there is none. With the pid
    it names a process for as long as the machine runs (proc(5), stat, field 22)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""


def limit_own_data(limit_mb: int) -> None:
    """Let this process hold ``limit_mb`` MB in all: what it asks for beyond fails, in Python by
    MemoryError.

    For where no control group can be made. The limit (RLIMIT_DATA) holds for each process that
    it starts by itself, and counts what is asked for, touched or not; so what has been asked
    for before and is not held does not count.
    """
    import resource

    fields = {}
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name in ("VmData", "RssAnon"):
                fields[name] = int(value.split()[0]) * 1024
    left = max(_LEAST_DATA, limit_mb * _MIB - fields["RssAnon"])
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = fields["VmData"] + left
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def kill_and_reap(pids: Collection[int]) -> None:
    """Kill ``pids``, children of this process, with their process groups; wait for each."""
    for pid in pids:
        try:
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            continue


def raise_file_limit() -> None:
    """Let this process open as many files as the system allows: lanes need three each."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _prctl() -> Callable[..., object]:
    if not sys.platform.startswith("linux"):
        return lambda *arguments: 0
    import ctypes

    prctl: Callable[..., object] = ctypes.CDLL(None).prctl
    return prctl
