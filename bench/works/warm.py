"""The same foreach, in a script that imports NumPy and pandas at its top."""

from __future__ import annotations

from bench.fan import WORKERS, measure_fan
from bench.lab import HERE, Findings, Lab, Row, ms, times

SCRIPT = HERE / "flows" / "warm_fan.py"
TIMES = 3


def measure(lab: Lab) -> Findings:
    fan = measure_fan(lab, SCRIPT, (100, 1000), TIMES, 1000 if lab.full else 40)
    rows = []
    for n, cost in fan.swell.items():
        rows.append(
            Row(
                f"with `import numpy, pandas`: foreach of {n:,}, {WORKERS} workers, per task",
                ms(cost),
                f"Metaflow {ms(fan.metaflow)}",
                times(fan.metaflow / cost),
                "at least 60×",
                fan.metaflow / cost >= 60,
            )
        )
        rows.append(
            Row(
                "… against fork and wait from the same warm process",
                ms(cost),
                f"fork {ms(fan.fork)}",
                times(cost / fan.fork),
                "at most 1.6×",
                cost / fan.fork <= 1.6,
            )
        )
    return Findings(
        rows,
        [
            f"As foreach, {TIMES} runs of swell and of the fork loop, 2 of Metaflow with"
            f" {fan.metaflow_tasks} tasks, in turn."
        ],
    )
