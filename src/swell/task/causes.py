"""The cause that an exception of a step stands for; pure."""

from __future__ import annotations

import errno

from swell.errors import TimeoutException
from swell.model.cause import Cause
from swell.task.disk_space import full_disk_error


def cause_of(error: BaseException) -> Cause:
    """The cause that an exception of a step stands for."""
    if isinstance(error, TimeoutException):
        return Cause.TIMEOUT
    if isinstance(error, MemoryError):
        return Cause.OUT_OF_MEMORY
    if isinstance(error, SystemExit):
        return Cause.EXIT
    if full_disk_error(error) is not None:
        return Cause.DISK_FULL
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return Cause.OUT_OF_MEMORY
    if isinstance(error.__cause__, MemoryError):
        return Cause.OUT_OF_MEMORY
    return Cause.USER_ERROR
