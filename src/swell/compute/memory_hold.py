"""Holds the attempts of one keeper to the memory they declared, and says how that ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from swell.compute.given import Given
from swell.compute.memory_groups import MemoryGroup, MemoryGroups, open_memory_groups
from swell.model.record import Usage


class MemoryHold:
    """Opens control groups when the first attempt with a limit comes: without one it costs
    nothing."""

    def __init__(self, open_groups: Callable[[], MemoryGroups | None] = open_memory_groups) -> None:
        self._open_groups = open_groups
        self._groups: MemoryGroups | None = None
        self._is_open = False

    def begin(self, given: Given, shared_mb: float) -> MemoryGroup | None:
        """A group for an attempt; None where it has no limit or no group can be made, and it has
        to limit itself.

        ``shared_mb`` of what it may hold it has from the keeper, to which those pages count.
        """
        if given.memory_mb is None:
            return None
        if not self._is_open:
            self._groups, self._is_open = self._open_groups(), True
        if self._groups is not None:
            with suppress(OSError):
                return self._groups.make(given.memory_mb - shared_mb)
        return None

    def end(self, group: MemoryGroup) -> None:
        """Its attempt's process is gone: end all that it left, and take the group away."""
        assert self._groups is not None, "a group was ended before one was made"
        self._groups.release(group)

    def close(self) -> None:
        """Take away what is left. All attempts have ended."""
        if self._groups is not None:
            self._groups.close()


def usage_in_group(usage: Usage, group: MemoryGroup, oom_kills: int) -> Usage:
    """``usage`` of an attempt's process, with what its group has counted: all its processes at
    once.

    Pages of files that are left when the processes are gone could have been given back. Not so
    where the kernel killed for want of memory: it had taken them back before.
    """
    peak_mb = group.peak_mb()
    if peak_mb is None or usage.added_mb is None or usage.peak_memory_mb is None:
        return usage
    if not oom_kills:
        peak_mb -= group.left_mb()
    more_mb = max(0.0, peak_mb - usage.added_mb)
    if not more_mb:
        return usage
    return replace(
        usage,
        peak_memory_mb=round(usage.peak_memory_mb + more_mb, 1),
        added_mb=round(usage.added_mb + more_mb, 1),
        how=usage.how.replace("largest process", "control group"),
    )
