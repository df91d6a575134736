"""Files that a no-op task leaves in the store."""

from __future__ import annotations

from pathlib import Path

from bench.fan import command
from bench.lab import HERE, Findings, Lab, Row

SCRIPT = HERE / "flows" / "fan.py"
TASKS, PEER_TASKS = 1000, 21


def measure(lab: Lab) -> Findings:
    def left(n: int) -> int:
        store = lab.fresh_folder()
        lab.swell(SCRIPT, *command(n), store=store)
        return count(store / ".swell")

    def left_by_metaflow(n: int) -> int:
        store = lab.fresh_folder()
        lab.metaflow(SCRIPT, *command(n), store=store)
        return count(store / ".metaflow")

    ours = (left(TASKS) - left(1)) / (TASKS - 1)
    theirs = (left_by_metaflow(PEER_TASKS) - left_by_metaflow(1)) / (PEER_TASKS - 1)
    row = Row(
        "files created per no-op task",
        f"{ours:.2f}",
        f"Metaflow {theirs:.1f}",
        "",
        "at most 1",
        ours <= 1,
    )
    return Findings(
        [row],
        [
            "Files in the store after the run, beyond those of a run with one task:"
            f" swell with {TASKS:,} tasks, Metaflow with {PEER_TASKS}; once each."
        ],
    )


def count(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))
