"""The flow's own process: started in a group of its own, ended with all it started."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from swell.bootstrap.place import Refused

TYPE_CHECKING = False  # as a type checker sees it: importing typing costs 5 ms
if TYPE_CHECKING:
    from resource import struct_rusage

_DEFAULTS = [signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD]
_MORE_LIKELY_KILLED = b"300"
_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 20


class Child:
    """The process ``pid``, which leads a group; ``outs`` are the read ends of its streams.

    ``status`` and ``usage`` are as wait4(2) gives them, None while it runs.
    """

    def __init__(self, pid: int, outs: Sequence[int]) -> None:
        self.pid = pid
        self.status: int | None = None
        self.usage: struct_rusage | None = None
        self.outs = {outs[0]: "stdout", outs[1]: "stderr"}
        for fd in outs:
            os.set_blocking(fd, False)
        try:
            # When memory runs out, the kernel shall not choose this process, which tells of it.
            with open(f"/proc/{pid}/oom_score_adj", "wb") as file:
                file.write(_MORE_LIKELY_KILLED)
        except OSError:
            pass

    @property
    def is_gone(self) -> bool:
        return self.status is not None

    def reap(self) -> None:
        """Take note of its end, and of those of orphans that came to this process."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status, self.usage = status, usage

    def signal(self, number: int) -> None:
        """Send a signal to its whole group."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def end_leftovers(self) -> None:
        """Kill what it has started and left, in its group or out of it."""
        self.signal(signal.SIGKILL)
        for _ in range(_ROUNDS):
            left = _children()
            if not left:
                return
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                except (ProcessLookupError, ChildProcessError, PermissionError):
                    continue


def start_python(argv: Sequence[str], environ: Mapping[str, str], folder: str) -> Child:
    """Start a new interpreter in ``folder``, which becomes this process's folder too.

    Its streams are pipes, its stdin is empty. Raises Refused when it cannot be started.
    """
    os.chdir(folder)
    outs = [os.pipe(), os.pipe()]
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    ]
    actions += [(os.POSIX_SPAWN_DUP2, write, fd) for fd, (_, write) in enumerate(outs, 1)]
    try:
        pid = os.posix_spawnp(
            argv[0],
            list(argv),
            dict(environ),
            file_actions=actions,
            setpgroup=0,
            setsigmask=[],
            setsigdef=_DEFAULTS,
        )
    except OSError as error:
        raise Refused(f"'{argv[0]}' cannot be started: {error.strerror}.") from error
    finally:
        for _, write in outs:
            os.close(write)
    return Child(pid, [read for read, _ in outs])


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends (Linux)."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass  # the group is killed in any case


def _children() -> set[int]:
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children") as file:
                found.update(int(pid) for pid in file.read().split())
        except OSError:
            continue
    return found
