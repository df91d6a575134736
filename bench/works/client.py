"""The client: list 1,000 tasks and read one artifact of each, as a whole process."""

from __future__ import annotations

import shutil
import sys

from bench.fan import command
from bench.lab import HERE, PEERS, Findings, Lab, Row, median, ms, times

SCRIPT = HERE / "flows" / "fan.py"
TASKS, TIMES = 1000, 5
READ = """
from {system} import Flow, namespace
namespace(None)
run = Flow("FanFlow").latest_run
tasks = list(run["work"])
assert len(tasks) == {tasks}
assert sum(task["one"].data for task in tasks) == {total}
"""
IMPORT = "from {system} import Flow, namespace"


def measure(lab: Lab) -> Findings:
    ours, theirs = lab.fresh_folder(), PEERS / f"store-{TASKS}"
    lab.swell(SCRIPT, *command(TASKS), store=ours)
    if not (theirs / "done").exists():
        shutil.rmtree(theirs, ignore_errors=True)
        theirs.mkdir(parents=True)
        print(f"      a run of {TASKS:,} tasks on Metaflow, once; it takes minutes", flush=True)
        lab.metaflow(SCRIPT, *command(TASKS), store=theirs)
        (theirs / "done").touch()

    def swell(code: str) -> float:
        code = code.format(system="swell", tasks=TASKS, total=TASKS * (TASKS - 1) // 2)
        variables = {"SWELL_ROOT": str(ours / ".swell"), "SWELL_USER": "bench"}
        return lab.run([sys.executable, "-c", code], cwd=ours, **variables).seconds

    def metaflow(code: str) -> float:
        code = code.format(system="metaflow", tasks=TASKS, total=TASKS * (TASKS - 1) // 2)
        variables = lab.metaflow_variables(theirs)
        return lab.run([lab.peer("metaflow"), "-c", code], cwd=theirs, **variables).seconds

    found = lab.in_turn(
        {
            "swell": lambda: swell(READ),
            "swell import": lambda: swell(IMPORT),
            "metaflow": lambda: metaflow(READ),
            "metaflow import": lambda: metaflow(IMPORT),
        },
        TIMES,
    )
    mid = {name: median(values) for name, values in found.items()}
    beyond = mid["swell"] - mid["swell import"]
    theirs_beyond = mid["metaflow"] - mid["metaflow import"]
    return Findings(
        [
            Row(
                f"client: list {TASKS:,} tasks, read one artifact of each, whole process",
                ms(mid["swell"]),
                f"Metaflow {ms(mid['metaflow'])}",
                times(mid["metaflow"] / mid["swell"]),
                "at least 4×",
                mid["metaflow"] / mid["swell"] >= 4,
            ),
            Row(
                "… beyond the import",
                ms(beyond),
                f"Metaflow {ms(theirs_beyond)}",
                times(theirs_beyond / beyond),
                "at least 15×",
                theirs_beyond / beyond >= 15,
            ),
        ],
        [f"Median of {TIMES}, in turn. Beyond the import = whole process − the import alone."],
    )
