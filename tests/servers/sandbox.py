"""The sandbox for tests: one that all workers of a session share, or one of a test's own."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swell.errors import UsageError
from swell.sandbox.launching import Started, ask, start
from swell.sandbox.place import Running, SandboxFolder, Wanted, variables_for

VCPUS = 32
"""So many jobs of one vCPU at a time: they wait more than they compute."""


class Sandbox:
    """One that is up."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.folder = Path(running.folder)

    @property
    def variables(self) -> dict[str, str]:
        """What a flow needs to run in it, and to look at it often."""
        credentials = SandboxFolder(self.folder).credentials
        return {
            **variables_for(self.running, credentials),
            "SWELL_REMOTE_POLL_S": "0.1",
        }

    def chaos(self, **faults: object) -> None:
        """Break something; see ``swell sandbox chaos``."""
        ask(self.running, "chaos", dict(faults))


class Unavailable(Exception):
    """No sandbox can be had here; says why."""


def _started(folder: Path, runner: str = "process", vcpus: int = VCPUS) -> Started:
    wanted = Wanted(
        folder=str(folder),
        home=str(folder / "home"),
        vcpus=vcpus,
        ends_with_stdin=True,
        runner=runner,
    )
    try:
        return start(wanted)
    except UsageError as why:
        raise Unavailable(str(why)) from why


@contextmanager
def own_sandbox(folder: Path, **how: Any) -> Iterator[Sandbox]:
    """One that ends with the block. Raises Unavailable."""
    started = _started(folder, **how)
    assert started.stdin is not None
    with started.stdin:
        yield Sandbox(started.running)


@contextmanager
def shared_sandbox(folder: Path) -> Iterator[Sandbox]:
    """The one of all processes that name ``folder``, started by the first of them.

    It ends when its standard input does. All of them hold the writing end of that pipe, so
    it ends with the last of them, however that one ends. Raises Unavailable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "one-at-a-time", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        holder = folder / "holder"
        running = None
        if holder.exists():
            place, pipe = holder.read_text().split("\n")
            running = SandboxFolder(Path(place)).running()
        if running is not None:
            held = open(pipe, "wb")  # noqa: SIM115  # closed below
        else:
            place = str(folder / str(os.getpid()))
            started = _started(Path(place))
            assert started.stdin is not None
            running, held = started.running, started.stdin
            holder.write_text(f"{place}\n/proc/{os.getpid()}/fd/{held.fileno()}")
    with held:
        yield Sandbox(running)
