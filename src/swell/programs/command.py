"""The process that drives one run: its start, its output in two files, and its end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec

from swell.errors import ComputeError, ExternalCommandFailed, NotFound, UsageError
from swell.programs.tail import LineTail
from swell.programs.waiting import block, pauses, unblocked

STREAMS = ("stdout", "stderr")
GRACE_S = 30.0
"""So long a driver may take to end its tasks before it is killed."""

_EXIT_USAGE = 2
_SHOWN_LINES = 30


class RunAttributes(msgspec.Struct, frozen=True):
    """What a driver says of its run as soon as it has a number; ``metadata`` is an address."""

    run_id: str
    flow_name: str
    metadata: str


class Command:
    """One process, started once. Waiting is written as generators of pauses in seconds, so
    that the same code serves callers that block and callers that await."""

    def __init__(self, command: Sequence[str], folder: str, title: str) -> None:
        self.command = list(command)
        self.title = title
        """What it is called in errors."""
        self.log_files = {stream: os.path.join(folder, f"{stream}.log") for stream in STREAMS}
        self.timeout = False
        """Whether it was ended because it took longer than the caller would wait."""
        self.process: subprocess.Popen[bytes] | None = None
        self._folder = folder
        self._attributes: RunAttributes | None = None
        self._was_asked_to_end = False

    @property
    def attributes_file(self) -> str:
        """Where the driver is to leave its RunAttributes."""
        return os.path.join(self._folder, "run.json")

    def start(self, environ: Mapping[str, str], cwd: str, *, own_session: bool) -> None:
        """Start it. With a session of its own a Ctrl-C in the terminal reaches the caller
        alone, who passes it on. Raises ComputeError."""
        try:
            with (
                open(self.log_files["stdout"], "wb") as stdout,
                open(self.log_files["stderr"], "wb") as stderr,
            ):
                self.process = subprocess.Popen(
                    [*self.command, "--runner-attribute-file", self.attributes_file],
                    cwd=cwd,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=own_session,
                )
        except OSError as error:
            raise ComputeError(
                f"The run could not be started in {cwd}: {error.strerror}.",
                remedy="Check that cwd is a folder, and that more processes may be started.",
            ) from error

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it runs."""
        return None if self.process is None else self.process.poll()

    @property
    def attributes(self) -> RunAttributes | None:
        """What the driver said of its run; None before it has."""
        if self._attributes is None:
            try:
                with open(self.attributes_file, "rb") as file:
                    self._attributes = msgspec.json.decode(file.read(), type=RunAttributes)
            except (OSError, msgspec.DecodeError):
                return None  # not there, or not whole yet
        return self._attributes

    def text(self, stream: str) -> str:
        """All it has printed so far. Raises NotFound once the files were removed."""
        try:
            with open(self.log_files[stream], encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            raise NotFound(
                f"The {stream} of '{self.title}' was removed with its Runner.",
                remedy="Read it before the 'with' block or cleanup(); tasks' logs stay in the run.",
            ) from None

    # --- waiting ---------------------------------------------------------------

    def until_started(self, limit_s: float) -> Iterator[float]:
        """Pauses until ``attributes`` are there.

        Raises UsageError or ExternalCommandFailed with its last words when it ended
        before, or had not begun a run after ``limit_s``; then it is ended.
        """
        deadline = time.monotonic() + limit_s
        for pause in pauses():
            has_ended = self.returncode is not None
            if self.attributes is not None:
                return
            if has_ended:
                raise self._never_started()
            if time.monotonic() >= deadline:
                yield from self.ending()
                raise ExternalCommandFailed(
                    f"'{self.title}' had begun no run after {limit_s:g} s and was ended.",
                    remedy="Look at what the script does before its flow starts, or allow more "
                    "time with Runner(…, file_read_timeout=…).",
                )
            yield pause

    def until_ended(self, limit_s: float | None = None) -> Iterator[float]:
        """Pauses until the process is no more; past ``limit_s`` it is ended."""
        deadline = None if limit_s is None else time.monotonic() + limit_s
        for pause in pauses():
            if self.returncode is not None:
                return
            if deadline is not None and time.monotonic() >= deadline:
                self.timeout = True
                yield from self.ending()
                return
            yield pause

    def ending(self, grace_s: float = GRACE_S) -> Iterator[float]:
        """Pauses until the process is no more: asked to end, after ``grace_s`` killed."""
        if not self._was_asked_to_end:
            self.ask_to_end(signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        for pause in pauses():
            if self.returncode is not None:
                return
            if time.monotonic() >= deadline:
                self.send(signal.SIGKILL)  # its keeper then kills and reaps the tasks
            yield pause

    def ask_to_end(self, number: int) -> None:
        """Send ``number``, SIGINT or SIGTERM: the driver ends its tasks, then itself."""
        self._was_asked_to_end = True
        self.send(number)

    def send(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self, termination_timeout: float = GRACE_S) -> None:
        """End it now, tasks and all: asked first, killed after so many seconds. Blocks."""
        block(self.ending(termination_timeout))

    async def wait(self, timeout: float | None = None, stream: str | None = None) -> None:
        """Until it has ended; past ``timeout`` seconds it is ended. Prints lines of
        ``stream`` as they come."""
        lines = None if stream is None else self.tail(stream)

        def show() -> None:
            if lines is not None:
                for _, line in lines.read(is_whole=self.returncode is not None):
                    print(line)

        await unblocked(self.until_ended(timeout), show)
        show()

    async def stream_log(
        self, stream: str, position: int | None = None
    ) -> AsyncIterator[tuple[int, str]]:
        """(position behind it, line) of 'stdout' or 'stderr', from ``position`` on, until the
        process has ended."""
        from asyncio import sleep

        lines = self.tail(stream, position)
        for pause in self.until_ended():
            for found in lines.read():
                yield found
            await sleep(pause)
        for found in lines.read(is_whole=True):
            yield found

    def tail(self, stream: str, position: int | None = None) -> LineTail:
        """The lines of a stream. Raises UsageError for another than 'stdout' and 'stderr'."""
        if stream not in self.log_files:
            raise UsageError(
                f"There is no stream {stream!r}.", remedy="Streams are 'stdout' and 'stderr'."
            )
        return LineTail(self.log_files[stream], position or 0)

    def cleanup(self) -> None:
        """Remove its files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _never_started(self) -> UsageError | ExternalCommandFailed:
        code = self.returncode
        said = (self.text("stderr") or self.text("stdout")).rstrip().splitlines()[-_SHOWN_LINES:]
        words = "\n".join(f"    {line}" for line in said)
        message = f"'{self.title}' began no run and ended with exit code {code}"
        message = f"{message}:\n{words}\n" if words else f"{message}."
        if code == _EXIT_USAGE:
            return UsageError(message)
        if code == 0:
            return ExternalCommandFailed(
                message,
                remedy="The script has to end with 'if __name__ == \"__main__\": MyFlow()'.",
            )
        return ExternalCommandFailed(message)


def open_command(
    script: str, top: Sequence[str], name: str, given: str, step: str | None = None
) -> Command:
    """The command ``name`` of ``script``, not yet started, its files in a temporary folder.

    ``top`` stands before it; ``given`` are its options as JSON; ``step`` stands behind it.
    """
    folder = tempfile.mkdtemp(prefix="swell-")
    given_file = os.path.join(folder, "given.json")
    with open(given_file, "w", encoding="utf-8") as file:
        file.write(given)
    behind = [] if step is None else [step]
    arguments = [sys.executable, script, *top, "--given", given_file, name, *behind]
    return Command(arguments, folder, f"{os.path.basename(script)} {name}")
