"""Measures a foreach of no-op tasks: swell, Metaflow and a bare fork loop, in turn."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.lab import HERE, Lab, median

WORKERS = 2


@dataclass(frozen=True)
class Fan:
    """Seconds per task beyond the run with one task; whole runs beside them."""

    swell: dict[int, float]
    metaflow: float
    metaflow_tasks: int
    fork: float
    whole: dict[str, list[float]]


def task_modules(lab: Lab, script: Path) -> Path:
    """A file with the names of the modules that a task of ``script`` finds loaded."""
    store = lab.fresh_folder()
    probe, names = store / script.name, store / "modules.txt"
    looks = (
        f"        import pathlib, sys\n"
        f"        pathlib.Path({str(names)!r}).write_text('\\n'.join(list(sys.modules)))\n"
    )
    text = script.read_text()
    probe.write_text(
        text.replace("        self.one = self.input\n", looks + "        self.one = 0\n")
    )
    lab.swell(probe, "run", store=store)
    return names


def measure_fan(
    lab: Lab, script: Path, sizes: tuple[int, ...], repeat: int, peer_tasks: int
) -> Fan:
    """Run ``script`` with 1 and each of ``sizes`` tasks on two workers, ``repeat`` times."""
    names = task_modules(lab, script)
    ours, theirs = lab.fresh_folder(), lab.fresh_folder()

    def swell(n: int) -> Callable[[], float]:
        return lambda: lab.swell(script, *command(n), store=ours).seconds

    def metaflow(n: int) -> Callable[[], float]:
        return lambda: lab.metaflow(script, *command(n), store=theirs).seconds

    cases: dict[str, Callable[[], float]] = {f"swell {n}": swell(n) for n in (1, *sizes)}
    cases["fork"] = lambda: float(
        lab.run([sys.executable, HERE / "fork_loop.py", names, 1000]).output.split()[-1]
    )
    cases["metaflow 1"] = metaflow(1)
    cases[f"metaflow {peer_tasks}"] = metaflow(peer_tasks)
    found = lab.in_turn(cases, repeat, fewer={f"metaflow {peer_tasks}": 2, "metaflow 1": 3})
    whole = {name: median(values) for name, values in found.items()}
    return Fan(
        swell={n: (whole[f"swell {n}"] - whole["swell 1"]) / (n - 1) for n in sizes},
        metaflow=(whole[f"metaflow {peer_tasks}"] - whole["metaflow 1"]) / (peer_tasks - 1),
        metaflow_tasks=peer_tasks,
        fork=whole["fork"],
        whole=found,
    )


def command(n: int) -> list[object]:
    return ["run", "--n", n, "--max-workers", WORKERS, "--max-num-splits", max(n, 100)]
