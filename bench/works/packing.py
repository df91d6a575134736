"""Packing: declared memory on one machine, mixed sizes, admission, the cost of watching."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.lab import HERE, Findings, Lab, Row, median, ms

SCALE = 0.1
DECLARED_MB, MACHINE_MB = 6000, 24_000
SEEDS = 20
WATCHED = 16


def measure(lab: Lab) -> Findings:
    scale = 1.0 if lab.full else SCALE
    rows = [_heavy(lab, scale), *_alone(lab), _watching()]
    return Findings(
        rows,
        [
            f"Eight tasks that declare {DECLARED_MB:,} MB touch nine tenths of {scale:g} of it, on "
            f"a machine that is said to have {scale:g} of {MACHINE_MB:,} MB (`--limit memory=…`); "
            "peak is the sum of what processes have of their own and their part of what they "
            "share (PSS), looked at every 50 ms. Metaflow packs nothing on one machine.",
            f"Mixed sizes: 60 tasks of 1 to 8 GB and 1 to 2 cpu for 10 to 60 s, in 12 steps, on 8 "
            f"cpu and 24 GB, in virtual time, {SEEDS} sets. The best of many orders knows all "
            "times beforehand.",
        ],
    )


def _heavy(lab: Lab, scale: float) -> Row:
    script = HERE / "flows" / "heavy.py"
    limit_mb = MACHINE_MB * scale
    asked = ("--max-workers", 16, "--scale", scale)

    def swell() -> object:
        # What is declared is scaled as what is touched is.
        store = lab.fresh_folder()
        (store / "heavy.py").write_text(
            script.read_text().replace("memory=DECLARED_MB", f"memory={round(DECLARED_MB * scale)}")
        )
        return lab.swell(
            store / "heavy.py", "run", *asked, "--limit", f"memory={limit_mb:.0f}", store=store
        )

    def metaflow() -> object:
        return lab.metaflow(script, "run", *asked, store=lab.fresh_folder())

    ours, swell_s = _peak_mb(swell)
    theirs, metaflow_s = _peak_mb(metaflow)
    return Row(
        f"8 tasks of {DECLARED_MB * scale:,.0f} MB declared on {limit_mb:,.0f} MB",
        f"peak {ours:,.0f} MB, {ms(swell_s)}",
        f"Metaflow, 16 workers: peak {theirs:,.0f} MB, {ms(metaflow_s)}",
        f"{theirs / limit_mb:.1f}× the machine against {ours / limit_mb:.2f}×",
        bar="all finish, peak within the limit",
        reached=ours <= limit_mb,
    )


def _peak_mb(run: Callable[[], object]) -> tuple[float, float]:
    """The most memory this process's descendants had together while ``run`` ran; seconds."""
    ended = threading.Event()
    peak = [0.0]

    def look() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], _pss_mb(os.getpid()))

    thread = threading.Thread(target=look)
    thread.start()
    began = time.perf_counter()
    try:
        run()
    finally:
        seconds = time.perf_counter() - began
        ended.set()
        thread.join()
    return peak[0], seconds


def _pss_mb(root: int) -> float:
    """PSS of all descendants of ``root``."""
    total, left = 0.0, [root]
    while left:
        pid = left.pop()
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                left += [int(child) for child in task.read_text().split()]
            except OSError:
                continue  # it has ended meanwhile
        if pid == root:
            continue
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        found = re.search(r"^Pss:\s+(\d+)", text, re.M)
        total += int(found.group(1)) / 1024 if found else 0.0
    return total


def _alone(lab: Lab) -> list[Row]:
    out = lab.run(
        [sys.executable, HERE / "packing_alone.py", SEEDS], PYTHONPATH=str(HERE.parent / "src")
    ).output
    ratios = [float(text) for text in re.findall(r"ratio ([\d.]+)", out)]

    def number(pattern: str) -> float:
        found = re.search(pattern, out)
        assert found is not None
        return float(found.group(1).replace(",", ""))

    decisions = number(r"decisions: ([\d,]+)")
    alone = number(r"admission alone: ([\d,]+)")
    within = sum(ratio <= 1.15 for ratio in ratios)
    return [
        Row(
            f"mixed sizes, 60 tasks, {len(ratios)} sets",
            f"{(median(ratios) - 1) * 100:.0f} % above the best found",
            f"worst {(max(ratios) - 1) * 100:.0f} %, {within} of {len(ratios)} within 15 %",
            bar="within 15 %",
            reached=median(ratios) <= 1.15,
        ),
        Row(
            "admission, 100,000 tasks of four sizes waiting",
            f"{decisions:,.0f} decisions a second",
            f"the admission alone: {alone:,.0f}",
            bar="over 50,000",
            reached=decisions > 50_000,
        ),
    ]


def _watching() -> Row:
    from swell.compute.watching import LOOK_EVERY_S, MachineWatch
    from swell.model.ids import JobId
    from swell.model.job import Inputs, Launch

    sleepers = [subprocess.Popen(["sleep", "60"]) for _ in range(WATCHED)]
    try:
        running = [
            (Launch(JobId(str(n), 0), f"step{n}", 1, Inputs()), one.pid)
            for n, one in enumerate(sleepers)
        ]
        watch = MachineWatch(lambda news: None)
        looks = 200
        began = time.thread_time()
        for look in range(looks):
            watch.look((look + 1) * LOOK_EVERY_S, running)
        share = (time.thread_time() - began) / looks / LOOK_EVERY_S
    finally:
        for one in sleepers:
            one.kill()
            one.wait()
    return Row(
        f"watching memory, pressure and {WATCHED} tasks",
        f"{share * 100:.3f} % of one cpu",
        bar="under 0.5 %",
        reached=share < 0.005,
    )
