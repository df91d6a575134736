"""What importing costs over bare Python."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.lab import Findings, Lab, Row, median, ms

STATEMENTS = {
    "bare": "pass",
    "package": "import swell",
    "names": "from swell import FlowSpec, Parameter, step",
}
BARS = {"package": 0.030, "names": 0.060}
TIMES = 21


def measure(lab: Lab) -> Findings:
    def start(python: Path | str, statement: str) -> float:
        return lab.run([python, "-c", statement]).seconds

    cases = {
        name: (lambda statement=statement: start(sys.executable, statement))
        for name, statement in STATEMENTS.items()
    }
    metaflow = lab.peer("metaflow")
    cases["metaflow bare"] = lambda: start(metaflow, "pass")
    cases["metaflow"] = lambda: start(metaflow, "from metaflow import FlowSpec, Parameter, step")
    found = lab.in_turn(cases, TIMES)
    peer = median(found["metaflow"]) - median(found["metaflow bare"])
    rows = []
    for name, bar in BARS.items():
        cost = median(found[name]) - median(found["bare"])
        rows.append(
            Row(
                f"`{STATEMENTS[name]}` over bare Python",
                ms(cost),
                f"Metaflow's names {ms(peer)}",
                f"{peer / cost:.0f}×",
                f"under {bar * 1000:.0f} ms",
                cost < bar,
            )
        )
    return Findings(
        rows,
        [
            "A fresh interpreter with each statement and with `pass`"
            f" ({ms(median(found['bare']))}), {TIMES} times in turn; differences of medians."
        ],
    )
