"""The scheduler's mind alone: a million simulated tasks."""

from __future__ import annotations

import re
import sys

from bench.lab import HERE, Findings, Lab, Row, median

TASKS, TIMES = 1_000_000, 1


def measure(lab: Lab) -> Findings:
    shown = [
        lab.run([sys.executable, HERE / "scheduler_alone.py", TASKS]).output for _ in range(TIMES)
    ]

    def number(pattern: str) -> float:
        found = [re.search(pattern, text) for text in shown]
        return median([float(match.group(1).replace(",", "")) for match in found if match])

    batches = number(r"in batches: ([\d,]+) events")
    single = number(r"one by one: ([\d,]+) events")
    held = number(r"held: ([\d.]+) bytes")
    return Findings(
        [
            Row(
                f"scheduler alone, {TASKS:,} tasks simulated",
                f"{batches:,.0f} events a second",
                f"one by one: {single:,.0f}",
                bar="over 100,000 events a second",
                reached=batches > 100_000,
            ),
            Row(
                "… held per unfinished task",
                f"{held:.0f} bytes",
                bar="at most 100 bytes",
                reached=held <= 100,
            ),
        ],
        [
            "Ends of attempts handed over in batches of 64, as the loop does, and one by one;"
            f" processor time, {TIMES} run."
        ],
    )
