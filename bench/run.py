"""Run benches and write bench/RESULTS.md: `python bench/run.py [--full] [NAME ...]`.

Without names, all run. Results of benches that were not named are kept as they were.
`--full` also runs Metaflow where that takes many minutes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import traceback
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bench.lab import Findings, Lab, Row, machine, versions  # noqa: E402

WORKS = {
    "import": "bench.works.import_cost",
    "hello": "bench.works.hello",
    "foreach": "bench.works.foreach",
    "pack": "bench.works.pack",
    "packing": "bench.works.packing",
    "warm": "bench.works.warm",
    "chain": "bench.works.chain",
    "files": "bench.works.files",
    "wide": "bench.works.wide",
    "scheduler": "bench.works.scheduler",
    "resume": "bench.works.resume",
    "client": "bench.works.client",
    "isolation": "bench.works.isolation",
    "data": "bench.works.data",
    "parent": "bench.works.parent",
    "row": "bench.works.row",
    "items": "bench.works.items",
    "join": "bench.works.join",
    "objects": "bench.works.objects",
    "sizes": "bench.works.sizes",
    "batch": "bench.works.batch",
}
KEPT = HERE / "results.json"
TABLE = HERE / "RESULTS.md"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(WORKS)}")
    parser.add_argument("--full", action="store_true", help="also what takes many minutes")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in WORKS]
    if unknown:
        parser.error(f"no bench {', '.join(unknown)}; there are: {', '.join(WORKS)}")

    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    failed = []
    lab = Lab(full=options.full)
    try:
        for name in options.names or WORKS:
            started, load = time.monotonic(), os.getloadavg()[0]
            print(f"----- {name}", flush=True)
            try:
                findings: Findings = importlib.import_module(WORKS[name]).measure(lab)
            except (RuntimeError, OSError) as error:
                failed.append(name)
                traceback.print_exception(error)
                continue
            for row in findings.rows:
                print("  ", " | ".join([row.work, row.measured, row.against, row.ratio]))
            print(f"ok    {name:10} {time.monotonic() - started:.1f} s", flush=True)
            kept[name] = {
                "when": f"{datetime.now():%Y-%m-%d %H:%M}",
                "load": round(load, 1),
                "rows": [vars(row) for row in findings.rows],
                "notes": findings.notes,
            }
            KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        TABLE.write_text(page(kept, versions(lab)))
    finally:
        lab.close()
    print(f"written: {TABLE.relative_to(HERE.parent)}")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def page(kept: dict[str, Any], found: dict[str, str]) -> str:
    """RESULTS.md as text."""
    lines = [
        "# Measured",
        "",
        "Written by `make bench`; not edited by hand. Systems take turns in one run; medians.",
        "",
        *(f"- {line}" for line in machine()),
        "- " + ", ".join(f"{name} {number}" for name, number in found.items()),
        "",
        "| work | swell | against | ratio | bar | reached |",
        "|---|---|---|---|---|---|",
    ]
    for name in WORKS:
        for row in (Row(**row) for row in kept.get(name, {}).get("rows", [])):
            reached = {True: "yes", False: "**no**", None: ""}[row.reached]
            cells = [row.work, row.measured, row.against, row.ratio, row.bar, reached]
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## How each was measured", ""]
    lines += ["A load well above 0 means that other work ran on the machine at the same time.", ""]
    for name in WORKS:
        if name in kept:
            one = kept[name]
            lines.append(f"- **{name}** ({one['when']}, load before {one['load']}): ")
            lines[-1] += " ".join(one["notes"])
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
