"""Stands in for the package ``docker`` in emulators of AWS Batch: containers are processes.

Stands first on the path of a server's own process; so the server's code is its own, and only
what would ask a Docker daemon asks this. A container has the environment that it is given, keys
of the server's own process (a role, on AWS), and a bare Python of the machine's own interpreter.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from swell.sandbox.images import find_interpreter, make_environment, python_version

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "SWELL_LAYER_CACHE")


class Container:
    """One process and its descendants, in a folder of its own."""

    def __init__(self, image: str, command: list[str], environment: dict[str, str]) -> None:
        self.id = uuid.uuid4().hex
        self.attrs = {"NetworkSettings": {"Networks": {}, "IPAddress": "127.0.0.1"}}
        self._folder = tempfile.TemporaryDirectory(prefix="container-")
        place = Path(self._folder.name)
        version = python_version(image)
        interpreter = find_interpreter(version or "")
        assert version is not None, image
        assert interpreter is not None, version
        python = make_environment(place / "image", interpreter, version)
        self._log = place / "log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=place,
                env={
                    "PATH": f"{python}/bin:/usr/bin:/bin",
                    "HOME": str(place),
                    "TMPDIR": str(place),
                    **{name: os.environ[name] for name in _KEYS if name in os.environ},
                    **environment,
                    **_index(environment),
                },
                executable=f"{python}/bin/{os.path.basename(command[0])}",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def status(self) -> str:
        """As Docker says it."""
        return "running" if self._process.poll() is None else "exited"

    def reload(self) -> None:
        """It is asked each time."""

    def wait(self, timeout: float | None = None) -> dict[str, int]:
        """Its exit code; 128 + the number of the signal it ended by."""
        code = self._process.wait(timeout)
        return {"StatusCode": 128 - code if code < 0 else code}

    def kill(self) -> None:
        """SIGKILL for all of it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def logs(self, *, stdout: bool = True, timestamps: bool = False, **_: object) -> bytes:
        """All that it printed, as if on stdout."""
        text = self._log.read_text(errors="replace") if stdout else ""
        if not timestamps:
            return text.encode()
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        return "".join(f"{now} {line}\n" for line in text.splitlines()).encode()

    def remove(self, force: bool = False) -> None:
        """Forget it."""
        self.kill()
        self._process.wait()
        self._folder.cleanup()


class _Containers:
    def __init__(self) -> None:
        self._known: dict[str, Container] = {}

    def run(
        self, image: str, command: list[str], environment: dict[str, str], **_: object
    ) -> Container:
        container = Container(image, command, environment)
        self._known[container.id] = container
        return container

    def get(self, id: str) -> Container:
        return self._known[id]


class _Client:
    def __init__(self) -> None:
        self.containers = _Containers()
        self.api = SimpleNamespace(get_adapter=None)

    def ping(self) -> bool:
        return True


def from_env() -> _Client:
    """A client."""
    return _Client()


def _log_config(type: str) -> None:
    del type


_log_config.types = SimpleNamespace(JSON="json-file")  # type: ignore[attr-defined]  # as Docker's
types = SimpleNamespace(LogConfig=_log_config, Mount=lambda *_, **__: None)
models: Any = SimpleNamespace(containers=SimpleNamespace(Container=Container))


def _index(environment: dict[str, str]) -> dict[str, str]:
    """What AWS gives the children of an array and moto does not."""
    index = environment.get("AWS_BATCH_JOB_ID", "").partition(":")[2]
    return {"AWS_BATCH_JOB_ARRAY_INDEX": index} if index else {}
