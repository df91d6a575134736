"""A person's desk: settings that lead to a sandbox, and commands typed in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swell.sandbox.launching import start
from swell.sandbox.place import Running, SandboxFolder, Wanted, variables_for

_SWELL = "from swell.cli.main import swell_command; swell_command()"


class Desk:
    """Types commands with settings that lead to a sandbox, but in no settings file."""

    def __init__(self, folder: Path, running: Running) -> None:
        self.folder = folder
        self.home = folder / "home"
        given = variables_for(running, SandboxFolder(Path(running.folder)).credentials)
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "SWELL_"))}
        given = {n: v for n, v in given.items() if n.startswith("AWS_")}
        self.environ = {
            **kept,
            **given,
            "SWELL_HOME": str(self.home),
            "SWELL_BATCH_ENDPOINT_URL": running.batch_url,
            "SWELL_LOGS_ENDPOINT_URL": running.logs_url,
            "SWELL_S3_ENDPOINT_URL": running.s3_url,
            "SWELL_S3_ADDRESSING": "path",
            "SWELL_REMOTE_POLL_S": "0.1",
            "SWELL_USER": "tester",
        }

    def swell(self, *words: str, code: int = 0, answers: str = "", **variables: str) -> str:
        return self.type(
            sys.executable, "-c", _SWELL, *words, code=code, answers=answers, **variables
        )

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words, cwd=self.folder, env={**self.environ, **variables}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def type(self, *words: str, code: int = 0, answers: str = "", **variables: str) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env={**self.environ, **variables}, input=answers,
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@contextmanager
def sandbox_in(folder: Path) -> Iterator[Running]:
    """A sandbox that ends with the block. Raises UsageError where none can be had."""
    started = start(Wanted(str(folder / "state"), str(folder / "home"), ends_with_stdin=True))
    assert started.stdin is not None
    with started.stdin:
        yield started.running
