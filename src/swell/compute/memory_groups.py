"""Control groups that hold attempts to their memory: made, asked and removed by the keeper.

https://docs.kernel.org/admin-guide/cgroup-v1/memory.html and …/cgroup-v2.html.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from swell.compute.cgroups import Cgroups
from swell.compute.kernel import start_time_of

Write = Callable[[str, str], None]
"""(path of a file of the controller, what to write). Raises OSError."""

_PREFIX = "swell-tasks-"
_MIB = 1 << 20
LEAST_MB = 4
"""The kernel needs some pages to start anything in a group."""
_REMOVAL_S = 5.0


class Files(NamedTuple):
    """What the files of one version of the controller are called."""

    limit: str
    swap_limit: str
    swap_value: str | None
    events: str
    peak: str
    usage: str


V1 = Files(
    limit="memory.limit_in_bytes",
    swap_limit="memory.memsw.limit_in_bytes",
    swap_value=None,  # memory and swap together: the same number
    events="memory.oom_control",
    peak="memory.max_usage_in_bytes",
    usage="memory.usage_in_bytes",
)
V2 = Files(
    limit="memory.max",
    swap_limit="memory.swap.max",
    swap_value="0",
    events="memory.events",
    peak="memory.peak",
    usage="memory.current",
)


class MemoryGroup:
    """The group of one attempt and of all that it starts."""

    def __init__(self, folder: str, files: Files) -> None:
        self.folder = folder
        self._files = files

    def enter(self) -> None:
        """In the attempt's own process, first thing: from here on its pages count here.

        Raises OSError.
        """
        _write(f"{self.folder}/cgroup.procs", "0")

    def oom_kills(self) -> int:
        """How many processes in it the kernel killed for its memory."""
        return oom_kills_in(self.events)

    @property
    def events(self) -> str:
        """The path of the file in which the kernel counts them."""
        return f"{self.folder}/{self._files.events}"

    def peak_mb(self) -> float | None:
        """The most it held at once; None where this kernel does not count it."""
        return _megabytes(_read(f"{self.folder}/{self._files.peak}"))

    def left_mb(self) -> float:
        """Pages of files that it holds now that its processes are gone; 0 while there is one."""
        if _read(f"{self.folder}/cgroup.procs"):
            return 0.0
        return _megabytes(_read(f"{self.folder}/{self._files.usage}")) or 0.0

    def kill(self) -> None:
        """Kill all that is in it, grandchildren in sessions of their own too."""
        for line in _read(f"{self.folder}/cgroup.procs").split():
            with suppress(OSError):
                os.kill(int(line), signal.SIGKILL)

    def remove(self) -> bool:
        """Take it away; False while something is still dying in it."""
        try:
            os.rmdir(self.folder)
        except FileNotFoundError:
            return True
        except OSError:
            self.kill()
            return False
        return True


class MemoryGroups:
    """Makes groups below ``top``, which belongs to this process."""

    def __init__(self, top: str, files: Files, write: Write | None = None) -> None:
        self.top = top
        self._files = files
        self._write = write or _write
        self._made = 0
        self._dying: list[MemoryGroup] = []

    def make(self, limit_mb: float) -> MemoryGroup:
        """A group that may hold so much. Raises OSError."""
        self._made += 1
        files = self._files
        folder = f"{self.top}/{self._made}"
        os.mkdir(folder)
        limit = str(int(max(LEAST_MB, limit_mb) * _MIB))
        self._write(f"{folder}/{files.limit}", limit)
        with suppress(OSError):  # kernels that do not account for swap have no such file
            self._write(f"{folder}/{files.swap_limit}", files.swap_value or limit)
        with suppress(OSError):  # version 2: all of the group ends, not its largest process
            if files is V2:
                self._write(f"{folder}/memory.oom.group", "1")
        return MemoryGroup(folder, files)

    def release(self, group: MemoryGroup) -> None:
        """Its attempt has ended: take it away, now or as soon as it is empty."""
        self._dying = [one for one in [*self._dying, group] if not one.remove()]

    def close(self) -> None:
        """Take away all of them; gives up after 5 s."""
        _remove_tree(self.top, self._files)


def open_memory_groups(root: str = "/") -> MemoryGroups | None:
    """Where the kernel lets this process make groups with a limit, else None.

    Tries the group it is in and the one above, after taking away what keepers that were
    killed left there.
    """
    mark = _own_mark()
    pid = os.getpid()
    for version, folder in Cgroups(root).memory_groups(most=2):
        files = V1 if version == 1 else V2
        _remove_remains(folder, files, mark)
        top = f"{folder}/{mark}{pid}-{start_time_of(pid)}"
        try:
            os.mkdir(top)
        except OSError:
            continue
        groups = MemoryGroups(top, files)
        try:
            if files is V2:
                _write(f"{top}/cgroup.subtree_control", "+memory")
            groups.release(groups.make(LEAST_MB))
        except OSError:
            groups.close()
            continue
        return groups
    return None


def _own_mark() -> str:
    """What names of groups made by processes that this one can see begin with: another
    container may have the same folder, and processes of its own."""
    try:
        return f"{_PREFIX}{os.stat('/proc/self/ns/pid').st_ino:x}-"
    except OSError:
        return f"{_PREFIX}0-"


def _remove_remains(folder: str, files: Files, mark: str) -> None:
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        pid, _, started = name.removeprefix(mark).partition("-")
        if not name.startswith(mark) or not pid.isdecimal():
            continue
        if start_time_of(int(pid)) != started:
            _remove_tree(f"{folder}/{name}", files)


def _remove_tree(top: str, files: Files) -> None:
    end = time.monotonic() + _REMOVAL_S
    while True:
        try:
            folders = [entry.path for entry in os.scandir(top) if entry.is_dir()]
        except OSError:
            return
        # A list: each is tried, so that one that is dying does not hold up the others.
        left = [one for one in folders if not MemoryGroup(one, files).remove()]
        if not left and MemoryGroup(top, files).remove():
            return
        if time.monotonic() > end:
            return
        time.sleep(0.002)


def oom_kills_in(events: str) -> int:
    """What the kernel has counted in such a file; 0 where there is none."""
    for line in _read(events).splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0


def _megabytes(text: str) -> float | None:
    return int(text) / _MIB if text.strip().isdecimal() else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    # Not open(): that would make a file where the kernel has none.
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
