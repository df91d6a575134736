"""A flow of two steps, as a whole process."""

from __future__ import annotations

import re
import sys

from bench.lab import HERE, Findings, Lab, Row, median, ms, runs, times

SCRIPT = HERE / "flows" / "hello.py"
TIMES = 9


def dependencies(lab: Lab) -> list[str]:
    """Modules that the run loads and that are not swell's own, in the order it loads them."""
    store = lab.fresh_folder()
    command = [sys.executable, "-X", "importtime", SCRIPT, "--no-pylint", "run"]
    shown = lab.run(command, cwd=store, SWELL_ROOT=str(store / ".swell"), SWELL_USER="bench")
    names = re.findall(r"^import time: .*\| +([\w.]+)$", shown.output, re.MULTILINE)
    return list(dict.fromkeys(n for n in names if n.split(".")[0] not in ("swell", "__main__")))


def measure(lab: Lab) -> Findings:
    names = dependencies(lab)
    bare = lab.fresh_folder() / "bare.py"
    lines = "".join(f"try: import {name}\nexcept ImportError: pass\n" for name in names)
    bare.write_text(lines)
    ours, theirs = lab.fresh_folder(), lab.fresh_folder()
    found = lab.in_turn(
        {
            "swell": lambda: lab.swell(SCRIPT, "run", store=ours).seconds,
            "metaflow": lambda: lab.metaflow(SCRIPT, "run", store=theirs).seconds,
            "bare": lambda: lab.run([sys.executable, bare]).seconds,
        },
        TIMES,
        fewer={"metaflow": 5},
    )
    swell, metaflow, python = (median(found[name]) for name in ("swell", "metaflow", "bare"))
    return Findings(
        [
            Row(
                "two-step hello, whole process",
                ms(swell),
                f"Metaflow {ms(metaflow)}",
                times(metaflow / swell),
                "at least 5×",
                metaflow / swell >= 5,
            ),
            Row(
                "… against bare Python importing the same dependencies",
                ms(swell),
                f"Python {ms(python)}",
                times(swell / python),
                "under 2.5×",
                swell / python < 2.5,
            ),
        ],
        [
            f"swell and bare Python {runs(found['swell'])} each, Metaflow"
            f" {runs(found['metaflow'])}, in turn. Bare Python imports the {len(names)} modules"
            " that swell's run reports with `-X importtime`, without swell's own."
        ],
    )
