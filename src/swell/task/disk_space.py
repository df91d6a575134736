"""Which disk an error means that says one is full, and how much is free there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LITTLE_MB = 16
"""A write without a path may have been to any disk that has less than this."""


def full_disk_error(error: BaseException) -> OSError | None:
    """The error in the chain behind ``error`` that says that space or quota ran out."""
    chain: BaseException | None = error
    seen: set[int] = set()
    while chain is not None and id(chain) not in seen:
        seen.add(id(chain))
        if isinstance(chain, OSError) and chain.errno in _FULL:
            return chain
        chain = chain.__cause__ or chain.__context__
    return None


def full_disk_words(error: OSError, usual_places: Sequence[str] = ()) -> str:
    """'/data has 0 MB free of 250,000 MB', for the path of ``error``, or where it has none
    for those of ``usual_places`` that are nearly full; "" where no disk looks full."""
    named = next((name for name in (error.filename2, error.filename) if name is not None), None)
    if isinstance(named, (str, bytes)):
        return "; ".join(_space(os.fsdecode(named), error.errno == errno.EDQUOT))
    found: dict[int, str] = {}
    for place in usual_places:
        try:
            device = os.stat(place).st_dev
            space = os.statvfs(place)
        except OSError:
            continue
        is_full = space.f_bavail * space.f_frsize < _LITTLE_MB * 10**6 or not space.f_favail
        if device not in found and (is_full or error.errno == errno.EDQUOT):
            found[device] = "; ".join(_space(place, error.errno == errno.EDQUOT))
    return "; ".join(found.values())


def look_at_disk(error: BaseException, store: str) -> str:
    """``full_disk_words`` of what lies behind ``error``, for a step whose store is there."""
    import tempfile

    full = full_disk_error(error)
    if full is None:
        return ""
    return full_disk_words(full, (os.getcwd(), tempfile.gettempdir(), "/dev/shm", store))


def advice(words: str) -> str:
    """What to do about it; ``words`` are those of ``full_disk_words``."""
    if "/dev/shm" in words:
        return "Free space in /dev/shm, or give it more: 'mount -o remount,size=8G /dev/shm'."
    return (
        "Free space where it writes, or write elsewhere: TMPDIR for temporary files, SWELL_ROOT "
        "for the store; a step elsewhere asks for it by @resources(disk=…)."
    )


def _space(path: str, is_quota: bool) -> Iterator[str]:
    place = os.path.abspath(path)
    while not os.path.exists(place) and place != os.path.dirname(place):
        place = os.path.dirname(place)
    try:
        space = os.statvfs(place)
    except OSError:
        return
    free_mb = space.f_bavail * space.f_frsize // 10**6
    size_mb = space.f_blocks * space.f_frsize // 10**6
    if is_quota:
        yield f"the quota of this user on the disk of {path} is used up"
    elif not space.f_favail and space.f_files:
        yield f"the disk of {path} has room for no more files ({space.f_files:,} there)"
    else:
        yield f"the disk of {path} has {free_mb:,} MB free of {size_mb:,} MB"
