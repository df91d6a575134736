"""A parent that sees to it that nothing of the sandbox outlives it, however its processes end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_STOP_S = 25
"""How long the sandbox may take to end on request."""


def run_guarded(serve: Callable[[], int], after: Callable[[], None]) -> int:
    """Run ``serve`` in a child; when it has ended, kill all its descendants and call ``after``.

    Returns the child's exit code. Where this process is killed, the child is asked to end
    by the kernel (Linux). To be called while the process has one thread.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    own = os.getpid()
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    child = os.fork()
    if child == 0:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        code = 1
        try:
            if os.getppid() == own:
                code = serve()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def pass_on(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):
            os.kill(child, signal.SIGTERM)
        signal.alarm(_STOP_S)

    def lose_patience(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)

    for number in signals:
        signal.signal(number, pass_on)
    signal.signal(signal.SIGALRM, lose_patience)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            break
    _kill_descendants()
    after()
    return os.waitstatus_to_exitcode(status)


def prepare_to_die_with_parent() -> Callable[[], None]:
    """What a child calls between fork and exec, so that the kernel kills it when the thread
    ends that started it (Linux)."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    # Loaded here: a child of many threads had better load nothing.
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # it ended before the request was made

    return die_with_parent


def _kill_descendants() -> None:
    """Those whose parents end become ours: so killing our children again and again gets all."""
    while children := _children():
        for pid in children:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children", "rb") as listing:
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return []


def _prctl(option: int, value: int) -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
