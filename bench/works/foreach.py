"""A foreach of 100 and 1,000 tasks that do nothing, two workers."""

from __future__ import annotations

import os

from bench.fan import WORKERS, measure_fan
from bench.lab import HERE, Findings, Lab, Row, median, ms, runs, times

SCRIPT = HERE / "flows" / "fan.py"
TIMES = 5
PEERS = {"dask": "Dask distributed", "ray": "Ray", "parsl": "Parsl's HTEX"}


def measure(lab: Lab) -> Findings:
    fan = measure_fan(lab, SCRIPT, (100, 1000), TIMES, 1000 if lab.full else 100)
    rows = []
    for n, cost in fan.swell.items():
        rows.append(
            Row(
                f"foreach of {n:,} no-op tasks, {WORKERS} workers, per task",
                ms(cost),
                f"Metaflow {ms(fan.metaflow)}",
                times(fan.metaflow / cost),
                "at least 100×",
                fan.metaflow / cost >= 100,
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
    rows += whole_process(lab)
    return Findings(
        rows,
        [
            "Per task = (run of n − run of 1) / (n − 1), medians of"
            f" {TIMES} runs of swell and of a loop of 1,000 forks, 2 of Metaflow with"
            f" {fan.metaflow_tasks} tasks, in turn. The loop forks and waits one by one, in a"
            " process that has imported the modules a task of swell finds loaded."
            " The other systems keep no results, logs or metadata."
        ],
    )


def whole_process(lab: Lab) -> list[Row]:
    """1,000 tasks, whole process, beside systems that keep nothing."""
    store = lab.fresh_folder()
    cases = {
        "swell": lambda: (
            lab.swell(
                SCRIPT,
                *("run", "--n", 1000, "--max-workers", 2, "--max-num-splits", 1000),
                store=store,
            ).seconds
        )
    }
    for name in PEERS:
        lab.peer(name)
        script = HERE / "peers" / f"{name}_fan.py"
        # Parsl starts a program of its own, which it looks for on the path.
        path = f"{lab.peer(name).parent}{os.pathsep}{os.environ['PATH']}"
        cases[name] = lambda name=name, script=script, path=path: (
            lab.run([lab.peer(name), script, lab.fresh_folder()], PATH=path).seconds
        )
    found = lab.in_turn(cases, 3)
    ours = median(found["swell"])
    return [
        Row(
            f"1,000 no-op tasks, whole process ({runs(found[name])})",
            ms(ours),
            f"{title} {ms(median(found[name]))}",
            times(median(found[name]) / ours),
            "faster",
            median(found[name]) > ours,
        )
        for name, title in PEERS.items()
    ]
