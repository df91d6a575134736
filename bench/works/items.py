"""One child's own read of its item among 100,000, and the driver of a foreach over 1,000,000."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from bench.lab import HERE, ROOT, Findings, Lab, Row, ms

READ = HERE / "item_read.py"
SCRIPT = HERE / "flows" / "million.py"


def measure(lab: Lab) -> Findings:
    told = lab.run(
        [sys.executable, READ, lab.fresh_folder()], PYTHONPATH=str(ROOT / "src")
    ).output.split()
    seconds, read = float(told[0]), int(told[1])
    rows = [
        Row(
            "foreach over 100,000 items of 1 kB: one child's own read",
            f"{ms(seconds)}, {read:,} bytes",
            "",
            "",
            "under 1 ms and 100 kB",
            seconds < 0.001 and read < 100_000,
        )
    ]
    for kind in ("range", "list"):
        peak = driver_peak_mb(lab, kind)
        rows.append(
            Row(
                f"driver of a foreach over 1,000,000 small items ({kind}), peak memory",
                f"{peak:.0f} MB",
                "",
                "",
                "under 200 MB",
                peak < 200,
            )
        )
    return Findings(
        rows,
        [
            "The read is the median of 200 in one process, its bytes what the process asked the"
            " kernel for (rchar in /proc/self/io). The driver's peak is its VmHWM when the"
            " hundredth child has printed; then the run is interrupted."
        ],
    )


def driver_peak_mb(lab: Lab, kind: str) -> float:
    store = lab.fresh_folder()
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("SWELL_", "PYTHON"))}
    command = [sys.executable, str(SCRIPT), "--no-pylint", "run", "--kind", kind]
    process = subprocess.Popen(
        [*command, "--max-num-splits", "1000000", "--max-workers", "2"],
        cwd=store,
        env={**environ, **lab.swell_variables(store)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        seen = 0
        for line in process.stdout:
            seen += "SEEN" in line
            if seen == 100:
                break
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
