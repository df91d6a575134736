"""The few calls to the Linux kernel that Python's own library does not offer."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


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
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as listing:
            return {int(child) for child in listing.read().split()}
    except OSError:
        return set()


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
