"""Errors of the file system in swell's words: cause, path, remedy."""

from __future__ import annotations

import errno
import os

from swell.errors import StoreError, StoreFull

_FULL = {
    errno.ENOSPC: "no space is left on that disk",
    errno.EDQUOT: "the disk quota of this user is used up",
    errno.EFBIG: "the file is larger than that file system or this user's limit allows",
}
_CAUSES = {
    errno.EACCES: ("permission denied", "Give this user access to it, or choose another store."),
    errno.EPERM: ("not permitted", "Give this user access to it, or choose another store."),
    errno.EROFS: (
        "that file system is read-only",
        "Mount it writable, or choose another store with SWELL_ROOT.",
    ),
    errno.ENOTDIR: (
        "a part of that path is a file, not a folder",
        "Move that file away, or choose another store.",
    ),
    errno.EMFILE: (
        "this process has too many files open",
        "Raise the limit with 'ulimit -n', or close files in the script.",
    ),
}
_PASSING = {errno.EIO, errno.ESTALE, errno.EAGAIN, errno.ETIMEDOUT, errno.ENETDOWN}


def store_error(error: OSError, doing: str, path: str) -> StoreError:
    """A StoreError for ``error``, which came while ``doing`` ('writing') something to ``path``.

    StoreFull where space or quota ran out; ``retryable`` where the device may come back.
    """
    code = error.errno or 0
    if code in _FULL:
        return StoreFull(
            f"{doing.capitalize()} '{path}' failed: {_FULL[code]}.",
            remedy="Free some space there, or put the store on a larger disk.",
        )
    words = (os.strerror(code).lower() if code else str(error), "Look at the disk and try again.")
    cause, remedy = _CAUSES.get(code, words)
    mapped = StoreError(f"{doing.capitalize()} '{path}' failed: {cause}.", remedy=remedy)
    mapped.retryable = code in _PASSING
    return mapped
