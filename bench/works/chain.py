"""A chain of 100 steps, one after the other."""

from __future__ import annotations

from pathlib import Path

from bench.lab import Findings, Lab, Row, median, ms, times

STEPS = 100


def write_chain(script: Path) -> Path:
    """A flow of STEPS steps that each count one up."""
    names = ["start", *(f"s{i}" for i in range(1, STEPS - 1)), "end"]
    lines = ["from swell import FlowSpec, step", "", "", "class ChainFlow(FlowSpec):"]
    for name, after in zip(names, [*names[1:], None], strict=True):
        lines += ["    @step", f"    def {name}(self):"]
        lines += ["        self.n = 0" if name == "start" else "        self.n += 1"]
        lines += [f"        self.next(self.{after})"] if after else []
        lines += [""]
    lines += ["", 'if __name__ == "__main__":', "    ChainFlow()", ""]
    script.write_text("\n".join(lines))
    return script


def measure(lab: Lab) -> Findings:
    script = write_chain(lab.fresh_folder() / "chain.py")
    ours, theirs = lab.fresh_folder(), lab.fresh_folder()
    found = lab.in_turn(
        {
            "swell": lambda: lab.swell(script, "run", store=ours).seconds,
            "metaflow": lambda: lab.metaflow(script, "run", store=theirs).seconds,
        },
        5,
        fewer={"metaflow": 1},
    )
    swell, metaflow = median(found["swell"]), median(found["metaflow"])
    row = Row(
        f"chain of {STEPS} steps, whole process",
        ms(swell),
        f"Metaflow {ms(metaflow)}",
        times(metaflow / swell),
        "at least 60×",
        metaflow / swell >= 60,
    )
    return Findings([row], ["Whole process; median of 5 runs of swell, 1 of Metaflow."])
