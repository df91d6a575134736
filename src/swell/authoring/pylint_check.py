"""pylint's errors on a flow's script, if pylint is installed; it runs in its own process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence

from swell.errors import LintWarn

_TIMEOUT_S = 120
_ERROR_BITS = 1 | 2
_USAGE_BIT = 32
# https://pylint.readthedocs.io/en/stable/user_guide/usage/run.html#exit-codes: fatal 1,
# error 2, warning 4, refactor 8, convention 16, usage 32.

# Attributes of a flow come from its steps, and are not known to pylint.
_DISABLED = "no-member,not-callable,no-self-argument,unsubscriptable-object,unpacking-non-sequence"

RunCommand = Callable[..., "subprocess.CompletedProcess[str]"]


def is_installed() -> bool:
    """pylint can be imported."""
    return importlib.util.find_spec("pylint") is not None


def command(script: str) -> list[str]:
    """The command line that prints the errors in ``script``, and nothing else."""
    return [
        sys.executable,
        "-m",
        "pylint",
        "--errors-only",
        f"--disable={_DISABLED}",
        "--msg-template={path}:{line}: {msg} ({symbol})",
        "--score=no",
        script,
    ]


def check_with_pylint(script: str, run: RunCommand = subprocess.run) -> str:
    """Raise LintWarn with pylint's errors in ``script``; returns '' or a notice.

    A notice says in words that pylint could not do its work, which is no error of the
    flow.
    """
    try:
        done = run(command(script), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"pylint could not run: {error}"
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("***")]
    could_not = done.returncode < 0 or done.returncode & _USAGE_BIT
    if could_not or (done.returncode & _ERROR_BITS and not lines):
        return f"pylint could not run (exit code {done.returncode}): {_last_line(done.stderr)}"
    if done.returncode & _ERROR_BITS:
        raise LintWarn(
            f"pylint finds errors in {script}:\n" + "\n".join(lines),
            remedy="Mend them, or run with --no-pylint.",
            source_file=script,
            line_no=_first_line_no(lines),
        )
    return ""


def _first_line_no(lines: Sequence[str]) -> int | None:
    for line in lines:
        for part in line.split(":")[1:2]:
            if part.strip().isdigit():
                return int(part)
    return None


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
