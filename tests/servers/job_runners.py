"""Runners of the sandbox's jobs for tests, and what became of the jobs that were given to one."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swell.errors import ComputeError
from swell.sandbox.container_runner import ContainerRunner
from swell.sandbox.engine import Engine, EngineCommands
from swell.sandbox.engine_choice import choose
from swell.sandbox.jobs import JobEnd, JobRunner, JobSpec, Mount
from swell.sandbox.left_containers import label_of
from swell.sandbox.log_streams import LogStreams, StreamName

IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}"
DEADLINE_S = 60.0
EATS_MEMORY = "x = []\nwhile True: x.append(bytearray(1 << 20))"
MakeRunner = Callable[[Path, LogStreams], JobRunner]


class Unavailable(Exception):
    """No such engine works here; says why."""


class Rig:
    """A runner, and what became of its jobs. Every job has a folder in common with the test,
    whose path is in its variable SHARED."""

    def __init__(self, folder: Path, make: MakeRunner) -> None:
        self.folder = folder
        self.shared = folder / "host" / "shared"
        self.logs = LogStreams(folder)
        self.runner = make(folder, self.logs)
        self.ends: dict[str, JobEnd] = {}
        self._news = threading.Condition()

    def start(self, *command: str, name: str = "job", **more: Any) -> None:
        given = {"image": IMAGE, "vcpus": 1, "memory_mib": 256, **more}
        given["environment"] = {
            "AWS_BATCH_JOB_ID": name, "SHARED": "/shared", **more.get("environment", {})
        }  # fmt: skip
        given["mounts"] = (Mount("/shared", "/shared"), *more.get("mounts", ()))
        spec = JobSpec(job_id=name, attempt=1, command=command, log_stream=f"s/{name}", **given)
        self.runner.start(spec, lambda end: self._took(name, end))

    def python(self, code: str, *, name: str = "job", **more: Any) -> None:
        self.start("python", "-u", "-c", code, name=name, **more)

    def end(self, name: str = "job") -> JobEnd:
        with self._news:
            assert self._news.wait_for(lambda: name in self.ends, DEADLINE_S), name
        return self.ends[name]

    def printed(self, name: str = "job") -> list[str]:
        events = self.logs.take(StreamName("/aws/batch/job", f"s/{name}"))
        return [event.text for event in events or []]

    def said(self, what: str) -> str:
        """Wait for a file that a job makes in the folder in common; what is in it."""
        path = self.shared / what
        until(lambda: path.exists() and path.read_text() != "")
        return path.read_text()

    def _took(self, name: str, end: JobEnd) -> None:
        with self._news:
            assert name not in self.ends
            self.ends[name] = end
            self._news.notify_all()


def says(what: str, text: str = "'x'") -> str:
    """Code of a job that writes ``text`` into the file ``what`` of the folder in common."""
    # Closed by itself: an exit that a signal asks for while a forgotten file is closed is lost.
    return f"import os\nwith open(os.environ['SHARED'] + '/{what}', 'w') as f: f.write({text})\n"


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def engine(name: str, folder: Path) -> Engine:
    """The engine ``name``, which works. Raises Unavailable."""
    try:
        found = choose(name, folder).engine
    except ComputeError as why:
        raise Unavailable(str(why)) from why
    assert found is not None
    return found


def containers(engine: Engine) -> MakeRunner:
    """Makes runners of ``engine``."""

    def make(folder: Path, logs: LogStreams) -> JobRunner:
        return ContainerRunner(folder, logs, EngineCommands(engine), label=label_of(folder))

    return make
