"""Asks uv for wheels of another platform; nothing is built and no code of packages runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

import msgspec

from swell.errors import CommandException, ComputeError, FlowError, SwellError
from swell.package.requirements import Wanted, remote_lines, text_of

_TIMEOUT_S = 3600
_EXPORT_TIMEOUT_S = 300
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_AWAY = (
    "error sending request",
    "failed to fetch",
    "dns error",
    "tcp connect error",
    "network is unreachable",
    "network was disabled",
    "connection refused",
    "operation timed out",
)
_MOST_SAID = 800
_OLDEST_MINOR = 11

RunCommand = Callable[..., "subprocess.CompletedProcess[bytes]"]


class Target(msgspec.Struct, frozen=True):
    """Where tasks run: Python's minor version ('3.11') and the processor (``x86_64``,
    ``aarch64``), on Linux with glibc 2.28 or newer."""

    python: str
    machine: str = "x86_64"

    @property
    def platform(self) -> str:
        """What uv calls it."""
        return f"{self.machine}-manylinux_2_28"

    @property
    def is_like_here(self) -> bool:
        """Whether its Python reads bytecode that the running one writes."""
        return sys.implementation.name == "cpython" and self.python == running_python()


def running_python() -> str:
    """'3.11'."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def target_of(python: str | None, machine: str | None = None) -> Target:
    """The target that ``@pypi(python=…)`` (None: as here) and a processor mean.

    Raises FlowError for what is no version, or a processor without wheels.
    """
    given = running_python() if python is None else python.strip().removeprefix("==")
    match = re.fullmatch(r"(3\.\d{1,2})(\.\d+|\.\*)?", given)
    if match is None:
        raise FlowError(
            f"@pypi: python is '{python}'.", remedy="Give a version such as '3.11' or '3.11.9'."
        )
    if int(match[1].partition(".")[2]) < _OLDEST_MINOR:
        raise FlowError(
            f"Tasks cannot run on other machines with Python {match[1]}: obstore, with which they "
            f"reach the object store, is there from 3.{_OLDEST_MINOR} on.",
            remedy=f"Use Python 3.{_OLDEST_MINOR} or newer.",
        )
    name = _MACHINES.get((machine or "x86_64").lower())
    if name is None:
        raise FlowError(
            f"Remote tasks cannot run on '{machine}' processors.",
            remedy="Use x86_64 or aarch64.",
        )
    return Target(match[1], name)


class Uv:
    """The program ``uv`` at ``path``."""

    def __init__(self, path: str, run: RunCommand = subprocess.run) -> None:
        self._path = path
        self._run = run

    def install(
        self, lines: Sequence[str], target: Target, into: str, constraints: Sequence[str]
    ) -> None:
        """Unpack the wheels for ``lines`` into the folder ``into``.

        Raises FlowError where no wheels fit together, ComputeError (retryable) where the
        registry cannot be reached.
        """
        limits = f"{into}.constraints"
        with open(limits, "w", encoding="utf-8") as file:
            file.write(text_of(constraints))
        # fmt: off
        command = [
            self._path, "pip", "install", "--target", into, "--python", sys.executable,
            "--python-version", target.python, "--python-platform", target.platform,
            "--only-binary", ":all:", "--no-progress", "--color", "never", "--link-mode", "copy",
            "--constraints", limits, "--requirements", "-", "--quiet",
        ]
        # fmt: on
        done = self._call(command, text_of(lines), _TIMEOUT_S)
        if done.returncode != 0:
            raise explained(done.stderr.decode(errors="replace"), lines, target)

    def locked(self, wanted: Wanted) -> tuple[str, ...]:
        """The pinned requirements in the ``uv.lock`` that ``wanted`` names."""
        assert wanted.lock is not None
        # fmt: off
        command = [
            self._path, "export", "--directory", wanted.lock, "--frozen", "--no-dev",
            "--no-emit-project", "--no-hashes", "--no-header", "--no-annotate", "--quiet",
            "--color", "never",
        ]
        # fmt: on
        done = self._call(command, "", _EXPORT_TIMEOUT_S)
        if done.returncode != 0:
            raise FlowError(
                f"uv cannot read {os.path.join(wanted.lock, 'uv.lock')}: "
                f"{_shortened(done.stderr.decode(errors='replace'))}",
                remedy="Try 'uv lock' there.",
            )
        return remote_lines(
            line.strip()
            for line in done.stdout.decode().splitlines()
            if line.strip() and not line.lstrip().startswith("#")
        )

    def _call(
        self, command: list[str], given: str, timeout_s: float
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return self._run(
                command,
                input=given.encode("utf-8", "surrogateescape"),
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ComputeError(
                f"uv was not done with packages for remote tasks after {timeout_s:.0f} s.",
                remedy="Try again; what it fetched so far is kept.",
                retryable=True,
            ) from error
        except OSError as error:
            raise CommandException(
                f"{self._path}, which fetches packages for remote tasks, cannot be started: "
                f"{error.strerror}.",
                remedy="Install it anew: pip install 'swell[aws]'.",
            ) from error


def find_uv() -> Uv:
    """uv as installed with swell, else the one on PATH. Raises CommandException."""
    path: str | None = None
    try:
        from uv import find_uv_bin

        path = os.fsdecode(find_uv_bin())
    except (ImportError, FileNotFoundError):
        path = shutil.which("uv")
    if path is None:
        raise CommandException(
            "Packages for remote tasks are fetched by uv, which is not installed.",
            remedy="Install it: pip install 'swell[aws]'.",
        )
    return Uv(path)


def explained(said: str, lines: Sequence[str], target: Target) -> SwellError:
    """The error that uv's words mean, when it could not install ``lines``."""
    what = ", ".join(lines[:5]) + (", …" if len(lines) > 5 else "")
    if any(sign in said.lower() for sign in _AWAY):
        return ComputeError(
            f"Packages for remote tasks ({what}) are not in the cache, and the package registry "
            "cannot be reached.",
            remedy="Connect to the network and try again; this is needed once.",
            retryable=True,
        )
    return FlowError(
        f"There are no wheels of {what} for Python {target.python} on Linux {target.machine}. "
        f"uv says: {_shortened(said)}",
        remedy="Change the versions in @pypi or in the requirements; a package without a wheel "
        "can be in the image instead.",
    )


def _shortened(said: str) -> str:
    # uv draws its story as a tree.
    words = " ".join(re.sub(r"[×│├╰─▶]", " ", said).split())
    for empty in ("error: ", "No solution found when resolving dependencies", ":", "cause: "):
        words = words.removeprefix(empty).strip()
    return words if len(words) <= _MOST_SAID else f"{words[:_MOST_SAID]}…"
