"""A server that is a process of its own: started, waited for, ended by its own id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from swell.errors import ComputeError
from swell.sandbox.guard import prepare_to_die_with_parent
from swell.sandbox.left_processes import NOTE, end_noted, note_process

_READY_S = 60.0
_STOP_S = 10.0
_POLL_S = 0.02


class ServerProcess:
    """One server and the file that takes what it prints."""

    def __init__(self, name: str, log: Path) -> None:
        self._name = name
        self._log = log
        self._note = log.with_suffix(NOTE)
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, command: Sequence[str]) -> None:
        """Start it, in a group of its own, and do not wait; it ends with the calling thread.

        One that was left in its place is ended before. Raises ComputeError.
        """
        end_noted(self._note)
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # `python -m` looks for modules in the working directory first.
                cwd=self._log.parent,
                start_new_session=True,
                preexec_fn=prepare_to_die_with_parent(),
            )
        note_process(self._note, self.process.pid)

    def wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Return when ``is_ready``. Raises ComputeError when it ends or takes a minute."""
        end = time.monotonic() + _READY_S
        while not is_ready():
            assert self.process is not None
            has_ended = self.process.poll() is not None
            if has_ended or time.monotonic() > end:
                self.kill()
                what = "ended at once" if has_ended else "did not answer within a minute"
                raise ComputeError(
                    f"{self._name} {what}. Its last words:\n{self._last_words()}",
                    remedy=f"All it said is in {self._log}.",
                )
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """SIGKILL, at once."""
        if self.process is not None and self.process.poll() is None:
            with suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=_STOP_S)
        self._note.unlink(missing_ok=True)

    def _last_words(self) -> str:
        try:
            return self._log.read_text(errors="replace")[-1000:].strip()
        except OSError:
            return ""


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def takes_connections(port: int) -> bool:
    """Whether something listens on ``port`` of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
