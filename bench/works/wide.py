"""A foreach of 20,000: the driver's memory, and whether a task costs what it cost before."""

from __future__ import annotations

from bench.fan import command
from bench.lab import HERE, Findings, Lab, Row, median, ms, times

SCRIPT = HERE / "flows" / "fan.py"
NARROW, WIDE = 1000, 20_000


def measure(lab: Lab) -> Findings:
    peaks: list[float] = []

    def run(n: int) -> float:
        ended = lab.swell(SCRIPT, *command(n), store=lab.fresh_folder())
        if n == WIDE:
            peaks.append(ended.peak_mb)
        return ended.seconds

    found = lab.in_turn(
        {"one": lambda: run(1), "narrow": lambda: run(NARROW), "wide": lambda: run(WIDE)},
        3,
        fewer={"wide": 1},
    )
    one = median(found["one"])
    narrow = (median(found["narrow"]) - one) / (NARROW - 1)
    wide = (median(found["wide"]) - one) / (WIDE - 1)
    peak = max(peaks)
    return Findings(
        [
            Row(
                f"driver memory, foreach of {WIDE:,}",
                f"{peak:.0f} MB",
                bar="under 150 MB",
                reached=peak < 150,
            ),
            Row(
                f"time per task, foreach of {WIDE:,}",
                ms(wide),
                f"foreach of {NARROW:,}: {ms(narrow)}",
                times(wide / narrow),
                "within 15 %",
                wide / narrow <= 1.15,
            ),
        ],
        [
            "Memory is the kernel's peak resident size of the driver or of any process it waited"
            f" for, whichever is larger. {WIDE:,} once; {NARROW:,} and 1, median of 3."
        ],
    )
