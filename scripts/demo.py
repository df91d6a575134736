"""Run examples/flights.py into a store of its own and say where its report is.

`python scripts/demo.py STORE`; what `make demo` does once the environment stands.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOW = ROOT / "examples" / "flights.py"


def flow(store: Path, *arguments: str) -> None:
    """The flow's own command line, its output going where ours goes."""
    environ = {**os.environ, "SWELL_ROOT": str(store / ".swell")}
    subprocess.run(
        [sys.executable, FLOW, *arguments],
        cwd=ROOT,
        env=environ,
        check=True,
        stdin=subprocess.DEVNULL,
    )


def main(store: Path) -> int:
    store.mkdir(parents=True, exist_ok=True)
    report, run_id = store / "flights.html", store / "run-id"
    print(f"$ python {FLOW.relative_to(ROOT)} run", flush=True)
    try:
        flow(store, "run", "--run-id-file", str(run_id))
        flow(store, "--quiet", "card", "get", f"{run_id.read_text().strip()}/end", str(report))
    except subprocess.CalledProcessError as error:
        return error.returncode
    print(f"\nThe report: {report}  (open it in a browser)")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
