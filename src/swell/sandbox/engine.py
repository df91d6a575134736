"""What a container engine is asked, by its own command line: podman or docker. Decides nothing."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

PODMAN, DOCKER = "podman", "docker"
_PATIENCE_S = 60.0
_AGAIN_S = 0.1
_TRIES = 5
_NEVER = "0001-"
"""How a time begins that has not been."""


class Engine(msgspec.Struct, frozen=True):
    """One that works here.

    ``command``: its program and what stands before a subcommand. ``has_init``: whether it has
    a small first process to put before a job's own. ``limits_cpu``: whether it can share out
    processors, which not every account may.
    """

    name: str
    command: tuple[str, ...]
    version: str = ""
    has_init: bool = True
    limits_cpu: bool = True


class Said(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


class RunCommand(Protocol):
    """Runs a command to its end; code 124 where it took too long, 127 where it is not there."""

    def __call__(
        self, command: Sequence[str], *, cwd: Path | None = None, given: bytes = b"",
        timeout_s: float = _PATIENCE_S,
    ) -> Said: ...  # fmt: skip


def run_command(
    command: Sequence[str], *, cwd: Path | None = None, given: bytes = b"",
    timeout_s: float = _PATIENCE_S,
) -> Said:  # fmt: skip
    """A RunCommand. ``given`` is its standard input."""
    try:
        done = subprocess.run(
            command, cwd=cwd, input=given, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Said(124, "", f"no answer within {timeout_s:g} s")
    except (OSError, ValueError) as error:
        return Said(127, "", str(error))
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return Said(done.returncode, out, err)


class ContainerState(msgspec.Struct, frozen=True, rename="pascal"):
    """What an engine knows of a container."""

    running: bool
    exit_code: int
    started_at: str
    was_out_of_memory: bool = msgspec.field(name="OOMKilled", default=False)

    @property
    def has_started(self) -> bool:
        """Whether its process ever ran."""
        return not self.started_at.startswith(_NEVER)


class EngineRefused(Exception):
    """The engine will not; its words."""


class EngineCommands:
    """Asks ``engine``; from any thread. Each question takes it some hundredths of a second."""

    def __init__(self, engine: Engine, run: RunCommand = run_command) -> None:
        self.engine = engine
        self._run = run

    def create(self, arguments: Sequence[str], cwd: Path) -> None:
        """Make a container. Raises EngineRefused."""
        said = self._ask("create", *arguments, cwd=cwd)
        if said.code:
            raise EngineRefused(plain(said.err))

    def attached(self, name: str) -> list[str]:
        """The command that runs a container that was made, and ends with it, as it does."""
        return [*self.engine.command, "start", "--attach", name]

    def signal(self, names: Iterable[str], signal: str) -> bool:
        """Send ``signal`` to their first processes; False where one of them does not run."""
        return self._ask("kill", "--signal", signal, *names).code == 0

    def state(self, name: str) -> ContainerState | None:
        """None where it is not known."""
        said = self._ask("container", "inspect", "--format", "{{json .State}}", name)
        try:
            return msgspec.json.decode(said.out, type=ContainerState)
        except msgspec.MsgspecError:
            return None

    def remove(self, names: Sequence[str]) -> None:
        """Remove containers that have ended."""
        for _ in range(_TRIES):
            # One that is being unmounted cannot be removed just now.
            if not names or self._ask("rm", "--force", "--volumes", *names).code == 0:
                return
            time.sleep(_AGAIN_S)

    def clear(self, label: str) -> None:
        """Kill and remove all containers with ``label`` ('name=value')."""
        for _ in range(_TRIES):
            said = self._ask("ps", "--all", "--quiet", "--filter", f"label={label}")
            names = said.out.split()
            if said.code == 0 and not names:
                return
            if names:
                self.signal(names, "KILL")
                self.remove(names)

    def has_image(self, image: str) -> bool:
        """Whether ``image`` is here."""
        return self._ask("image", "inspect", "--format", "{{.Id}}", image).code == 0

    def import_image(self, archive: bytes, image: str) -> None:
        """Make an image of a tar archive. Raises EngineRefused."""
        said = self._ask("import", "-", image, given=archive)
        if said.code:
            raise EngineRefused(plain(said.err))

    def remove_image(self, image: str) -> None:
        """Where it is here."""
        self._ask("image", "rm", "--force", image)

    def _ask(self, *words: str, cwd: Path | None = None, given: bytes = b"") -> Said:
        return self._run([*self.engine.command, *words], cwd=cwd, given=given)


def plain(words: str) -> str:
    """What an engine said, in one line and without the name it gives itself."""
    text = " ".join(words.split())
    for head in ("docker: ", "Error: ", "Error response from daemon: "):
        text = text.removeprefix(head)
    return text
