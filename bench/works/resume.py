"""Resuming a run of 1,000 tasks whose join failed: how soon the join begins."""

from __future__ import annotations

import time
from pathlib import Path

from bench.fan import command
from bench.lab import HERE, Findings, Lab, Row, median, ms

SCRIPT = HERE / "flows" / "fails_late.py"
TASKS, TIMES = 1000, 3
BAR_S = 0.5


def measure(lab: Lab) -> Findings:
    first = [until_join(lab) for _ in range(TIMES)]
    row = Row(
        f"resume of a run of {TASKS:,} tasks, to its first new task",
        ms(median(first)),
        bar=f"under {BAR_S} s",
        reached=median(first) < BAR_S,
    )
    return Findings(
        [row],
        [
            f"From the start of the `resume` process to the first line of the join's own code;"
            f" median of {TIMES}, each on a store of its own."
        ],
    )


def until_join(lab: Lab) -> float:
    """Seconds from the start of ``resume`` to the join's first line."""
    store = lab.fresh_folder()
    mark = store / "mended"
    lab.swell(SCRIPT, *command(TASKS), "--mended", mark, store=store, fails=True)
    mark.touch()
    started = time.time()
    lab.swell(SCRIPT, "resume", "--max-workers", 2, "--max-num-splits", TASKS, store=store)
    return float(Path(f"{mark}.began").read_text()) - started
