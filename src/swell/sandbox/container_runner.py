"""Jobs as containers of podman or Docker, one each."""

from __future__ import annotations

import os
import queue
import selectors
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from swell.sandbox.container_files import ContainerFiles
from swell.sandbox.container_options import common_options, job_command, job_options
from swell.sandbox.engine import EngineCommands, EngineRefused, plain
from swell.sandbox.images import ImageMissing
from swell.sandbox.jobs import CANNOT_PULL, KILLED_BY_SIGKILL, OUT_OF_MEMORY, JobEnd, JobSpec
from swell.sandbox.log_streams import LogStreams, StreamName
from swell.sandbox.runners import (
    CANNOT_START,
    STOPPING,
    AttemptKey,
    NotStarted,
    OnEnd,
    Surroundings,
    never_began,
    tell,
)

_CHUNK = 1 << 16
_LAST_WORDS = 4_096
"""Bytes of what a container printed that are kept to be its reason, should it be the engine's."""
_AGAIN_S = 0.1
"""Until an engine is asked again to signal what does not run yet."""
_GIVEN_UP_S = 30.0
"""An engine that could not signal a container for so long is not waited for."""


class _Attempt:
    """One attempt; all but ``gone`` belongs to its thread."""

    def __init__(self, spec: JobSpec, on_end: OnEnd, name: str, folder: Path) -> None:
        self.spec = spec
        self.on_end = on_end
        self.name = name
        self.folder = folder
        self.stream = StreamName(spec.log_group, spec.log_stream)
        self.process: subprocess.Popen[bytes] | None = None
        self.last_words = b""
        self.gone = threading.Event()


class ContainerRunner:
    """Runs attempts as containers; a JobRunner.

    ``visible``: files that every job sees where they are. ``label`` ('name=value') marks the
    containers: whoever finds some later that nobody ended may clear them.
    """

    limits_memory_by = "engine"

    def __init__(
        self,
        folder: Path,
        logs: LogStreams,
        commands: EngineCommands,
        *,
        label: str,
        surroundings: Surroundings = lambda spec: {},
        visible: Sequence[Path] = (),
    ) -> None:
        self._folder = folder
        self._logs = logs
        self._commands = commands
        self._label = label
        self._surroundings = surroundings
        self._visible = visible
        self._files = ContainerFiles(folder, commands)
        self._prefix = f"swell-{uuid.uuid4().hex[:12]}"
        self._count = 0
        self._attempts: dict[AttemptKey, _Attempt] = {}
        self._changed = threading.Condition()
        self._is_closing = False
        self._signalling: set[threading.Thread] = set()
        self._litter: queue.SimpleQueue[_Attempt | None] = queue.SimpleQueue()
        (folder / "jobs").mkdir(parents=True, exist_ok=True)
        # Nobody should wait for containers that have ended to be removed.
        self._sweeper = threading.Thread(target=self._sweep, name="sandbox-sweeper", daemon=True)
        self._sweeper.start()

    def start(self, spec: JobSpec, on_end: OnEnd) -> None:
        """Begin the attempt, soon."""
        with self._changed:
            is_late = self._is_closing
            self._count += 1
            name = f"{self._prefix}-{self._count}"
            attempt = _Attempt(spec, on_end, name, self._folder / "jobs" / str(self._count))
            if not is_late:
                self._attempts[AttemptKey(spec.job_id, spec.attempt)] = attempt
        if is_late:
            tell(on_end, never_began(STOPPING))
            return
        # It does nothing but wait for the engine's commands, one after the other. There are as
        # many as fit on the sandbox's instances, each beside a process of the engine's own.
        threading.Thread(target=self._run, args=(attempt,), name=name, daemon=True).start()

    def stop(self, job_id: str, attempt: int, grace_s: float) -> None:
        """SIGTERM to its first process, as engines do; SIGKILL to all after ``grace_s``."""
        self._begin_to_signal(AttemptKey(job_id, attempt), ("TERM", "KILL"), grace_s)

    def kill(self, job_id: str, attempt: int) -> None:
        """SIGKILL to all its processes."""
        self._begin_to_signal(AttemptKey(job_id, attempt), ("KILL",), 0.0)

    def close(self) -> None:
        """Kill all, wait until all is gone and removed. Twice is as good as once."""
        with self._changed:
            if self._is_closing:
                return
            self._is_closing = True
        while names := self._names():
            self._commands.signal(names, "KILL")
            with self._changed:
                self._changed.wait_for(lambda: not self._attempts, _AGAIN_S)
        with self._changed:
            signalling = list(self._signalling)
        for thread in signalling:
            thread.join()
        self._litter.put(None)
        self._sweeper.join()
        self._commands.clear(self._label)
        self._files.close()

    def _names(self) -> list[str]:
        with self._changed:
            return [attempt.name for attempt in self._attempts.values()]

    # --- signals ----------------------------------------------------------------------------

    def _begin_to_signal(self, key: AttemptKey, signals: Sequence[str], grace_s: float) -> None:
        with self._changed:
            attempt = self._attempts.get(key)
            if attempt is None:
                return
            # An engine takes a tenth of a second for it, and who asks must not wait.
            thread = threading.Thread(
                target=self._signal_all, args=(attempt, signals, grace_s), daemon=True
            )
            self._signalling.add(thread)
            thread.start()

    def _signal_all(self, attempt: _Attempt, signals: Sequence[str], grace_s: float) -> None:
        for signal in signals:
            self._signal(attempt, signal)
            if attempt.gone.wait(grace_s):
                break
        with self._changed:
            self._signalling.discard(threading.current_thread())

    def _signal(self, attempt: _Attempt, signal: str) -> None:
        """Where it does not run yet: as soon as it does."""
        end = time.monotonic() + _GIVEN_UP_S
        while not attempt.gone.is_set():
            if self._commands.signal([attempt.name], signal):
                return
            if time.monotonic() > end and attempt.process is not None:
                attempt.process.kill()
                return
            attempt.gone.wait(_AGAIN_S)

    # --- the thread of an attempt -----------------------------------------------------------

    def _run(self, attempt: _Attempt) -> None:
        try:
            end = self._made_and_run(attempt)
        except NotStarted as why:
            end = never_began(str(why))
        except Exception as error:  # whatever it is: nobody must wait for this attempt for ever
            end = never_began(f"{CANNOT_START}{error}")
        attempt.gone.set()
        self._litter.put(attempt)
        tell(attempt.on_end, end)
        with self._changed:
            del self._attempts[AttemptKey(attempt.spec.job_id, attempt.spec.attempt)]
            self._changed.notify_all()

    def _made_and_run(self, attempt: _Attempt) -> JobEnd:
        if self._is_closing:
            raise NotStarted(STOPPING)
        try:
            self._create(attempt)
        except ImageMissing as why:
            raise NotStarted(f"{CANNOT_PULL}Error response from daemon: {why}") from why
        except EngineRefused as why:
            raise NotStarted(f"{CANNOT_START}{why}") from why
        if self._is_closing:
            raise NotStarted(STOPPING)
        started_at = time.time()
        code = self._run_to_end(attempt)
        stopped_at = time.time()
        exit_code, reason = self._understood(attempt, code)
        return JobEnd(
            exit_code=exit_code,
            reason=reason,
            started_at=started_at,
            stopped_at=stopped_at,
            log_stream=attempt.spec.log_stream,
        )

    def _create(self, attempt: _Attempt) -> None:
        """Raises ImageMissing, EngineRefused."""
        spec, engine = attempt.spec, self._commands.engine
        home = attempt.folder / "home"
        home.mkdir(parents=True)
        home.chmod(0o777)  # the job may be another user's
        files = self._files.of(spec.image, home)
        host = self._folder / "host"
        for mount in spec.mounts:
            (host / mount.source.strip("/")).mkdir(parents=True, exist_ok=True)
        variables = {
            "HOSTNAME": spec.host_name or "localhost",
            **files.variables,
            **self._surroundings(spec),
            **spec.environment,
        }
        self._commands.create(
            [
                *common_options(engine, attempt.name, self._label),
                *job_options(engine, spec, variables, host, self._visible),
                *files.arguments,
                *job_command(engine, spec),
            ],
            attempt.folder,
        )

    def _run_to_end(self, attempt: _Attempt) -> int:
        """The exit code of the engine's command, which is the container's if that ever ran."""
        self._logs.open(attempt.stream)
        with subprocess.Popen(
            self._commands.attached(attempt.name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # podman's monitor leaves its mark of an out-of-memory kill where it was started.
            cwd=attempt.folder,
        ) as process:
            attempt.process = process
            self._read(attempt, process)
            code = process.wait()
        self._logs.close(attempt.stream, time.time_ns() // 1_000_000)
        return code

    def _read(self, attempt: _Attempt, process: subprocess.Popen[bytes]) -> None:
        """Both streams, to their ends. An engine passes them on in pieces of lines: so each is
        put together by itself."""
        assert process.stdout is not None
        assert process.stderr is not None
        with selectors.DefaultSelector() as selector:
            for source, pipe in enumerate((process.stdout, process.stderr)):
                selector.register(pipe, selectors.EVENT_READ, source)
            while selector.get_map():
                for key, _ in selector.select():
                    data = os.read(key.fd, _CHUNK)
                    if not data:
                        selector.unregister(key.fileobj)
                        continue
                    now_ms = time.time_ns() // 1_000_000
                    self._logs.write(attempt.stream, data, now_ms, key.data)
                    attempt.last_words = (attempt.last_words + data)[-_LAST_WORDS:]

    def _understood(self, attempt: _Attempt, code: int) -> tuple[int, str]:
        """The container's exit code and reason. Raises NotStarted."""
        if code == 0 or (self._is_closing and code > 0):
            return code, ""
        state = self._commands.state(attempt.name)
        if state is None or not state.has_started:
            self._logs.drop(attempt.stream)
            words = plain(attempt.last_words.decode(errors="replace"))
            raise NotStarted(f"{CANNOT_START}{words or 'the container is gone'}")
        if state.running:
            # The engine's command was killed, and with it goes what it was for.
            self._commands.signal([attempt.name], "KILL")
            return KILLED_BY_SIGKILL, ""
        # podman 4.3 does not say so itself.
        if state.was_out_of_memory or (attempt.folder / "oom").exists():
            return state.exit_code, OUT_OF_MEMORY
        return state.exit_code, ""

    def _sweep(self) -> None:
        is_over = False
        while not is_over:
            ended = [self._litter.get()]
            while not self._litter.empty():
                ended.append(self._litter.get())
            is_over = None in ended
            attempts = [attempt for attempt in ended if attempt is not None]
            self._commands.remove([attempt.name for attempt in attempts])
            for attempt in attempts:
                shutil.rmtree(attempt.folder, ignore_errors=True)
