"""Twelve real scripts: which way their tasks get a process, and what a task costs there."""

from __future__ import annotations

import re

from bench.lab import HERE, ROOT, Findings, Lab, Row, median, ms

SCRIPTS = HERE / "isolation"
TASKS, TIMES = 20, 3
BODY = """

from pathlib import Path

from swell import FlowSpec, Parameter, step


class RealFlow(FlowSpec):
    n = Parameter("n", default=1)

    @step
    def start(self):
        self.items = list(range(self.n))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        # A forked task shows the command line of its driver, a fresh one its own.
        words = Path("/proc/self/cmdline").read_bytes().split(b"\\0")
        self.way = "fork" if b"run" in words else "fresh"
        self.seen = use()
        self.next(self.join)

    @step
    def join(self, inputs):
        print("way:", *{task.way for task in inputs})
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    RealFlow()
"""


def measure(lab: Lab) -> Findings:
    python = lab.peer("isolation")
    rows = []
    for script in sorted(SCRIPTS.glob("*.py")):
        name = re.sub(r"^\d+_", "", script.stem).replace("_", " ")
        flow = lab.fresh_folder() / script.name
        flow.write_text(script.read_text() + BODY)
        ways: set[str] = set()

        def run(n: int, flow=flow, ways=ways) -> float:
            store = flow.parent
            ended = lab.run(
                [python, flow, "--no-pylint", "run", "--n", n, "--max-workers", 2],
                cwd=store,
                PYTHONPATH=str(ROOT / "src"),
                SWELL_ROOT=str(store / ".swell"),
                SWELL_USER="bench",
            )
            ways.update(re.findall(r"way: (.*)", ended.output))
            return ended.seconds

        found = lab.in_turn({"one": lambda: run(1), "many": lambda: run(TASKS)}, TIMES)
        cost = (median(found["many"]) - median(found["one"])) / (TASKS - 1)
        way = ", ".join(sorted(ways))
        rows.append(Row(f"`--isolation auto`: {name}", f"{ms(cost)} a task", f"taken: {way}"))
    return Findings(
        rows,
        [
            f"Each script uses its library before the flow starts and again in {TASKS} tasks;"
            f" per task = (run of {TASKS} − run of 1) / {TASKS - 1}, medians of {TIMES}."
        ],
    )
