"""Runs a flow script as a person does, in a process of its own, and reads what it left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import swell

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


def artifacts(path: str, *, store: Path) -> list[Mapping[str, Any]]:
    """The artifacts of every task at ``Flow/run/step``, in order of task id; each is loaded
    when it is asked for."""
    swell.namespace(None)
    swell.metadata(str(store / ".swell"))
    tasks = sorted(swell.Step(path), key=lambda task: int(task.id))
    return [_Artifacts(task) for task in tasks]


class _Artifacts(Mapping[str, Any]):
    def __init__(self, task: swell.Task) -> None:
        self._found = {artifact.id: artifact for artifact in task}

    def __getitem__(self, name: str) -> Any:
        return self._found[name].data

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
