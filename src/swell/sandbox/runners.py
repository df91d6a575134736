"""What runners of every kind share: how they know an attempt and tell its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from swell.sandbox.jobs import JobEnd, JobSpec

_LOG = logging.getLogger(__name__)

CANNOT_START = "CannotStartContainerError: Error response from daemon: "
"""How ``JobEnd.reason`` begins where the image is there and its program cannot be run."""
STOPPING = "DockerStateError: the engine is stopping"
"""``JobEnd.reason`` of what is asked for while the runner closes."""

OnEnd = Callable[[JobEnd], None]
Surroundings = Callable[[JobSpec], Mapping[str, str]]
"""The variables that the sandbox adds to an attempt's own."""


class AttemptKey(NamedTuple):
    """Which attempt; see JobSpec."""

    job_id: str
    attempt: int


class NotStarted(Exception):
    """There will be no process; the text is the container's reason."""


def never_began(reason: str) -> JobEnd:
    """The end, just now, of an attempt without a process."""
    return JobEnd(exit_code=None, reason=reason, stopped_at=time.time())


def tell(on_end: OnEnd, end: JobEnd) -> None:
    """Hand ``end`` over. What the consumer does wrong stops no other job."""
    try:
        on_end(end)
    except Exception:
        _LOG.exception("the end of a job was not taken: %s", end)
