"""Large data from one step to the next: 1 GB of several kinds, beside Metaflow and beside a
plain write of the same bytes."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.lab import HERE, Ended, Findings, Lab, Row, median, ms, times

SCRIPT = HERE / "flows" / "data.py"
PLAIN = HERE / "plain_write.py"
MB = int(os.environ.get("SWELL_BENCH_MB", "1000"))
"""MB of each kind; BIG_MB of those that --full also runs."""
BIG_MB = 4 * MB
MEMORY = Path("/dev/shm")

RATIOS = {
    "random": 40,
    "strided": 40,
    "fortran-slice": 40,
    "polars": 40,
    "zeros": 6,
    "pattern": 6,
    "frame": 4,
}
HELD = {"strided": 2, "fortran-slice": 2}
"""Memory that a view keeps alive, times its own size."""
WARM = 3
"""So many times its data is what a run takes at most."""
STORED = {"zeros": 0.01, "pattern": 0.02}


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds beyond making and summing, until the next step began, peak MB."""

    beyond: float
    handed: float
    peak_mb: float


def measure(lab: Lab) -> Findings:
    rows = []
    for kind, bar in RATIOS.items():
        mb = MB // 10 if kind == "frame" else MB
        rows += kind_rows(lab, kind, mb, bar, limit=1.1)
    if lab.full:
        rows += kind_rows(lab, "random", BIG_MB, RATIOS["random"], limit=1.05)
    for folder, where in ((lab.folder, "on disk"), (MEMORY, "in memory")):
        rows += save_rows(lab, folder, where)
    return Findings(
        rows,
        [
            "A run is start (make and sum), use (sum again), end; from its wall time making and"
            " two sums are taken off, as measured in the first step. swell: median of 3,"
            " Metaflow once. Peak: the largest process of the run by the kernel's count (for swell"
            " with the pages of the mapped artifact), beyond a run of swell with 1 MB.",
            "'in memory' is /dev/shm, 'on disk' the folder for temporary files. Before each run"
            " and each plain write another process touched and freed 3 GB, so that none of them"
            " waits for the host of the virtual machine to give pages.",
        ],
    )


def kind_rows(lab: Lab, kind: str, mb: int, bar: int, limit: float) -> list[Row]:
    """One kind of data beside Metaflow: time, and memory or what is stored."""
    ours = [ours_of(lab, kind, mb, lab.fresh_folder()) for _ in range(3)]
    theirs = theirs_of(lab, kind, mb, lab.fresh_folder())
    beyond = median([one.beyond for one in ours])
    what = f"{mb * 10_000:,} rows with strings" if kind == "frame" else f"{mb:,} MB {kind}"
    rows = [beyond_row(f"{what}: two steps, beyond making and summing", beyond, theirs, bar)]
    if bar == RATIOS["random"]:
        peak = median([one.peak_mb for one in ours])
        bare = ours_of(lab, kind, 1, lab.fresh_folder()).peak_mb
        held = mb * HELD.get(kind, 1)
        rows.append(peak_row(held, peak - bare, theirs.peak_mb - bare, limit))
    if kind in STORED:
        rows.append(stored_row(lab, kind, mb))
    return rows


def ours_of(lab: Lab, kind: str, mb: int, store: Path) -> Cost:
    lab.warm_memory(WARM * mb)
    ended = lab.swell(SCRIPT, "run", "--kind", kind, "--mb", mb, store=store)
    shutil.rmtree(store)
    return cost_of(ended)


def theirs_of(lab: Lab, kind: str, mb: int, store: Path) -> Cost:
    lab.warm_memory(WARM * mb)
    ended = lab.metaflow(SCRIPT, "run", "--kind", kind, "--mb", mb, store=store)
    shutil.rmtree(store)
    return cost_of(ended)


def cost_of(ended: Ended) -> Cost:
    said = {
        name: float(re.search(rf"{name} ([\d.e-]+)", ended.output)[1])
        for name in ("MADE", "SUMMED", "HANDED")
    }
    beyond = ended.seconds - said["MADE"] - 2 * said["SUMMED"]
    return Cost(beyond, said["HANDED"], ended.peak_mb)


def beyond_row(work: str, beyond: float, theirs: Cost, bar: int) -> Row:
    ratio = theirs.beyond / beyond
    there = f"Metaflow {ms(theirs.beyond)}"
    return Row(work, ms(beyond), there, times(ratio), f"at least {bar}×", ratio >= bar)


def peak_row(mb: int, peak: float, theirs: float, limit: float) -> Row:
    share = peak * 2**20 / (mb * 1e6)
    return Row(
        f"… peak memory of a step that holds {mb:,} MB",
        f"{peak:,.0f} MB",
        f"Metaflow {theirs:,.0f} MB",
        f"{share:.2f} × the data",
        f"under {limit} ×",
        share < limit,
    )


def stored_row(lab: Lab, kind: str, mb: int) -> Row:
    store = lab.fresh_folder()
    lab.swell(SCRIPT, "run", "--kind", kind, "--mb", mb, store=store)
    stored = sum(path.stat().st_size for path in (store / ".swell" / "blobs").rglob("*"))
    share = stored / (mb * 1e6)
    return Row(
        f"… stored of {mb:,} MB of {kind}",
        f"{stored / 1e6:.2f} MB",
        "",
        f"{share:.2%}",
        f"under {STORED[kind]:.0%}",
        share < STORED[kind],
    )


def save_rows(lab: Lab, folder: Path, where: str) -> list[Row]:
    """Until the next step starts, against a plain write of the same bytes to the same place."""
    own = folder / f"swell-bench-{os.getpid()}"
    own.mkdir()
    try:

        def plain() -> tuple[float, float]:
            lab.warm_memory(WARM * MB)
            told = lab.run([sys.executable, PLAIN, own, MB]).output.split()
            return float(told[0]), float(told[1])

        found = []
        for _ in range(3):
            store = own / "store"
            store.mkdir()
            written = plain()
            cost = ours_of(lab, "random", MB, store)
            found.append((written, cost))
        store.mkdir()
        theirs = theirs_of(lab, "random", MB, store)
        write = median([written[0] for written, _ in found])
        synced = median([written[1] for written, _ in found])
        handed = median([cost.handed for _, cost in found])
        beyond = median([cost.beyond for _, cost in found])
        return [
            Row(
                f"{MB:,} MB random {where}: until the next step starts",
                ms(handed),
                f"plain write {ms(write)}",
                f"{write / handed:.2f} × its speed",
                "at least 0.7 ×",
                write / handed >= 0.7,
            ),
            Row(
                f"… the whole run {where}, beyond making and summing",
                ms(beyond),
                f"write and fsync {ms(synced)}",
                f"{synced / beyond:.2f} × its speed",
            ),
            beyond_row(f"… the same {where}", beyond, theirs, RATIOS["random"]),
        ]
    finally:
        shutil.rmtree(own)
