"""What the machine wants done; whoever drives it does so, in order."""

from __future__ import annotations

import msgspec

from swell.sandbox.jobs import JobSpec


class StartJob(msgspec.Struct, frozen=True):
    """Begin an attempt."""

    spec: JobSpec


class StopJob(msgspec.Struct, frozen=True):
    """SIGTERM, then SIGKILL after ``grace_s``."""

    job_id: str
    attempt: int
    grace_s: float


class KillJob(msgspec.Struct, frozen=True):
    """SIGKILL at once."""

    job_id: str
    attempt: int


class AnnounceLoss(msgspec.Struct, frozen=True):
    """An instance will be reclaimed at ``at`` (Unix seconds): the Spot notice."""

    host: str
    at: float


Command = StartJob | StopJob | KillJob | AnnounceLoss
