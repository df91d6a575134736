"""Flows on AWS Batch, in the sandbox: one small driver, few calls, a quick start, a quick end."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench.batch_lab import MEMORY_MB, SandboxLab, free_environment, open_sandbox
from bench.held_jobs import HeldBatch, held_batch
from bench.lab import HERE, Findings, Lab, Row, median, ms, runs, times

FAN = HERE / "flows" / "fan.py"
AWAY = HERE / "flows" / "away.py"
VCPUS = 8
"""Jobs are processes of this machine, and so many run at a time."""


class Sizes(NamedTuple):
    """Tasks of the widest foreach, of the one whose driver's time is told, jobs in the queue,
    and how often a start is measured."""

    wide: int
    many: int = 1_000
    crowd: int = 10_000
    starts: int = 5


def measure(lab: Lab, sizes: Sizes | None = None) -> Findings:
    sizes = sizes or Sizes(10_000 if lab.full else 1_000)
    rows: list[Row] = []
    with open_sandbox(lab, VCPUS) as sandbox:
        # The first run brings packages to the store and to the folder that jobs share.
        sandbox.run(AWAY, store=lab.fresh_folder())
        rows += _start(lab, sandbox, sizes.starts)
        rows += _wide(lab, sandbox, sizes.wide, sizes.many)
    rows += _crowd(lab, sizes.crowd)
    return Findings(
        rows,
        [
            f"The sandbox runs {VCPUS} jobs at a time, as processes; calls are counted by it, of"
            " the whole run. Bare jobs are one array in the same sandbox: each imports the modules"
            " that a task finds loaded, and makes as many GET and PUT as a task, counted on the"
            " way to the object store. The driver's memory and time are the kernel's, those of its"
            " keeper with them. The start of a task is from the last line of a local step to the"
            " first line of the step on Batch, that of a bare job from SubmitJob to its first line."
            f" Jobs that are listed and killed are no processes, in a service that allows 50 calls"
            " a second of each operation; the time is that of the whole command."
        ],
    )


def _start(lab: Lab, sandbox: SandboxLab, starts: int) -> list[Row]:
    """How long a task takes to begin."""
    store = lab.fresh_folder()
    found: dict[str, list[float]] = {}
    for _ in range(starts):
        said = sandbox.run(AWAY, store=store).output
        for name in ("first", "second", "bootstrap", "container"):
            (text,) = re.findall(rf"\] {name} ([\d.]+)", said)
            found.setdefault(name, []).append(float(text))
        found.setdefault("bare", []).append(sandbox.own_start())
    one = {name: median(values) for name, values in found.items()}
    how = runs(found["bare"])
    rows = [
        Row(
            f"one task on Batch, ready → first line: {title} ({how})",
            ms(one[name]),
            f"bare job {ms(one['bare'])}",
            f"+{ms(one[name] - one['bare'])}",
            "under +1.0 s",
            one[name] - one["bare"] < 1.0,
        )
        for name, title in (("first", "the run's first"), ("second", "a later one"))
    ]
    bar = "under 0.5 s"
    return [
        *rows,
        Row(f"bootstrap in the container, layers cached ({how})", ms(one["bootstrap"]),
            "", "", bar, one["bootstrap"] < 0.5),
        Row("… with the start of the flow's own Python, to the first line", ms(one["container"])),
    ]  # fmt: skip


def _wide(lab: Lab, sandbox: SandboxLab, wide: int, many: int) -> list[Row]:
    """A foreach of ``wide`` tasks, and the driver's time for each of ``many``."""
    requests = sandbox.requests_of_a_task(FAN)
    loaded = sandbox.loaded()
    store = lab.fresh_folder()
    options = ["--max-workers", 1000, "--max-num-splits", 10_000]
    options += ["--with", f"batch:memory={MEMORY_MB}"]
    small = sandbox.run(FAN, "--n", 1, *options, store=store)
    before = sandbox.calls()
    ours = sandbox.run(FAN, "--n", wide, *options, store=store)
    calls = sandbox.calls() - before
    bare = sandbox.bare_jobs(wide, requests, loaded)
    some = ours if many == wide else sandbox.run(FAN, "--n", many, *options, store=store)
    per_hundred = sum(calls.values()) / wide * 100
    cpu = (some.cpu_s - small.cpu_s) / (many - 1)
    told = ", ".join(f"{name} {count}" for name, count in calls.most_common(4))
    title = f"foreach of {wide:,} on Batch, --max-workers 1000"
    return [
        Row(f"{title}: driver's peak memory", f"{ours.peak_mb:.0f} MB",
            f"with one task {small.peak_mb:.0f} MB", times(ours.peak_mb / small.peak_mb),
            "under 200 MB", ours.peak_mb < 200),
        Row(f"{title}: Batch API calls per 100 tasks", f"{per_hundred:.2f}", told, "",
            "at most 3", per_hundred <= 3),
        Row(f"{title}: whole run", ms(ours.seconds),
            f"bare jobs with {requests.gets} GET and {requests.puts} PUT {ms(bare)}",
            times(ours.seconds / bare), "at most 1.25×", ours.seconds / bare <= 1.25),
        Row(f"{many:,} tasks on Batch: driver's processor time per task", ms(cpu), "", "",
            "under 5 ms", cpu < 0.005),
    ]  # fmt: skip


def _crowd(lab: Lab, crowd: int) -> list[Row]:
    """Listing among ``crowd`` jobs of others, and the end of a run with as many."""
    store = lab.fresh_folder()
    lab.swell(FAN, "run", store=store)
    rows = []
    with held_batch(store) as batch:
        for _ in range(crowd):
            batch.submit("OtherFlow", "1")
        for _ in range(3):
            batch.submit("FanFlow", "1", 10)
        before = batch.calls()
        seconds, said = _typed(lab, batch, store, "list")
        calls = batch.calls() - before
        if "30 tasks" not in said:
            raise RuntimeError(said)
        rows.append(
            Row(f"batch list with {crowd:,} jobs of other flows in the queue",
                f"{calls} API calls, {ms(seconds)}", "", "", "at most 15 calls", calls <= 15)
        )  # fmt: skip
    for arrays in (1, 10):
        with held_batch(store) as batch:
            for _ in range(arrays):
                batch.submit("FanFlow", "1", crowd // arrays)
            seconds, said = _typed(lab, batch, store, "kill", "--yes")
            left = batch.unfinished()
            if "none is left" not in said:
                raise RuntimeError(said)
            shape = "one array" if arrays == 1 else f"{arrays} arrays"
            rows.append(
                Row(f"batch kill of a run with {crowd:,} jobs in {shape}",
                    f"{ms(seconds)}, {left} left", "", "", "under 10 s, none left",
                    seconds < 10 and not left)
            )  # fmt: skip
    return rows


def _typed(lab: Lab, batch: HeldBatch, store: Path, *words: str) -> tuple[float, str]:
    variables = {
        **lab.swell_variables(store),
        **free_environment(),
        "SWELL_BATCH_ENDPOINT_URL": batch.url,
        "SWELL_BATCH_JOB_QUEUE": "swell",
    }
    began = time.perf_counter()
    said = lab.run([sys.executable, FAN, "--no-pylint", "batch", *words], cwd=store, **variables)
    return time.perf_counter() - began, said.output
