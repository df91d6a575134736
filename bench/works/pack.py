"""10,000 tasks that do nothing and share processes, beside systems that keep nothing."""

from __future__ import annotations

import os

from bench.fan import WORKERS, command
from bench.lab import HERE, Findings, Lab, Row, median, ms, runs, times
from bench.works.foreach import PEERS, SCRIPT

TASKS = 10_000
TIMES = 3
BAR = 3000


def measure(lab: Lab) -> Findings:
    cpu: list[float] = []

    def swell(n: int) -> float:
        ended = lab.swell(SCRIPT, *command(n), "--pack", store=lab.fresh_folder())
        if n == TASKS:
            cpu.append(ended.cpu_s)
        return ended.seconds

    cases = {"one": lambda: swell(1), "packed": lambda: swell(TASKS)}
    for name in PEERS:
        python, script = lab.peer(name), HERE / "peers" / f"{name}_fan.py"
        # Parsl starts a program of its own, which it looks for on the path.
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        cases[name] = lambda python=python, script=script, path=path: (
            lab.run([python, script, lab.fresh_folder(), TASKS], PATH=path).seconds
        )
    found = lab.in_turn(cases, TIMES)
    packed = median(found["packed"])
    a_second = (TASKS - 1) / (packed - median(found["one"]))
    rows = [
        Row(
            f"{TASKS:,} no-op tasks with --pack, {WORKERS} workers",
            f"{a_second:,.0f} a second",
            bar=f"over {BAR:,} a second",
            reached=a_second > BAR,
        )
    ]
    rows += [
        Row(
            f"{TASKS:,} no-op tasks, whole process ({runs(found[name])})",
            ms(packed),
            f"{title} {ms(median(found[name]))}",
            times(median(found[name]) / packed),
            "faster",
            median(found[name]) > packed,
        )
        for name, title in PEERS.items()
    ]
    return Findings(
        rows,
        [
            "A second = (n − 1) / (run of n − run of 1), medians in turn."
            f" All processes of swell together used {median(cpu) / TASKS * 1000:.2f} ms of a"
            " processor per task, the start of the run with them."
            " Each task leaves a record, facts and a place in resume; the other systems keep"
            " nothing."
        ],
    )
