"""The cause that an exception of a step stands for; pure."""

from __future__ import annotations

import errno

from swell.errors import TimeoutException
from swell.model.cause import Cause


def cause_of(error: BaseException) -> Cause:
    """The cause that an exception of a step stands for."""
    if isinstance(error, TimeoutException):
        return Cause.TIMEOUT
    if isinstance(error, MemoryError):
        return Cause.OUT_OF_MEMORY
    if isinstance(error, SystemExit):
        return Cause.EXIT
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.errno in (errno.ENOSPC, errno.EDQUOT):
            return Cause.DISK_FULL
        chain = chain.__cause__ or chain.__context__
    return Cause.USER_ERROR
