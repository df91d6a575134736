"""Whether the kernel killed for want of memory: a counter, and its log after a death."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

_OWN_PID_NAMESPACE = "/proc/self/ns/pid"
_FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""Its number on every machine: PROC_PID_INIT_INO, include/linux/proc_ns.h."""
_VICTIM = re.compile(r"Killed process (\d+)\b")
_RECORD_BYTES = 8192
_MOST_RECORDS = 100_000


class OomCounter:
    """Kills in the control group of this process, or on the machine where that is not told.

    The file stays open: one system call a look.
    """

    def __init__(self, root: str = "/") -> None:
        self._fd = -1
        for path in _counters(root):
            try:
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            self._fd = fd
            if self.count() is not None:
                return
            self.close()

    def count(self) -> int | None:
        """How many so far; None where no counter can be read."""
        if self._fd < 0:
            return None
        try:
            text = os.pread(self._fd, 1 << 16, 0)
        except OSError:
            return None
        found = re.search(rb"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else None

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _counters(root: str) -> Iterator[str]:
    from swell.bootstrap.usage import MemoryGroup

    root = root.rstrip("/")
    group = MemoryGroup(f"{root}/proc/self/cgroup", f"{root}/sys/fs/cgroup")
    yield from group.counters()
    yield f"{root}/proc/vmstat"


def is_oom_victim(
    pid: int, since_s: float, log: str = "/dev/kmsg", namespace: str = _OWN_PID_NAMESPACE
) -> bool | None:
    """Whether the kernel's log says that it killed ``pid`` for want of memory; None where the
    log cannot be read or tells of other numbers than this process sees.

    Records before ``since_s`` (seconds since the machine started) are of another process with
    that number.
    """
    try:
        if os.stat(namespace).st_ino != _FIRST_PID_NAMESPACE:
            return None
        fd = os.open(log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return any(victim == pid for victim in _victims(fd, since_s))
    except OSError:
        return None
    finally:
        os.close(fd)


def _victims(fd: int, since_s: float) -> Iterator[int]:
    for _ in range(_MOST_RECORDS):
        try:
            record = os.read(fd, _RECORD_BYTES)
        except BlockingIOError:
            return
        except BrokenPipeError:
            continue  # overwritten while it was read: the next read goes on behind it
        if not record:
            return
        yield from victims_in(record.decode(errors="replace"), since_s)


def victims_in(records: str, since_s: float) -> list[int]:
    """Process ids in records of /dev/kmsg ('priority,number,microseconds,…;text' a line).

    https://docs.kernel.org/admin-guide/abi-testing.html (/dev/kmsg)
    """
    found = []
    for line in records.splitlines():
        head, _, text = line.partition(";")
        victim = _VICTIM.search(text)
        parts = head.split(",")
        if victim is None or len(parts) < 3 or not parts[2].isdecimal():
            continue
        if int(parts[2]) / 1e6 >= since_s:
            found.append(int(victim[1]))
    return found
