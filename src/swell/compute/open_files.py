"""Flushes files that a process is about to leave open, as an interpreter's end would do."""

from __future__ import annotations

import _io
import fcntl
import gc
import io
import os
import stat
import sys
from typing import Any

_READ_ONLY = frozenset({_io.BytesIO, _io.StringIO, _io.FileIO, _io.BufferedReader})

# Text may be wrapped around a class written in Python (gzip), and that around bytes.
_TEXT, _PYTHON, _BYTES = range(3)


def writable_files() -> list[Any]:
    """Files that Python buffers for writing, outer layers before the ones they write to.

    After ``gc.freeze`` these are only the ones made since. Looks at every object: ask
    ``may_have_files_to_flush`` first where there are many.
    """
    file_type = _io._IOBase
    found: list[Any] = []
    for thing in gc.get_objects():
        kind = type(thing)
        if issubclass(kind, file_type) and kind not in _READ_ONLY:
            found.append(thing)
    found.sort(key=_layer)
    return found


def flush_files(files: list[Any]) -> None:
    """Flush ``files``, and close those that write an end, such as ``GzipFile``.

    What cannot be written is lost without a word, as at an interpreter's end.
    """
    for file in files:
        try:
            if _layer(file) == _PYTHON and file is not sys.stdout and file is not sys.stderr:
                file.close()
            else:
                file.flush()
        except Exception:  # a file may be of any class, and raise anything
            continue


def flush_streams() -> None:
    """Flush standard output and error; a pipe that nobody reads any more is no error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue


def _layer(file: Any) -> int:
    kind = type(file)
    if issubclass(kind, io.TextIOWrapper):
        return _TEXT
    return _BYTES if kind.__module__ == "_io" else _PYTHON


def may_have_files_to_flush() -> bool:
    """Whether a file on disk is open for writing, besides the standard streams."""
    for name in os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"):
        number = int(name)
        if number <= 2:
            continue
        try:
            status = os.fstat(number)
            # A memory file has no link: it is swell's own.
            if stat.S_ISREG(status.st_mode) and status.st_nlink:
                mode = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE
                if mode != os.O_RDONLY:
                    return True
        except OSError:
            continue  # the descriptor of the listing itself
    return False
