"""Memory limits of jobs that are processes: a control group each, or else a look at their size."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_MIB = 1 << 20
_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")


class Cell(Protocol):
    """The limit of one job."""

    @property
    def shell_prefix(self) -> str:
        """What a shell does to enter it, before it becomes the job's own program."""
        ...

    def was_exceeded(self) -> bool:
        """Whether a process in it was killed since it had too much memory."""
        ...

    def remove(self) -> bool:
        """Kill what is in it; False while something still lives there."""
        ...


class Cells(Protocol):
    """Makes cells."""

    kind: str
    """'cgroup' or 'watch'."""

    def make(self, memory_mib: int) -> Cell:
        """Raises OSError."""
        ...

    def close(self) -> None:
        """Remove what is left."""
        ...


def open_cells(name: str) -> Cells:
    """Control groups below an own one called ``name`` where the kernel lets us, else a watch."""
    if sys.platform == "linux":
        for make in (GroupsV1, GroupsV2):
            try:
                return make(name)
            except OSError:
                continue
    return Watches()


class GroupsV1:
    """Control groups, version 1.

    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
    """

    kind = "cgroup"

    def __init__(self, name: str, root: Path = _V1) -> None:
        self._top = root / name
        self._count = 0
        if not (root / "memory.limit_in_bytes").exists():
            raise OSError(f"{root} is no memory controller")
        self._top.mkdir(exist_ok=True)
        # A trial: some systems show the files and refuse the writing.
        try:
            trial = self.make(64)
            if not trial.remove():
                raise OSError("a control group cannot be removed")
        except OSError:
            self.close()
            raise

    def make(self, memory_mib: int) -> Cell:
        self._count += 1
        place = str(self._top / str(self._count))
        os.mkdir(place)
        limit = str(memory_mib * _MIB)
        _put(f"{place}/memory.limit_in_bytes", limit)
        with suppress(OSError):  # kernels that do not account for swap have no such file
            _put(f"{place}/memory.memsw.limit_in_bytes", limit)
        return _Group(place, f"{place}/memory.oom_control")

    def close(self) -> None:
        _remove_all(self._top)


class GroupsV2:
    """Control groups, version 2.

    https://docs.kernel.org/admin-guide/cgroup-v2.html
    """

    kind = "cgroup"

    def __init__(self, name: str, root: Path = _V2) -> None:
        self._top = root / name
        self._count = 0
        if "memory" not in (root / "cgroup.controllers").read_text().split():
            raise OSError(f"{root} has no memory controller")
        self._top.mkdir(exist_ok=True)
        try:
            _put(str(self._top / "cgroup.subtree_control"), "+memory")
            trial = self.make(64)
            if not trial.remove():
                raise OSError("a control group cannot be removed")
        except OSError:
            self.close()
            raise

    def make(self, memory_mib: int) -> Cell:
        self._count += 1
        place = str(self._top / str(self._count))
        os.mkdir(place)
        _put(f"{place}/memory.max", str(memory_mib * _MIB))
        with suppress(OSError):
            _put(f"{place}/memory.swap.max", "0")
        with suppress(OSError):  # as in a container, whose other processes die with the first
            _put(f"{place}/memory.oom.group", "1")
        return _Group(place, f"{place}/memory.events")

    def close(self) -> None:
        _remove_all(self._top)


class _Group:
    def __init__(self, place: str, counters: str) -> None:
        self._place = place
        self._counters = counters

    @property
    def shell_prefix(self) -> str:
        return f"echo 0 > '{self._place}/cgroup.procs' && "

    def was_exceeded(self) -> bool:
        try:
            with open(self._counters) as file:
                counts = dict(line.split()[:2] for line in file if len(line.split()) >= 2)
        except OSError:
            return False
        return int(counts.get("oom_kill", "0")) > 0

    def remove(self) -> bool:
        try:
            os.rmdir(self._place)
        except FileNotFoundError:
            return True
        except OSError:
            _kill_members(self._place)
            return False
        return True


class Watches:
    """Without control groups: the size of a job's processes is looked at, many times a second.

    A limit of the kernel's on one process (RLIMIT_DATA) could not be told from a failure of
    the program, and would count memory that is reserved and never used.
    """

    kind = "watch"

    def make(self, memory_mib: int) -> Cell:
        return Watch(memory_mib)

    def close(self) -> None:
        """Nothing is held."""


class Watch:
    """The limit of one job, asked by whoever looks at its processes."""

    shell_prefix = ""

    def __init__(self, memory_mib: int) -> None:
        self._limit = memory_mib * _MIB
        self._is_over = False

    def look(self, size: int) -> bool:
        """Whether ``size`` bytes are too much."""
        self._is_over = self._is_over or size > self._limit
        return self._is_over

    def was_exceeded(self) -> bool:
        return self._is_over

    def remove(self) -> bool:
        return True


def sizes_by_group() -> dict[int, int]:
    """Bytes in memory of all processes, by process group; pages that are shared count once each."""
    page = os.sysconf("SC_PAGE_SIZE")
    sizes: dict[int, int] = {}
    for name in _pids():
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        # proc(5): the fields behind the name are state, ppid, pgrp, …; rss is the 22nd of them.
        group = int(fields[2])
        sizes[group] = sizes.get(group, 0) + int(fields[21]) * page
    return sizes


def kill_strays(job_id: str) -> None:
    """Kill processes that left a job's group: those that still have its id in their environment."""
    mark = f"AWS_BATCH_JOB_ID={job_id}".encode()
    for name in _pids():
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                is_its = mark in file.read().split(b"\0")
        except OSError:
            continue
        if is_its and int(name) != os.getpid():
            with suppress(OSError):
                os.kill(int(name), signal.SIGKILL)


def remove_groups(name: str) -> None:
    """What a process that ended without ``close`` left of the groups called ``name``."""
    for root in (_V1, _V2):
        _remove_all(root / name)


def _pids() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []


def _put(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _kill_members(place: str) -> None:
    with suppress(OSError):
        with open(f"{place}/cgroup.procs") as file:
            pids = [int(line) for line in file]
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _remove_all(top: Path, patience_s: float = 5.0) -> None:
    """Kill all that lives below ``top`` and remove it; gives up after ``patience_s``."""
    end = time.monotonic() + patience_s
    while top.exists():
        for place in [*filter(Path.is_dir, top.iterdir()), top]:
            with suppress(OSError):
                os.rmdir(place)
                continue
            _kill_members(str(place))
        if time.monotonic() > end:
            return
        if top.exists():
            time.sleep(0.005)
