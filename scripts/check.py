"""Run every check on this repository, one line a phase, as `make test` and CI do.

`python scripts/check.py` runs all; names pick some: `python scripts/check.py lint unit`.
A failing phase shows its output, the others still run, and the exit code is 1.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CODE = ["src", "tests", "scripts", "examples", "bench"]


class Phase(NamedTuple):
    """One command; ``shows`` lets its output through instead of keeping it for a failure."""

    command: list[str]
    shows: bool = False


def tool(name: str, *args: str) -> list[str]:
    return [str(BIN / name), *args]


def tests(*paths: str) -> Phase:
    # Two workers, as the machines that run this have two cores. Each begins with half of the
    # files, so that what a file sets up once is mostly set up once, and takes over from the
    # other when it is done.
    return Phase(tool("pytest", "-n", "2", "--dist", "worksteal", *paths), shows=True)


PHASES = {
    "format": Phase(tool("ruff", "format", "--check", *CODE)),
    "lint": Phase(tool("ruff", "check", *CODE)),
    "types": Phase(tool("mypy")),
    "floors": Phase(tool("lint-imports")),
    "tests": tests("tests"),
    "unit": tests("tests/unit", "tests/house", "tests/contract"),
}
DEFAULT = ["format", "lint", "types", "floors", "tests"]


def run(name: str, phase: Phase) -> bool:
    started = time.monotonic()
    done = subprocess.run(
        phase.command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=None if phase.shows else subprocess.PIPE,
        stderr=None if phase.shows else subprocess.STDOUT,
        text=True,
        check=False,
    )
    ok = done.returncode == 0
    if not ok and done.stdout:
        print(done.stdout, flush=True)
    print(f"{'ok' if ok else 'FAIL':5} {name:9} {time.monotonic() - started:.1f} s", flush=True)
    return ok


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in PHASES]
    if unknown:
        print(f"No phase {', '.join(unknown)}. There are: {', '.join(PHASES)}.", file=sys.stderr)
        return 2
    failed = [name for name in names or DEFAULT if not run(name, PHASES[name])]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
