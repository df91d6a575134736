"""Flows really run, one after the other and side by side, while a cleaner never rests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from swell.gc.references import blobs_of
from tests.faults.driving import DEADLINE_S, MARK, Place

FLOW = """
import random, sys

class BusyFlow(FlowSpec):
    seed = Parameter("seed", default=0)
    text = Parameter("text", default="x" * 40_000)

    @step
    def start(self):
        # Few different values: all of them are forgotten and stored again all the time.
        self.big = random.Random(self.seed).randbytes(30_000)
        self.large = random.Random(self.seed).randbytes(17 << 20)
        self.parts = [random.Random(i).randbytes(20_000) for i in range(4)]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        assert self.input == random.Random(self.index).randbytes(20_000)
        self.out = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.outs = [len(i.out) for i in inputs]
        self.merge_artifacts(inputs, exclude=["out"])
        self.next(self.end)

    @step
    def end(self):
        assert self.big == random.Random(self.seed).randbytes(30_000)
        assert self.large[-5:] == random.Random(self.seed).randbytes(17 << 20)[-5:]
        print("all there", len(self.text), self.outs)

if __name__ == "__main__":
    BusyFlow()
"""
CLEANER = """
import itertools, os, sys
from swell.cli.admin import swell_app
from swell.settings import load_settings
for turn in itertools.count():
    kept = "0" if turn % 2 else "1"
    arguments = ["--quiet", "gc", "--keep-runs", kept, "--yes"]
    swell_app().main(arguments, standalone_mode=False, obj=load_settings())
    print("cleaned", flush=True)
"""


def test_runs_that_go_on_lose_nothing_to_a_cleaner_that_never_rests(tmp_path: Path) -> None:
    place = Place(tmp_path)
    script = place.script(FLOW)
    assert place.run(script, "run").code == 0
    # It belongs to no run: what ends runs and their processes must not end it.
    env = {**place.environ(SWELL_GC_GRACE_HOURS="0"), MARK: "cleaner"}
    cleaner = subprocess.Popen(
        [sys.executable, "-c", CLEANER],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for seed in range(2):
            with (
                place.started(script, "run", "--seed", str(seed % 2)) as one,
                place.started(script, "run", "--seed", "1") as two,
            ):
                assert (one.wait(), two.wait()) == (0, 0), one.text + two.text
            for driver in (one, two):
                assert "all there 40000 [40000, 40000, 40000, 40000]" in driver.text
        assert cleaner.poll() is None, "the cleaner failed"
    finally:
        cleaner.kill()
        out, _ = cleaner.communicate(timeout=DEADLINE_S)
    assert out.count("cleaned") > 1
    with place.store() as store:
        used = {blob.key for blob in blobs_of(store, [run.id for run in store.runs()])}
    there = {path.name for path in (place.root / "blobs" / "blobs").glob("*/*")}
    assert used <= there
