"""Whether the driver of a run that has no end still works."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from swell.model.facts import RunFact, RunStatus

SILENCE_S = 60.0
"""A driver on another machine that was silent for so long is gone; it gives a sign of life
every 10 s."""
_CLOCK_SLACK_S = 2.0
"""A process that began later than the last sign of life by more than this is another one of
that number."""

StartOf = Callable[[int], float | None]
"""When the process of a number began, in Unix seconds; None where there is no such process."""


def is_lost(
    run: RunFact,
    *,
    now: float | None = None,
    host: str | None = None,
    start_of: StartOf | None = None,
) -> bool:
    """The run is stored as running, and nobody drives it: its driver was killed.

    On this machine the process is looked at, on another one the age of the last sign of life.
    """
    if run.status is not RunStatus.RUNNING:
        return False
    last_sign = max(run.created_at, run.heartbeat_at or 0.0)
    if run.pid and run.host == (os.uname().nodename if host is None else host):
        began_at = (start_of or process_start)(run.pid)
        return began_at is None or began_at > last_sign + _CLOCK_SLACK_S
    return (time.time() if now is None else now) - last_sign > SILENCE_S


def process_start(pid: int) -> float | None:
    """When process ``pid`` of this machine began; 0 where only its existence is known."""
    if sys.platform != "linux":
        return _exists(pid)
    # proc(5): the state and the start time, in ticks after boot, are the 3rd and the 22nd
    # field; the 2nd, a name in brackets, may hold blanks.
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        with open("/proc/stat", encoding="utf-8") as system:
            boot = next(line for line in system if line.startswith("btime "))
    except (OSError, StopIteration):
        return None
    if fields[0] in "ZX":
        return None
    return int(boot.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _exists(pid: int) -> float | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0.0
    return 0.0
