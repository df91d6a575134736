"""Whether memory is short on this machine: by the time tasks wait for it, and by what is left.

The first is the kernel's pressure stall information:
https://docs.kernel.org/accounting/psi.html
"""

from __future__ import annotations

import msgspec

from swell.compute.cgroups import Cgroups
from swell.compute.machine import read_meminfo

SHORT_STALL_PERCENT, ENOUGH_STALL_PERCENT = 10.0, 1.0
"""Of the last ten seconds, the part in which nothing ran for want of memory."""
SHORT_LEFT, ENOUGH_LEFT = 0.04, 0.08
"""What is left, as a part of what there is."""
_HOST_PRESSURE = "/proc/pressure/memory"


class MemoryState(msgspec.Struct, frozen=True):
    """``stall_percent`` as above, ``left`` of ``total`` bytes; None: not known."""

    stall_percent: float | None = None
    left: int | None = None
    total: int | None = None


def shortage(state: MemoryState, *, was_short: bool) -> str:
    """In words that memory is short; '' where it is not.

    Once short, it is so until clearly more is there, so that nobody flickers.
    """
    stall, part = (
        (ENOUGH_STALL_PERCENT, ENOUGH_LEFT) if was_short else (SHORT_STALL_PERCENT, SHORT_LEFT)
    )
    if state.left is not None and state.total and state.left < part * state.total:
        return f"{state.left >> 20:,} of {state.total >> 20:,} MB are left"
    if state.stall_percent is not None and state.stall_percent >= stall:
        return f"programs wait for memory {state.stall_percent:.0f} % of the time"
    return ""


class MemoryWatch:
    """Reads the state of memory, within this process's groups, and remembers if it was short."""

    def __init__(self, root: str = "/") -> None:
        self._cgroups = Cgroups(root)
        is_bounded = bool(self._cgroups.memory_bounds())
        self._pressure = self._cgroups.pressure_file() or ("" if is_bounded else _HOST_PRESSURE)
        self._was_short = False

    def look(self) -> str:
        """In words that memory is short; '' where it is not."""
        told = shortage(self.state(), was_short=self._was_short)
        self._was_short = bool(told)
        return told

    def state(self) -> MemoryState:
        """What the kernel says now; of several limits the nearest."""
        meminfo = read_meminfo(self._cgroups.read("/proc/meminfo"))
        found = [
            (max(0, bound.limit - bound.held), bound.limit)
            for bound in self._cgroups.memory_bounds()
        ]
        if "MemAvailable" in meminfo and "MemTotal" in meminfo:
            found.append((meminfo["MemAvailable"], meminfo["MemTotal"]))
        left, total = min(found, key=lambda one: one[0] / max(one[1], 1), default=(None, None))
        return MemoryState(self._stall_percent(), left, total)

    def _stall_percent(self) -> float | None:
        if not self._pressure:
            return None
        for line in self._cgroups.read(self._pressure).splitlines():
            kind, *fields = line.split()
            if kind == "full":
                values = dict(field.split("=") for field in fields)
                return float(values["avg10"])
        return None
