"""100 tasks, two at a time, that sum the same 200 MB of their parent."""

from __future__ import annotations

import re
import sys

from bench.lab import HERE, Findings, Lab, Row, median, ms

SCRIPT = HERE / "flows" / "parent.py"
LOOP = HERE / "sum_loop.py"
TASKS, MB, TIMES = 100, 200, 3


def measure(lab: Lab) -> Findings:
    rows = []
    for kind in ("doubles", "integers"):
        pss: list[float] = []

        def run(touch: bool, kind: str = kind, pss: list[float] = pss) -> float:
            ended = lab.swell(
                SCRIPT,
                *("run", "--n", TASKS, "--mb", MB, "--kind", kind, "--touch", touch),
                *("--max-workers", 2, "--max-num-splits", TASKS),
                store=lab.fresh_folder(),
            )
            if touch:
                pss.append(float(re.search(r"PSS ([\d.]+)", ended.output)[1]))
            return ended.seconds

        found = lab.in_turn({"touch": lambda: run(True), "bare": lambda: run(False)}, TIMES)
        beyond = median(found["touch"]) - median(found["bare"])
        if kind == "doubles":
            limit = float(lab.run([sys.executable, LOOP, lab.fresh_folder(), TASKS, MB]).output)
        rows.append(
            Row(
                f"{TASKS} tasks sum one parent artifact of {MB} MB ({kind}), beyond the fan-out",
                ms(beyond),
                f"forks that map and sum {ms(limit)}",
                f"{limit / beyond:.2f} × its speed",
                "under 1.5 s",
                beyond < 1.5,
            )
        )
        both = median(pss)
        rows.append(
            Row(
                "… PSS of the two tasks at a time",
                f"{both:.0f} MB",
                "",
                "",
                "under 300 MB",
                both < 300,
            )
        )
    return Findings(
        rows,
        [
            f"Runs in which the tasks do and do not sum, in turn, medians of {TIMES}. PSS of two:"
            " twice the most anonymous memory of a task, and once the most of files, since a page"
            " of a file counts once however many map it (/proc/self/smaps_rollup, after summing)."
            " The forks are bare: two at a time, each"
            " maps a file of so many bytes and sums it; what the same forks cost without that is"
            " taken off."
        ],
    )
