"""The driver's ends of a keeper, and how one is started."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from swell.compute.life import LifeTable
from swell.errors import ComputeError


class KeeperLink(msgspec.Struct):
    """The driver's ends of a keeper that runs: sockets, life table, process id."""

    control: socket.socket
    lanes: socket.socket
    life: LifeTable
    pid: int


class KeeperEnds(NamedTuple):
    """What a keeper is started with; ``driver_ends`` must not stay open in it."""

    control: socket.socket
    lanes: socket.socket
    life: LifeTable
    driver_ends: tuple[socket.socket, socket.socket]


def open_link(spawn: Callable[[KeeperEnds], int]) -> KeeperLink:
    """Make the sockets and the life table, and let ``spawn`` start the keeper; it gives its pid.

    Raises ComputeError when no process can be started.
    """
    control, keeper_control = socket.socketpair()
    lanes, keeper_lanes = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    life = LifeTable.create()
    try:
        pid = spawn(KeeperEnds(keeper_control, keeper_lanes, life, (control, lanes)))
    except OSError as error:
        raise ComputeError(
            f"No process can be started here: {error.strerror}.",
            remedy="Look at the limits on processes and memory (ulimit -a).",
        ) from error
    keeper_control.close()
    keeper_lanes.close()
    return KeeperLink(control=control, lanes=lanes, life=life, pid=pid)


def spawn_cold_keeper(ends: KeeperEnds, *, attempt_variable: str) -> int:
    """Start a keeper by exec, which starts fresh interpreters only; its pid."""
    import subprocess

    fds = (ends.control.fileno(), ends.lanes.fileno(), ends.life.fileno())
    call = f"serve_cold({', '.join(map(str, fds))}, {attempt_variable!r})"
    keeper = subprocess.Popen(
        [sys.executable, "-c", f"from swell.compute.keeper import serve_cold; {call}"],
        pass_fds=fds,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
    )
    keeper.returncode = 0  # reaped by LocalBackend, which knows it by its pid
    return keeper.pid
