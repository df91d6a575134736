"""Jobs as processes of this machine: each a group of its own, in an empty environment."""

from __future__ import annotations

import os
import queue
import selectors
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from swell.sandbox.images import ImageMissing, Images, missing_program
from swell.sandbox.jobs import CANNOT_PULL, OUT_OF_MEMORY, JobEnd, JobSpec, Mount
from swell.sandbox.log_streams import LogStreams, StreamName
from swell.sandbox.memory import Cell, Cells, Watch, kill_strays, open_cells, sizes_by_group
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

_RUNC = (
    f"{CANNOT_START}failed to create task for container: OCI runtime create failed: "
    "runc create failed: "
)
_CHUNK = 1 << 16
_LOOK_S = 0.05
"""How often sizes are looked at where the kernel enforces no limit."""
_RETRY_S = 0.005
_GONE_S = 10.0
"""How long processes that were killed may take to be gone."""


class _Job:
    """One attempt at work; owned by the runner's thread."""

    def __init__(
        self, spec: JobSpec, on_end: OnEnd, cell: Cell, process: subprocess.Popen[bytes]
    ) -> None:
        self.spec = spec
        self.on_end = on_end
        self.cell = cell
        self.process = process
        self.stream = StreamName(spec.log_group, spec.log_stream)
        self.started_at = time.time()
        self.folder = ""
        self.output: int | None = None
        self.pidfd: int | None = None
        self.kill_at: float | None = None
        self.ended_at: float | None = None
        self.gone_by = 0.0


class ProcessRunner:
    """Runs attempts as processes; a JobRunner.

    One thread owns them all: it starts them, reads what they print and sees them end. A
    second one removes their folders, which may be large. What a container would have that
    a process cannot is left out: mounts (but for variables that name one), another user, a
    /dev/shm of its own.
    """

    def __init__(
        self,
        folder: Path,
        logs: LogStreams,
        *,
        surroundings: Surroundings = lambda spec: {},
        cells: Cells | None = None,
        images: Images | None = None,
    ) -> None:
        self._folder = folder
        self._logs = logs
        self._surroundings = surroundings
        self._cells = open_cells(f"swell-{uuid.uuid4().hex[:12]}") if cells is None else cells
        self._images = Images(folder / "images") if images is None else images
        self._wanted: deque[Callable[[], None]] = deque()
        self._jobs: dict[AttemptKey, _Job] = {}
        self._ending: list[_Job] = []
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        self._is_closing = False
        self._is_over = False
        self._lock = threading.Lock()
        self._next_look = 0.0
        self._count = 0
        self._litter: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        (folder / "jobs").mkdir(parents=True, exist_ok=True)
        self._sweeper = threading.Thread(target=self._sweep, name="sandbox-sweeper", daemon=True)
        self._thread = threading.Thread(target=self._work, name="sandbox-jobs", daemon=True)
        self._sweeper.start()
        self._thread.start()

    @property
    def limits_memory_by(self) -> str:
        """'cgroup', or 'watch' where the kernel offers none."""
        return self._cells.kind

    def start(self, spec: JobSpec, on_end: OnEnd) -> None:
        """Begin the attempt, soon."""
        if not self._ask(lambda: self._start(spec, on_end)):
            tell(on_end, never_began(STOPPING))

    def stop(self, job_id: str, attempt: int, grace_s: float) -> None:
        """SIGTERM to its first process, as engines do; SIGKILL to all after ``grace_s``."""
        self._ask(lambda: self._stop(AttemptKey(job_id, attempt), grace_s))

    def kill(self, job_id: str, attempt: int) -> None:
        """SIGKILL to all its processes."""
        self._ask(lambda: self._kill(AttemptKey(job_id, attempt)))

    def close(self) -> None:
        """Kill all, wait until all is gone and removed. Twice is as good as once."""
        if not self._ask(self._begin_to_close):
            return
        self._thread.join()
        self._litter.put(None)
        self._sweeper.join()
        self._cells.close()

    # --- the thread -------------------------------------------------------------------------

    def _ask(self, action: Callable[[], None]) -> bool:
        """False after the end: it will not be done."""
        with self._lock:
            if self._is_over:
                return False
            self._wanted.append(action)
            with suppress(BlockingIOError):  # a full pipe wakes as well
                os.write(self._wake_write, b"!")
            return True

    def _work(self) -> None:
        while not self._may_end():
            for key, _ in self._selector.select(self._patience()):
                key.data()
            while self._wanted:
                self._wanted.popleft()()
            now = time.monotonic()
            if self._jobs:
                self._kill_overdue(now)
                if self._cells.kind == "watch" and now >= self._next_look:
                    self._look_at_sizes(now)
                self._poll_without_pidfd()
            self._ending = [job for job in self._ending if not self._finish(job, now)]
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _may_end(self) -> bool:
        if not self._is_closing or self._jobs or self._ending:
            return False
        with self._lock:
            self._is_over = not self._wanted
            return self._is_over

    def _patience(self) -> float | None:
        """How long nothing need be done unless something happens."""
        if self._ending:
            return _RETRY_S
        waits = [job.kill_at - time.monotonic() for job in self._jobs.values() if job.kill_at]
        if self._cells.kind == "watch" and self._jobs:
            waits.append(_LOOK_S)
        if any(job.pidfd is None for job in self._jobs.values()):
            waits.append(0.02)
        return max(0.0, min(waits)) if waits else None

    def _woken(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_read, _CHUNK)

    def _begin_to_close(self) -> None:
        self._is_closing = True
        for job in list(self._jobs.values()):
            self._kill_group(job)

    # --- starting ---------------------------------------------------------------------------

    def _start(self, spec: JobSpec, on_end: OnEnd) -> None:
        stream = StreamName(spec.log_group, spec.log_stream)
        try:
            if self._is_closing:
                raise NotStarted(STOPPING)
            job = self._launched(spec, on_end)
        except NotStarted as why:
            tell(on_end, never_began(str(why)))
            return
        self._logs.open(stream)
        self._jobs[AttemptKey(spec.job_id, spec.attempt)] = job
        self._watch(job)

    def _launched(self, spec: JobSpec, on_end: OnEnd) -> _Job:
        try:
            path = self._images.search_path(spec.image)
        except ImageMissing as why:
            raise NotStarted(f"{CANNOT_PULL}Error response from daemon: {why}") from why
        self._count += 1
        folder = str(self._folder / "jobs" / str(self._count))
        environment = {
            "PATH": path,
            "HOME": folder,
            "TMPDIR": folder,
            "HOSTNAME": spec.host_name or "localhost",
            **self._surroundings(spec),
            **spec.environment,
        }
        self._lead_to_host(spec.mounts, environment)
        missing = missing_program(spec.command, environment)
        if missing is not None:
            raise NotStarted(f"{_RUNC}{missing}: unknown")
        reading, writing = os.pipe()
        try:
            os.mkdir(folder)
            cell = self._cells.make(spec.memory_mib)
            process = subprocess.Popen(
                ["/bin/sh", "-c", f'{cell.shell_prefix}exec "$@"', "sh", *spec.command],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(reading)
            self._litter.put(folder)
            raise NotStarted(f"{_RUNC}{error}") from error
        finally:
            os.close(writing)
        job = _Job(spec, on_end, cell, process)
        job.folder = folder
        job.output = reading
        return job

    def _lead_to_host(self, mounts: Sequence[Mount], environment: dict[str, str]) -> None:
        """A process has no mounts: a variable that names one names the host's folder instead,
        which stands in for that of an instance."""
        for mount in mounts:
            for name, value in environment.items():
                if value == mount.target:
                    folder = self._folder / "host" / mount.source.lstrip("/")
                    folder.mkdir(parents=True, exist_ok=True)
                    environment[name] = str(folder)

    def _watch(self, job: _Job) -> None:
        assert job.output is not None
        os.set_blocking(job.output, False)
        self._selector.register(job.output, selectors.EVENT_READ, lambda: self._read(job))
        # Not everywhere (Linux 5.3): elsewhere ends are found by asking.
        if hasattr(os, "pidfd_open"):
            with suppress(OSError):
                job.pidfd = os.pidfd_open(job.process.pid)
                self._selector.register(job.pidfd, selectors.EVENT_READ, lambda: self._ended(job))

    # --- while it runs ----------------------------------------------------------------------

    def _read(self, job: _Job) -> None:
        if job.output is None:
            return
        try:
            data = os.read(job.output, _CHUNK)
        except BlockingIOError:
            return
        if data:
            self._logs.write(job.stream, data, time.time_ns() // 1_000_000)
        else:
            self._close_output(job)

    def _close_output(self, job: _Job) -> None:
        if job.output is not None:
            self._selector.unregister(job.output)
            os.close(job.output)
            job.output = None

    def _stop(self, key: AttemptKey, grace_s: float) -> None:
        job = self._jobs.get(key)
        if job is not None:
            job.kill_at = time.monotonic() + grace_s
            with suppress(OSError):
                job.process.send_signal(signal.SIGTERM)

    def _kill(self, key: AttemptKey) -> None:
        job = self._jobs.get(key)
        if job is not None:
            self._kill_group(job)

    def _kill_group(self, job: _Job) -> None:
        with suppress(OSError):
            os.killpg(job.process.pid, signal.SIGKILL)

    def _kill_overdue(self, now: float) -> None:
        for job in self._jobs.values():
            if job.kill_at is not None and now >= job.kill_at:
                job.kill_at = None
                self._kill_group(job)

    def _look_at_sizes(self, now: float) -> None:
        self._next_look = now + _LOOK_S
        sizes = sizes_by_group()
        for job in self._jobs.values():
            if isinstance(job.cell, Watch) and job.cell.look(sizes.get(job.process.pid, 0)):
                self._kill_group(job)

    def _poll_without_pidfd(self) -> None:
        for job in list(self._jobs.values()):
            if job.pidfd is None and job.process.poll() is not None:
                self._ended(job)

    # --- its end ----------------------------------------------------------------------------

    def _ended(self, job: _Job) -> None:
        """The first process is gone: so must be all others, as in a container."""
        # Before the first process is reaped its number can be no other group's.
        self._kill_group(job)
        job.process.wait()
        if job.pidfd is not None:
            self._selector.unregister(job.pidfd)
            os.close(job.pidfd)
            job.pidfd = None
        if self._cells.kind == "watch":
            kill_strays(job.spec.job_id)
        job.ended_at = time.time()
        job.gone_by = time.monotonic() + _GONE_S
        del self._jobs[AttemptKey(job.spec.job_id, job.spec.attempt)]
        self._ending.append(job)

    def _finish(self, job: _Job, now: float) -> bool:
        """Report the end when nothing of the job is left; False: not yet."""
        while job.output is not None:
            try:
                data = os.read(job.output, _CHUNK)
            except BlockingIOError:
                break
            if data:
                self._logs.write(job.stream, data, time.time_ns() // 1_000_000)
            else:
                self._close_output(job)
        is_late = now >= job.gone_by
        was_exceeded = job.cell.was_exceeded()
        if (not job.cell.remove() or job.output is not None) and not is_late:
            return False
        self._close_output(job)
        self._logs.close(job.stream, time.time_ns() // 1_000_000)
        self._litter.put(job.folder)
        code = job.process.returncode
        exit_code = 128 - code if code < 0 else code
        assert job.ended_at is not None
        tell(
            job.on_end,
            JobEnd(
                exit_code=exit_code,
                reason=OUT_OF_MEMORY if was_exceeded and exit_code else "",
                started_at=job.started_at,
                stopped_at=job.ended_at,
                log_stream=job.spec.log_stream,
            ),
        )
        return True

    def _sweep(self) -> None:
        while (folder := self._litter.get()) is not None:
            try:
                os.rmdir(folder)
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
