"""One attempt, or a pack of them, that is with the keeper; and what its end gives evidence of."""

from __future__ import annotations

import os
import signal

import msgspec

from swell.compute.channel import Ended
from swell.compute.lanes import DriverLane
from swell.compute.oom_watch import is_oom_victim
from swell.compute.pack_in_flight import PackInFlight
from swell.model.cause import Evidence
from swell.model.job import Launch

_CLOCKS_APART_S = 5.0
"""The kernel stamps its log by a clock of its own."""


class Flight(msgspec.Struct):
    """One attempt that was handed to the keeper, or a pack of them; then ``launch`` is the
    first member's.

    ``begun_at`` is in Unix seconds, ``begun_s`` by the monotonic clock; ``oom_kills`` is what the
    machine's counter of kills for memory stood at when it began.
    """

    launch: Launch
    lane: DriverLane
    begun_at: float
    fresh: bool
    pid: int | None = None
    ended_by: str | None = None
    kill_at: float | None = None
    begun_s: float = 0.0
    oom_kills: int | None = None
    pack: PackInFlight | None = None


def evidence_of(ended: Ended, flight: Flight, oom_kills: int | None) -> Evidence:
    """What is known of how ``flight`` ended; ``oom_kills`` is what the counter stands at now."""
    status = ended.status
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    before = flight.oom_kills
    was_victim = None
    if number == signal.SIGKILL and flight.ended_by is None and not ended.oom_kills:
        was_victim = is_oom_victim(ended.pid, flight.begun_s - _CLOCKS_APART_S)
    return Evidence(
        exit_code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        signal=number,
        ended_by=flight.ended_by,
        oom_kills=ended.oom_kills,
        oom_kills_around=None if before is None or oom_kills is None else oom_kills - before,
        was_oom_victim=was_victim,
        memory_limit_mb=ended.usage.memory_limit_mb,
        peak_memory_mb=ended.usage.peak_memory_mb,
        time_limit_s=flight.launch.timeout_s,
    )
