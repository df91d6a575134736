"""Starts and ends the sandbox's process from another one, and asks it things."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any

import msgspec

from swell.errors import CommandException, ComputeError, UsageError
from swell.sandbox.left_processes import end_left
from swell.sandbox.place import Report, Running, SandboxFolder, Wanted

_NEEDED = ("botocore", "moto", "flask", "flask_cors", "obstore")
_END_S = 60.0
_POLL_S = 0.02


class Started:
    """A sandbox that this process started; ``stdin`` is its standard input, if it asked for one."""

    def __init__(self, running: Running, stdin: IO[bytes] | None) -> None:
        self.running = running
        self.stdin = stdin


def start(wanted: Wanted) -> Started:
    """Start a sandbox and return when all of it is ready.

    Raises UsageError without the packages it needs, ComputeError where it does not start.
    """
    missing = [name for name in _NEEDED if not _is_there(name)]
    if missing:
        raise UsageError(
            f"The sandbox needs packages that are not installed: {', '.join(missing)}.",
            remedy="Install them: pip install 'swell[sandbox]'.",
        )
    folder = SandboxFolder(Path(wanted.folder))
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    reading, writing = os.pipe()
    with open(folder.log, "wb") as log, open(reading, "rb") as answer:
        process = subprocess.Popen(
            [sys.executable, "-m", "swell.sandbox.supervisor",
             msgspec.json.encode(wanted).decode(), str(writing)],
            stdin=subprocess.PIPE if wanted.ends_with_stdin else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            start_new_session=True,
        )  # fmt: skip
        os.close(writing)
        told = answer.readline()
    if not told:
        process.wait()
        raise ComputeError(
            f"The sandbox ended before it was up:\n{_tail(folder.log)}",
            remedy=f"All it said is in {folder.log}.",
        )
    report = msgspec.json.decode(told, type=Report)
    if report.running is None:
        process.wait()
        raise ComputeError(report.failure, remedy=report.remedy)
    # It goes on without us: nobody need wait for it here.
    process.returncode = 0
    return Started(report.running, process.stdin)


def end(folder: SandboxFolder) -> bool:
    """End the sandbox of ``folder`` and all that belongs to it; False where none is up.

    What one left that was killed is ended too.

    Raises ComputeError when it is still there after a minute.
    """
    pid = folder.holder()
    if pid is None:
        end_left(folder.path)
        return False
    if pid:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass  # its child is still taking things down
    wait_until_down(folder)
    return True


def wait_until_down(folder: SandboxFolder) -> None:
    """Return when nothing of it is left. Raises ComputeError after a minute."""
    deadline = time.monotonic() + _END_S
    while (pid := folder.holder()) is not None:
        if time.monotonic() > deadline:
            raise ComputeError(
                f"The sandbox (process {pid}) has not ended within a minute.",
                remedy=f"Look at {folder.log}; 'kill -9 {pid}' ends it and all it started.",
            )
        time.sleep(_POLL_S)


def ask(running: Running, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the sandbox about itself. Raises UsageError when it refuses, with its sentence."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{running.batch_url}/_sandbox/{path}", data=data)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            message = json.loads(refused.read() or b"{}").get("message", refused.reason)
        raise UsageError(f"The sandbox refuses: {message}.") from refused
    except (OSError, http.client.HTTPException) as error:
        raise CommandException(
            f"The sandbox does not answer: {error}.",
            remedy="Start it anew: swell sandbox down; swell sandbox up.",
        ) from error


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # it is barred
        return False


def _tail(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[-1500:].strip()
    except OSError:
        return ""
