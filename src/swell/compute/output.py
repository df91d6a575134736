"""What tasks print, on its way from a backend to whoever stores it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from swell.model.job import Launch


class TaskOutput(NamedTuple):
    """Bytes of a task's ``stream`` ('stdout' or 'stderr') as they were read."""

    launch: Launch
    pid: int | None
    stream: str
    data: bytes
    at: float


OutputSink = Callable[[TaskOutput], None]
"""Called from the backend's thread."""
