"""Run every check on this repository, one line a phase, as `make test` and CI do.

`python scripts/check.py` runs all; names pick some: `python scripts/check.py lint unit`.
A failing phase shows its output, the others still run, and the exit code is 1. Types and
floors are checked while the tests run, which wait more than they compute, and told after them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CODE = ["src", "tests", "scripts", "examples", "bench"]


class Phase(NamedTuple):
    """One command; ``shows`` lets its output through instead of keeping it for a failure;
    ``beside`` says that it runs while others do."""

    command: list[str]
    shows: bool = False
    beside: bool = False


class Ended(NamedTuple):
    """What became of a phase, with what it kept of its output."""

    name: str
    ok: bool
    took_s: float
    output: str


def tool(name: str, *args: str) -> list[str]:
    return [str(BIN / name), *args]


def tests(*paths: str) -> Phase:
    # The machines that run this have two cores; a third worker computes while the tests of
    # another wait for a server. Each begins with a third of the files, so that what a file sets
    # up once is mostly set up once, and takes over from the others when it is done.
    return Phase(tool("pytest", "-n", "3", "--dist", "worksteal", *paths), shows=True)


PHASES = {
    "format": Phase(tool("ruff", "format", "--check", *CODE)),
    "lint": Phase(tool("ruff", "check", *CODE)),
    "types": Phase(tool("mypy"), beside=True),
    "floors": Phase(tool("lint-imports"), beside=True),
    "tests": tests("tests"),
    "unit": tests("tests/unit", "tests/house", "tests/contract"),
}
DEFAULT = ["format", "lint", "types", "floors", "tests"]


def run(name: str) -> Ended:
    started = time.monotonic()
    phase = PHASES[name]
    done = subprocess.run(
        phase.command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=None if phase.shows else subprocess.PIPE,
        stderr=None if phase.shows else subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Ended(name, done.returncode == 0, time.monotonic() - started, done.stdout or "")


def tell(ended: Ended) -> bool:
    """Whether all is well."""
    if not ended.ok and ended.output:
        print(ended.output, flush=True)
    print(f"{'ok' if ended.ok else 'FAIL':5} {ended.name:9} {ended.took_s:.1f} s", flush=True)
    return ended.ok


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in PHASES]
    if unknown:
        print(f"No phase {', '.join(unknown)}. There are: {', '.join(PHASES)}.", file=sys.stderr)
        return 2
    names = names or DEFAULT
    failed = []
    with ThreadPoolExecutor(1) as thread:
        beside = {name: thread.submit(run, name) for name in names if PHASES[name].beside}
        for name in sorted(names, key=beside.__contains__):
            if not tell(beside[name].result() if name in beside else run(name)):
                failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
