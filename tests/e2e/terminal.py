"""Runs a flow script as a person does, in a process of its own, and reads what it left."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

DEADLINE_S = 240


class Done(NamedTuple):
    """What a finished program left."""

    code: int
    stdout: str
    stderr: str


def python(script: Path, *arguments: str, store: Path, **variables: str) -> Done:
    """Run ``script`` with ``store`` as its working directory and its store's home."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SWELL_")}
    environ |= {"SWELL_ROOT": str(store / ".swell"), "SWELL_USER": "tester", **variables}
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=store,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def run(script: Path, *arguments: str, store: Path, **variables: str) -> Done:
    """The same, for what must succeed."""
    done = python(script, *arguments, store=store, **variables)
    assert done.code == 0, f"{script.name} {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done


def artifacts(script: Path, path: str, *, store: Path) -> list[dict[str, Any]]:
    """The artifacts of every task at ``run/step`` or ``run/step/task``, in order of task id."""
    file = store / "dumped.pickle"
    file.unlink(missing_ok=True)
    run(script, "--quiet", "dump", path, "--file", str(file), store=store)
    tasks = pickle.loads(file.read_bytes())
    return [tasks[key] for key in sorted(tasks, key=lambda key: int(key.split("/")[2]))]
