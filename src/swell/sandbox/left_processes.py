"""Ends what a sandbox left that was killed together with its guard: its servers, its jobs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from swell.errors import ComputeError

NOTE = ".process"
"""How files end that say which process a server is."""
_GONE_S = 20.0
_POLL_S = 0.01


class _Noted(msgspec.Struct, frozen=True):
    """A process; ``began_at`` in the kernel's own count: with the pid it names one alone."""

    pid: int
    began_at: str


def note_process(note: Path, pid: int) -> None:
    """Write down that a server is the process ``pid``, for who starts it next in its place."""
    note.write_bytes(msgspec.json.encode(_Noted(pid, _began_at(pid))))


def end_left(folder: Path) -> None:
    """Kill what an earlier sandbox of ``folder`` left, and return when it is gone.

    Only processes whose pid and time of start were noted, and those with a variable that
    leads into a job's folder there. Raises ComputeError when one does not go.
    """
    for note in folder.glob(f"*/*{NOTE}"):
        end_noted(note)
    left = f"{folder / 'work' / 'jobs'}/".encode()
    _end(lambda: _working_in(left))


def end_noted(note: Path) -> None:
    """Kill the process that ``note`` names, if it is still that one. Raises ComputeError."""
    try:
        noted = msgspec.json.decode(note.read_bytes(), type=_Noted)
    except (OSError, msgspec.MsgspecError):
        return
    _end(lambda: iter([noted.pid] if noted.began_at and _is(noted) else []))
    note.unlink(missing_ok=True)


def _is(noted: _Noted) -> bool:
    return _began_at(noted.pid) == noted.began_at


def _end(found: Callable[[], Iterator[int]]) -> None:
    deadline = time.monotonic() + _GONE_S
    while pids := list(found()):
        for pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ComputeError(
                f"Process {pids[0]} of an earlier sandbox cannot be ended.",
                remedy=f"It is another user's, or waits for a disk: 'ps -p {pids[0]}' says.",
            )
        time.sleep(_POLL_S)


def _working_in(place: bytes) -> Iterator[int]:
    """Processes with a variable that leads below ``place``; none where there is no /proc."""
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if not name.isdecimal() or int(name) == os.getpid():
                continue
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                if any(place == one.partition(b"=")[2][: len(place)]
                       for one in file.read().split(b"\0")):  # fmt: skip
                    yield int(name)


def _began_at(pid: int) -> str:
    """See proc(5), stat, field 22; "" where there is no such process, or it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return ""
    # One that nobody has waited for yet runs no more; but where other threads than the first
    # are still ending, its files are open and locked.
    has_ended = fields[0] in (b"Z", b"X") and threads < 2
    return "" if has_ended else fields[19].decode()
