"""Open a large array that an earlier step made, and read one row of it."""

from __future__ import annotations

import re
import shutil

from bench.lab import HERE, Findings, Lab, Row, median, ms

SCRIPT = HERE / "flows" / "row.py"
TIMES = 3


def measure(lab: Lab) -> Findings:
    mb = 10_000 if lab.full else 1000
    found = []
    for _ in range(TIMES if mb <= 1000 else 1):
        store = lab.fresh_folder()
        ended = lab.swell(SCRIPT, "run", "--mb", mb, store=store)
        found.append(float(re.search(r"OPENED ([\d.e-]+)", ended.output)[1]))
        shutil.rmtree(store)
    opened = median(found)
    return Findings(
        [
            Row(
                f"open an artifact of {mb:,} MB and read one row",
                ms(opened),
                "",
                "",
                "under 20 ms",
                opened < 0.02,
            )
        ],
        [
            "Random doubles, saved by the step before; timed inside the step, from asking for"
            " the attribute to the sum of the row. 10 GB with --full, which takes as much memory."
        ],
    )
