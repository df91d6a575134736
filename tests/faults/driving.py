"""Starts flow scripts as a person does, ends them as fate does, and sees what is left.

Every process of a run carries a mark in its environment from its first moment on, so that
one that left its session, its group and its parents is found all the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swell.metastore.sqlite import open_metastore
from swell.model.cause import Cause
from swell.model.facts import RunStatus, TaskFact
from swell.model.ids import RunId
from swell.seams.metastore import Metastore

DEADLINE_S = 60.0
MARK = "FAULT_TEST_MARK"
IMPORTS = (
    "from swell import FlowSpec, Parameter, card, catch, current, resources, retry, step, timeout\n"
)


def until(true: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """The first truthy answer of ``true``; fails when none comes within ``deadline_s``."""
    end = time.monotonic() + deadline_s
    while not (answer := true()):
        assert time.monotonic() < end, f"waited {deadline_s:.0f} s in vain: {what}"
        time.sleep(0.01)
    return answer


class Place:
    """A folder with flow scripts, a store, and a mark that all their processes carry."""

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.folder = folder
        self.root = root or folder / ".swell"
        self.mark = uuid.uuid4().hex

    def script(self, text: str, name: str = "flow.py") -> Path:
        """Write a flow script."""
        path = self.folder / name
        path.write_text(IMPORTS + textwrap.dedent(text))
        return path

    def environ(self, **variables: str) -> dict[str, str]:
        """What the processes of a run are started with."""
        dropped = ("SWELL_", "PYTHONDONTWRITEBYTECODE")
        plain = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
        own = {"SWELL_ROOT": str(self.root), "SWELL_USER": "tester", MARK: self.mark}
        return {**plain, **own, **variables}

    @contextmanager
    def started(self, script: Path, *arguments: str, **options: Any) -> Iterator[Driver]:
        """A driver at work; killed at the end if it still is."""
        out = self.folder / f"{uuid.uuid4().hex[:8]}.out"
        with open(out, "wb") as file:
            options = {"env": self.environ(), "stdin": subprocess.DEVNULL, **options}
            process = subprocess.Popen(
                [sys.executable, str(script), *arguments],
                cwd=self.folder,
                stdout=options.pop("stdout", file),
                stderr=options.pop("stderr", subprocess.STDOUT),
                **options,
            )
        driver = Driver(process, out)
        try:
            yield driver
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=DEADLINE_S)
            for pid in self.processes():
                _kill(pid)

    def run(self, script: Path, *arguments: str, **options: Any) -> Driver:
        """A driver that came to its end."""
        with self.started(script, *arguments, **options) as driver:
            driver.wait()
        return driver

    def processes(self) -> list[int]:
        """All living processes that carry the mark, this test's own aside."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for name in os.listdir("/proc"):
            if not name.isdecimal():
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as environ:
                    marked = wanted in environ.read().split(b"\0")
                with open(f"/proc/{name}/stat", "rb") as stat:
                    state = stat.read().rpartition(b")")[2].split()[0]
            except OSError:
                continue
            if marked and state != b"Z":
                found.append(int(name))
        return found

    def wait_until_empty(self) -> None:
        """Until no process of the run is left."""
        until(lambda: not self.processes(), "processes of the run are left", 20)

    def tasks(self, flow: str, run: int = 1) -> dict[str, TaskFact]:
        """Task id → what the store says of it."""
        with self.store() as store:
            return {task.created.task: task for task in store.tasks(RunId(flow, run))}

    def status(self, flow: str, run: int = 1) -> RunStatus:
        """How the store says that a run went."""
        with self.store() as store:
            fact = store.run(RunId(flow, run))
        assert fact is not None
        return fact.status

    def causes(self, flow: str, step: str, run: int = 1) -> list[Cause]:
        """How the ended attempts of a step ended, oldest first."""
        with self.store() as store:
            attempts = store.attempts(RunId(flow, run), step)
        return [attempt.outcome.cause for attempt in attempts if attempt.outcome is not None]

    @contextmanager
    def store(self) -> Iterator[Metastore]:
        """The metadata store, opened as any reader opens it."""
        store = open_metastore(self.root / "metadata.db")
        try:
            yield store
        finally:
            store.close()

    def done_steps(self, flow: str, run: int = 1) -> list[str]:
        """The steps of all tasks that ended ok, parameters aside."""
        tasks = self.tasks(flow, run).values()
        return sorted(t.created.step for t in tasks if t.ok and t.created.task != "0")


class Driver:
    """``python flow.py run`` as a process, and what it wrote."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path) -> None:
        self.process = process
        self._out = out

    @property
    def pid(self) -> int:
        """Of the driver itself."""
        return self.process.pid

    @property
    def text(self) -> str:
        """Everything written so far."""
        return self._out.read_text(errors="replace")

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until the driver wrote ``text`` so many times."""

        def there() -> bool:
            if self.text.count(text) >= times:
                return True
            assert self.process.poll() is None, f"ended without {text!r}:\n{self.text}"
            return False

        until(there, f"{text!r} in {self._out}")

    def wait(self, deadline_s: float = 3 * DEADLINE_S) -> int:
        """The exit code; negative for a signal."""
        return self.process.wait(timeout=deadline_s)

    @property
    def code(self) -> int:
        """The exit code of a driver that ended."""
        code = self.process.returncode
        assert code is not None
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the driver alone."""
        self.process.send_signal(number)

    @property
    def keeper(self) -> int:
        """The process that starts the tasks."""
        threads = Path(f"/proc/{self.pid}/task").iterdir()
        children = [int(pid) for one in threads for pid in (one / "children").read_text().split()]
        (keeper,) = children
        return keeper


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def take_terminal() -> None:
    """In the child: make its stdin the terminal that controls its session."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
