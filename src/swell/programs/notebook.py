"""``NBRunner``: runs the flow class of the notebook cell that is being worked on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any, Protocol

from swell.errors import CommandException
from swell.programs.cells import flow_script
from swell.programs.runner import ExecutingRun, Runner
from swell.session.notebook import Run


class History(Protocol):
    """What is asked of an IPython shell: its cells so far, the last being the current one."""

    @property
    def input_hist_parsed(self) -> list[str]: ...


class NBRunner:
    """Runs the flow of the current cell: ``NBRunner(MyFlow).nbrun(alpha=5).data.x``.

    The class has to be defined in the same cell, which is run as a script up to the
    class's end, in ``base_dir`` (default: the working directory). Other keywords are those
    of ``Runner``. ``history`` is IPython's, unless given.
    """

    def __init__(
        self,
        flow: type,
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        base_dir: str | None = None,
        file_read_timeout: float = 3600,
        *,
        history: History | None = None,
        **top: Any,
    ) -> None:
        self.flow = flow
        self._script = flow_script(_current_cell(history or _history()), flow.__name__)
        self._base_dir = base_dir
        self._file: str | None = None
        self._runner: Runner | None = None
        self._keywords: dict[str, Any] = {
            "show_output": show_output,
            "profile": profile,
            # Programs that a notebook's server started ask it for their end by this variable.
            "env": {**(env or {}), "JPY_PARENT_PID": ""},
            "file_read_timeout": file_read_timeout,
            **top,
        }

    def nbrun(self, **options: Any) -> Run:
        """Run the flow to its end, clean up, and return the run; see ``Runner.run``."""
        try:
            return self.run(**options).run
        finally:
            self.cleanup()

    def nbresume(self, **options: Any) -> Run:
        """Resume a run of the flow to its end, clean up, and return the new run."""
        try:
            return self.resume(**options).run
        finally:
            self.cleanup()

    def run(self, **options: Any) -> ExecutingRun:
        """See ``Runner.run``."""
        return self._opened().run(**options)

    def resume(self, **options: Any) -> ExecutingRun:
        """See ``Runner.resume``."""
        return self._opened().resume(**options)

    async def async_run(self, **options: Any) -> ExecutingRun:
        """See ``Runner.async_run``."""
        return await self._opened().async_run(**options)

    async def async_resume(self, **options: Any) -> ExecutingRun:
        """See ``Runner.async_resume``."""
        return await self._opened().async_resume(**options)

    def cleanup(self) -> None:
        """Remove temporary files; after ``async_run`` only once the run has ended."""
        if self._runner is not None:
            self._runner.cleanup()
            self._runner = None
        if self._file is not None:
            os.unlink(self._file)
            self._file = None

    def _opened(self) -> Runner:
        if self._runner is None:
            folder = self._base_dir or os.getcwd()
            # Beside what the notebook imports, so that the script can import it too.
            with tempfile.NamedTemporaryFile(
                "w",
                encoding="utf-8",
                prefix=f"{self.flow.__name__}-",
                suffix=".py",
                dir=folder,
                delete=False,
            ) as file:
                file.write(self._script)
            self._file = file.name
            self._runner = Runner(file.name, cwd=folder, **self._keywords)
        return self._runner


def _history() -> History:
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        raise CommandException(
            "NBRunner was used outside of a notebook: there is no cell to run.",
            remedy="In a script use Runner('flow.py').",
        )
    history: History = shell.history_manager
    return history


def _current_cell(history: History) -> str:
    return history.input_hist_parsed[-1]
