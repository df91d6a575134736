"""``Runner``: runs a flow script from a program, blocking or beside other work."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any

from swell.errors import InternalError, NotFound
from swell.programs.arguments import given_text, top_arguments, variables_of
from swell.programs.command import STREAMS, Command, open_command
from swell.programs.interrupts import InterruptWatch
from swell.programs.waiting import block, unblocked
from swell.session.notebook import Run, run_at
from swell.task.current import current


class ExecutingRun:
    """A run that a Runner started; ``run`` is the client's object for it.

    As a context manager it removes the Runner's temporary files at the end.
    """

    def __init__(self, runner: Runner, command_obj: Command) -> None:
        self.runner = runner
        self.command_obj = command_obj
        attributes = command_obj.attributes
        if attributes is None:
            raise InternalError("A run was handed out before it had a number.")
        path = f"{attributes.flow_name}/{attributes.run_id}"
        self.run: Run = run_at(attributes.metadata, path)

    @property
    def returncode(self) -> int | None:
        """The exit code of the script, or minus the signal that ended it; None while it runs."""
        return self.command_obj.returncode

    @property
    def status(self) -> str:
        """'running', 'successful', 'failed', or 'timeout' where ``wait`` ended it."""
        if self.command_obj.timeout:
            return "timeout"
        code = self.returncode
        if code is None:
            return "running"
        return "failed" if code else "successful"

    @property
    def stdout(self) -> str:
        """What the script has printed so far, the lines of tasks among it."""
        return self.command_obj.text("stdout")

    @property
    def stderr(self) -> str:
        """What the script has printed to standard error so far."""
        return self.command_obj.text("stderr")

    async def wait(self, timeout: float | None = None, stream: str | None = None) -> ExecutingRun:
        """Until the run has ended; after ``timeout`` seconds the run is ended.

        Lines of ``stream``, 'stdout' or 'stderr', are printed as they come.
        """
        self.runner._watch.install()
        await self.command_obj.wait(timeout, stream)
        return self

    async def stream_log(
        self, stream: str, position: int | None = None
    ) -> AsyncIterator[tuple[int, str]]:
        """(position, line) of 'stdout' or 'stderr' until the run has ended.

        A position that was given before is where to go on.
        """
        self.runner._watch.install()
        async for found in self.command_obj.stream_log(stream, position):
            yield found

    def __enter__(self) -> ExecutingRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.runner.__exit__(kind, error, trace)

    async def __aenter__(self) -> ExecutingRun:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.runner.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<ExecutingRun {self.run.pathspec}: {self.status}>"


class Runner:
    """Runs the flow of a script: ``Runner("flow.py").run(alpha=5).run.data.x``.

    ``show_output`` repeats what a blocking ``run`` or ``resume`` prints. ``env`` is added
    to the environment, ``profile`` chooses a profile, ``cwd`` is the folder it runs in.
    ``file_read_timeout`` is how many seconds the script may take to begin its run.
    Further keywords are the options before the command: ``pylint=False``,
    ``decospecs=["retry"]``, ``config=[("name", "path")]``, ``config_value=[("name", {})]``,
    ``branch="test"``. As a context manager it calls ``cleanup`` at the end.
    """

    def __init__(
        self,
        flow_file: str,
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        file_read_timeout: float = 3600,
        **top: Any,
    ) -> None:
        self.flow_file = os.path.abspath(flow_file)
        self.show_output = show_output
        self.cwd = cwd
        self.file_read_timeout = file_read_timeout
        self._profile = profile
        self._env = dict(env or {})
        self._top = top
        self._commands: list[Command] = []
        self._watch = InterruptWatch(lambda: self._commands)

    def run(self, **options: Any) -> ExecutingRun:
        """Run the flow to its end. ``options``: parameters, and those of the command ``run``:
        ``max_workers``, ``tags=["a"]``, ``decospecs=["retry"]``, ``user_namespace`` …

        A run that fails is a result. Raises UsageError for a wrong option, name or type,
        ExternalCommandFailed where the script began no run.
        """
        return self._run_blocking(self._open("run", options))

    def resume(self, **options: Any) -> ExecutingRun:
        """Resume a run and go to its end: ``origin_run_id`` (else the latest),
        ``step_to_rerun``, and options as for ``run``."""
        return self._run_blocking(self._open("resume", options))

    async def async_run(self, **options: Any) -> ExecutingRun:
        """As ``run``, but returns when the run has its number."""
        return await self._run_beside(self._open("run", options))

    async def async_resume(self, **options: Any) -> ExecutingRun:
        """As ``resume``, but returns when the run has its number."""
        return await self._run_beside(self._open("resume", options))

    def cleanup(self) -> None:
        """Remove temporary files. Runs that still go on are left alone."""
        self._watch.remove()
        for command in self._commands:
            command.cleanup()

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, Exception):
            self._end_all()  # Ctrl-C, cancelled or exiting: nothing is left running
        self.cleanup()

    async def __aenter__(self) -> Runner:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    # --- how ---------------------------------------------------------------------

    def _open(self, name: str, options: dict[str, Any]) -> Command:
        """Start the script; nothing is started where an option cannot be passed on."""
        if not os.path.isfile(self.flow_file):
            raise NotFound(
                f"There is no file {self.flow_file} to run.",
                remedy="A relative path is taken from the working directory.",
            )
        options = {key: value for key, value in options.items() if value is not None}
        step = options.pop("step_to_rerun", None) if name == "resume" else None
        top = top_arguments(self._top)
        given = given_text(options)
        command = open_command(self.flow_file, top, name, given, step)
        self._commands.append(command)
        environ = {**os.environ, **self._env}
        if self._profile:
            environ["SWELL_PROFILE"] = self._profile
        for variable in variables_of(name, options):
            environ.pop(variable, None)
        # Inside a task the run belongs to the task's process group, and ends with it.
        command.start(environ, self.cwd or os.getcwd(), own_session=not current.is_running_flow)
        return command

    def _run_blocking(self, command: Command) -> ExecutingRun:
        tails = [(stream, command.tail(stream)) for stream in STREAMS]

        def show() -> None:
            if self.show_output:
                for stream, tail in tails:
                    _show(stream, tail.read(is_whole=command.returncode is not None))

        self._watch.install()
        try:
            block(command.until_started(self.file_read_timeout), show)
            block(command.until_ended(), show)
        except BaseException:
            block(command.ending())
            raise
        finally:
            show()
            self._watch.remove()
        return ExecutingRun(self, command)

    async def _run_beside(self, command: Command) -> ExecutingRun:
        self._watch.install()
        try:
            await unblocked(command.until_started(self.file_read_timeout))
        except BaseException:
            await unblocked(command.ending())
            raise
        return ExecutingRun(self, command)

    def _end_all(self) -> None:
        for command in self._commands:
            block(command.ending())


def _show(stream: str, lines: Any) -> None:
    import sys

    target = getattr(sys, stream)
    for _, line in lines:
        target.write(line + "\n")
    target.flush()
