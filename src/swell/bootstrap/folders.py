"""Where an attempt keeps its files on the machine it runs on."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping


def temporary_folder(environ: Mapping[str, str]) -> str:
    """The folder for temporary files, as an absolute path."""
    return os.path.abspath(environ.get("TMPDIR") or "/tmp")


def cache_folder(environ: Mapping[str, str]) -> str:
    """Where packages stay for the next attempt; made if need be.

    SWELL_LAYER_CACHE where that can be written, else a folder that belongs to this user
    alone. Raises OSError where neither can be had.
    """
    chosen = environ.get("SWELL_LAYER_CACHE")
    if chosen and _can_be_used(chosen):
        return os.path.abspath(chosen)
    path = os.path.join(temporary_folder(environ), f"swell-cache-{os.getuid()}")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(errno.EACCES, "belongs to somebody else", path) from None
    return path


def _can_be_used(path: str) -> bool:
    try:
        os.makedirs(path, exist_ok=True)
    except OSError:
        return False
    return os.access(path, os.W_OK | os.X_OK)


def put_whole(path: str, data: bytes) -> None:
    """Write a file such that nobody ever sees a part of it."""
    aside = name_aside(path)
    with open(aside, "wb") as file:
        file.write(data)
    os.rename(aside, path)


def name_aside(path: str) -> str:
    """A name beside ``path`` that nobody else uses, for a rename to ``path``."""
    return f"{path}.{os.getpid()}-{os.urandom(6).hex()}"
