"""``memory="auto"`` on tasks of known size: what is asked for against what the kernel counts.

History comes of forked attempts; the truth of fresh processes, which ask the kernel themselves.
"""

from __future__ import annotations

import json
import sys

from bench.lab import HERE, Findings, Lab, Row, times

SCRIPT = HERE / "flows" / "sized.py"
STEPS = ("small", "middle", "large", "each")
PEAKS = """
import json
from swell import Flow, namespace
namespace(None)
run = Flow("SizedFlow").latest_run
print(json.dumps({step: max(task["peak_mb"].data for task in run[step]) for step in %r}))
"""


def measure(lab: Lab) -> Findings:
    store = lab.fresh_folder()
    for isolation in ("fork", "fresh"):
        lab.swell(SCRIPT, "run", "--max-workers", 2, "--isolation", isolation, store=store)
    # The second run was sized by the first, and ran in fresh processes.
    told = lab.swell(SCRIPT, "usage", "2", "--json", store=store).output
    asked = {one["step"]: one["asked"] for one in json.loads(told)["steps"]}
    true = json.loads(
        lab.run([sys.executable, "-c", PEAKS % (STEPS,)], **lab.swell_variables(store)).output
    )
    rows = []
    for step in STEPS:
        ratio = asked[step]["memory_mb"] / true[step]
        rows.append(
            Row(
                f'`memory="auto"`, step {step}: what is asked for',
                f"{asked[step]['memory_mb']:,} MB",
                f"true peak {true[step]:,.0f} MB",
                times(ratio),
                "at most 1.1×, not below 1×",
                1.0 <= ratio <= 1.1,
            )
        )
    return Findings(rows, ["Step each: 20 tasks of 180 to 218 MB; its true peak is the largest."])
