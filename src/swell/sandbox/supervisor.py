"""The sandbox's one process: starts its servers, serves Batch, and takes all down again.

`python -m swell.sandbox.supervisor WANTED FD`, where FD gets one Report.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from swell.errors import ComputeError, SwellError
from swell.sandbox.guard import run_guarded
from swell.sandbox.left_containers import clear_left, forget, label_of, note
from swell.sandbox.left_processes import end_left
from swell.sandbox.memory import open_cells, remove_groups
from swell.sandbox.place import Report, Running, SandboxFolder, Wanted, check_profile, write_private

if TYPE_CHECKING:
    from swell.sandbox.batch_service import BatchService
    from swell.sandbox.engine import Engine
    from swell.sandbox.instance_metadata import Surroundings
    from swell.sandbox.jobs import JobRunner
    from swell.sandbox.log_streams import LogStreams

_T = TypeVar("_T")

REGION = "us-east-1"
BUCKET = "swell"
QUEUE = "swell"


def main(arguments: list[str]) -> int:
    """Returns when the sandbox is down."""
    wanted = msgspec.json.decode(arguments[0], type=Wanted)
    report_fd = int(arguments[1])
    folder = SandboxFolder(Path(wanted.folder))
    lock = folder.hold()
    if lock is None:
        _tell(report_fd, Report(failure="A sandbox is up already.", remedy="swell sandbox status"))
        return 1
    groups = f"swell-sandbox-{os.getpid()}"

    def clean() -> None:
        remove_groups(groups)
        clear_left(folder.path / "work")
        folder.forget(Path(wanted.home))
        shutil.rmtree(folder.path / "work", ignore_errors=True)

    pid = os.getpid()
    return run_guarded(lambda: Supervisor(wanted, folder, groups).serve(pid, report_fd), clean)


class Supervisor:
    """Starts and ends the parts of one sandbox."""

    def __init__(self, wanted: Wanted, folder: SandboxFolder, groups: str) -> None:
        self._wanted = wanted
        self._folder = folder
        self._groups = groups
        self._stop = threading.Event()

    def serve(self, pid: int, report_fd: int) -> int:
        """Be the sandbox until asked to end. ``pid``: whom ``down`` asks."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._stop.set())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        try:
            with ExitStack() as parts:
                running = self._start(pid, parts)
                self._folder.write(running)
                parts.callback(self._folder.forget, Path(self._wanted.home))
                _tell(report_fd, Report(running))
                if self._wanted.ends_with_stdin:
                    # Blocks until whoever started the sandbox is gone.
                    threading.Thread(target=self._read_stdin, daemon=True).start()
                self._stop.wait()
            return 0
        except SwellError as error:
            _tell(report_fd, Report(failure=error.message, remedy=error.remedy))
            return 1

    def _read_stdin(self) -> None:
        while os.read(0, 4096):
            continue
        self._stop.set()

    def _start(self, pid: int, parts: ExitStack) -> Running:
        from swell.sandbox.batch.tuning import BatchSettings
        from swell.sandbox.batch_service import BatchService
        from swell.sandbox.doors import Doors
        from swell.sandbox.engine_choice import choose
        from swell.sandbox.instance_metadata import InstanceMetadata, SandboxKeys, Surroundings
        from swell.sandbox.log_service import LogService
        from swell.sandbox.log_streams import LogStreams
        from swell.sandbox.moto_server import MotoLogs, MotoServer
        from swell.sandbox.seaweedfs import Identity, SeaweedFs, program

        check_profile(Path(self._wanted.home))
        _or_port_taken(lambda: _try_port(self._wanted.port), self._wanted.port)
        work = self._folder.path / "work"
        # Of an earlier one that was killed together with its guard.
        end_left(self._folder.path)
        clear_left(work)
        shutil.rmtree(work, ignore_errors=True)
        (work / "logs").mkdir(parents=True)
        keys = SandboxKeys("SWELLSANDBOX", secrets.token_hex(20))
        settings = BatchSettings(region=REGION)

        moto = MotoServer(work, REGION)
        s3: MotoServer | SeaweedFs = moto
        if program() is not None:
            kept = self._folder.path / "s3"
            kept.mkdir(exist_ok=True)
            s3 = SeaweedFs(kept, [Identity("sandbox", *msgspec.structs.astuple(keys))])
        servers = [moto] if s3 is moto else [moto, s3]
        for server in servers:
            parts.callback(server.stop)
            server.launch()
        metadata = InstanceMetadata(keys, REGION, settings.account)
        doors = Doors(metadata)
        parts.callback(doors.close)
        doors.start()
        choice = choose(self._wanted.runner, work)
        for server in servers:
            server.wait_until_ready()
        s3.make_bucket(BUCKET)

        streams = LogStreams(work / "logs")
        at_moto = MotoLogs(moto.port, REGION)
        parts.callback(at_moto.close)
        doors.serve_logs(LogService(streams, at_moto))
        token_file = None
        if self._wanted.job_credentials == "endpoint":
            token_file = str(work / "token")
            write_private(work / "token", metadata.token)
        surroundings = Surroundings(doors.url, token_file, keys, REGION, s3.endpoint)
        runner, memory_by = self._runner(choice.engine, work, streams, surroundings, parts)
        batch = BatchService(settings, runner, announce=metadata.announce, folder=self._folder.path)
        batch_url = _or_port_taken(lambda: batch.serve(self._wanted.port), self._wanted.port)
        parts.callback(batch.close)
        if self._wanted.vcpus is not None:
            _resize(batch, self._wanted.vcpus)
        return Running(
            pid=pid,
            folder=self._wanted.folder,
            home=self._wanted.home,
            region=REGION,
            batch_url=batch_url,
            logs_url=doors.url,
            s3_url=s3.endpoint,
            s3_by=s3.name,
            bucket=BUCKET,
            queue=QUEUE,
            access_key_id=keys.access_key_id,
            secret_access_key=keys.secret_access_key,
            runner=choice.engine.name if choice.engine else "process",
            memory_by=memory_by,
            runner_why=choice.why,
        )

    def _runner(
        self,
        engine: Engine | None,
        work: Path,
        streams: LogStreams,
        surroundings: Surroundings,
        parts: ExitStack,
    ) -> tuple[JobRunner, str]:
        """What runs jobs, and by what it limits their memory."""
        from swell.sandbox.container_runner import ContainerRunner
        from swell.sandbox.engine import EngineCommands
        from swell.sandbox.processes import ProcessRunner

        if engine is None:
            cells = open_cells(self._groups)
            runner = ProcessRunner(work, streams, surroundings=surroundings.variables, cells=cells)
            parts.callback(runner.close)
            return runner, runner.limits_memory_by
        note(work, engine)
        parts.callback(forget, work)
        token = surroundings.token_file
        containers = ContainerRunner(
            work,
            streams,
            EngineCommands(engine),
            label=label_of(work),
            surroundings=surroundings.variables,
            visible=() if token is None else (Path(token),),
        )
        parts.callback(containers.close)
        return containers, containers.limits_memory_by


def _resize(batch: BatchService, vcpus: int) -> None:
    """Also where the compute environments are those of an earlier time."""
    from swell.sandbox.batch.default_resources import ResourceCall

    batch.decider.make(
        [
            ResourceCall(
                "UpdateComputeEnvironment",
                {"computeEnvironment": one.name, "computeResources": {"maxvCpus": vcpus}},
            )
            for one in batch.decider.status().environments
        ]
    )


def _try_port(port: int) -> None:
    """So that a port that is taken is told at once, not when all else is up."""
    socket.create_server(("127.0.0.1", port)).close()


def _or_port_taken(serve: Callable[[], _T], port: int) -> _T:
    try:
        return serve()
    except OSError as error:
        raise ComputeError(
            f"Port {port} cannot be had: {error.strerror}.",
            remedy="Leave out --port for a free one, or end the program that has it.",
        ) from error


def _tell(fd: int, report: Report) -> None:
    """Once; whoever waits may be gone."""
    try:
        os.write(fd, msgspec.json.encode(report) + b"\n")
        os.close(fd)
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
