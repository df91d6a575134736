"""The control groups this process is in: their limits and what they hold, of version 1 and 2.

A limit may stand at the group itself or at any group above it. Which files there are:
https://docs.kernel.org/admin-guide/cgroup-v2.html and …/cgroup-v1/memory.html.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_NO_LIMIT_FROM = 1 << 60
"""Version 1 says 'no limit' by a number near 2^63."""

_MEMORY_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    2: ("memory.max", "memory.current"),
}
_TAKEN_BACK = {
    1: ("total_inactive_file", "total_active_file"),
    2: ("inactive_file", "active_file", "slab_reclaimable"),
}


class MemoryBound(NamedTuple):
    """A group's limit and what is held of it, in bytes; what the kernel can take back at any
    time (pages of files, its own caches) does not count."""

    limit: int
    held: int


class Cgroups:
    """Reads below ``root``, '/' but in tests; groups that cannot be read set no limit."""

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._memory: list[_Branch] = []
        self._cpu: list[_Branch] = []
        paths = dict(self._own_paths())
        for kind, mount_root, folder, controllers in self._mounts():
            if kind == "cgroup2":
                branch = _branch(2, folder, mount_root, paths.get("", "/"))
                self._memory.append(branch)
                self._cpu.append(branch)
                continue
            for name, found in (("memory", self._memory), ("cpu", self._cpu)):
                if name in controllers and name in paths:
                    found.append(_branch(1, folder, mount_root, paths[name]))

    def memory_bounds(self) -> list[MemoryBound]:
        """Every limit that holds for this process."""
        found = (self._memory_bound(*group) for group in _groups(self._memory))
        return [bound for bound in found if bound is not None]

    def cpu_quota(self) -> float | None:
        """Cores' worth of time allowed; None for no limit."""
        quotas = (self._cpu_quota(*group) for group in _groups(self._cpu))
        return min((quota for quota in quotas if quota is not None), default=None)

    def pressure_file(self) -> str | None:
        """Where the nearest group with a limit tells how long tasks wait for memory; None
        where no group has one or tells."""
        for version, folder in _groups(self._memory):
            path = f"{folder}/memory.pressure"
            if version == 2 and self._memory_bound(version, folder) and self.read(path):
                return path
        return None

    def memory_groups(self, most: int) -> Iterator[tuple[int, str]]:
        """(version, folder) of this process's own group and of those above it, ``most`` at each
        version, as paths that can be opened."""
        for version, folders in self._memory:
            for folder in folders[:most]:
                yield version, os.path.join(self._root, folder.lstrip("/"))

    def read(self, path: str) -> str:
        """The text of a file, '' where there is none to read."""
        try:
            with open(os.path.join(self._root, path.lstrip("/")), encoding="utf-8") as file:
                return file.read()
        except (OSError, ValueError):
            return ""

    def _own_paths(self) -> Iterator[tuple[str, str]]:
        """(controller, path of the group); '' is version 2."""
        for line in self.read("/proc/self/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                yield controller, path

    def _mounts(self) -> Iterator[tuple[str, str, str, list[str]]]:
        """(kind, root within the hierarchy, where it is mounted, options of the hierarchy)."""
        for line in self.read("/proc/self/mountinfo").splitlines():
            before, _, after = line.partition(" - ")
            fields, (kind, *more) = before.split(), after.split()
            if kind in ("cgroup", "cgroup2"):
                yield kind, fields[3], fields[4], more[-1].split(",")

    def _memory_bound(self, version: int, folder: str) -> MemoryBound | None:
        limit_file, held_file = _MEMORY_FILES[version]
        limit = _number(self.read(f"{folder}/{limit_file}"))
        if limit is None or limit >= _NO_LIMIT_FROM:
            return None
        held = _number(self.read(f"{folder}/{held_file}")) or 0
        for line in self.read(f"{folder}/memory.stat").splitlines():
            name, _, value = line.partition(" ")
            if name in _TAKEN_BACK[version]:
                held -= _number(value) or 0
        return MemoryBound(limit, max(0, held))

    def _cpu_quota(self, version: int, folder: str) -> float | None:
        if version == 2:
            quota, _, period = self.read(f"{folder}/cpu.max").partition(" ")
        else:
            quota = self.read(f"{folder}/cpu.cfs_quota_us")
            period = self.read(f"{folder}/cpu.cfs_period_us")
        allowed, every = _number(quota), _number(period)
        return allowed / every if allowed and every else None


class _Branch(NamedTuple):
    """A group's folder and those above it, nearest first, in a hierarchy of one version."""

    version: int
    folders: Sequence[str]


def _branch(version: int, mounted_at: str, mount_root: str, path: str) -> _Branch:
    # In a container the mount may begin at the group itself.
    below = path[len(mount_root.rstrip("/")) :] if path.startswith(mount_root) else ""
    parts = [part for part in below.split("/") if part]
    if ".." in parts:
        parts = []
    counts = range(len(parts), -1, -1)
    return _Branch(version, ["/".join([mounted_at, *parts[:count]]) for count in counts])


def _groups(branches: Sequence[_Branch]) -> Iterator[tuple[int, str]]:
    return ((branch.version, folder) for branch in branches for folder in branch.folders)


def _number(text: str) -> int | None:
    """None for 'max', '-1' and what is no number."""
    text = text.strip()
    return int(text) if text.isdecimal() else None
