"""Writers and cleaners at once, in thousands of orders of their steps: nothing live is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from swell.datastore.blobs import Blobs
from swell.datastore.cache import CachedStorage
from swell.datastore.object_sweep import MARKS
from swell.errors import NotFound, RunInUse
from swell.gc.choice import Selection, chosen
from swell.gc.leftovers import RunFolders
from swell.gc.references import blobs_of
from swell.gc.sweep import Cleaner, Ground
from swell.metastore.sqlite import open_metastore
from swell.model.facts import RunEnded, RunStatus, TaskCreated
from swell.model.ids import RunId
from swell.model.record import ArtifactRef, Record
from swell.testing.fake_clock import FakeClock
from swell.testing.stored_facts import ended, new_run
from tests.unit.gc.stepped import (
    HOUR_S,
    MemoryBucket,
    MemoryFolder,
    SteppedMetastore,
    Truth,
    Turns,
)

STORES = {"folder": None, "bucket": "memory://bucket"}


class Hasty(sqlite3.Connection):
    """Waits for no disk: power is not cut in these tests."""

    def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous=FULL", "synchronous=OFF"), *given)


class World:
    """Stores, a clock, and actors."""

    def __init__(self, seed: int, kind: str, folder: Path, rule: str) -> None:
        self.is_blind = rule == "age"
        self.pending: list[float] = []
        self.turns = Turns(seed)
        self.clock = FakeClock(1e9)
        self.truth = Truth()
        self.plain = open_metastore(
            folder / f"{kind}-{seed}.db", connect=partial(sqlite3.connect, factory=Hasty)
        )
        self.metastore: Any = SteppedMetastore(self.plain, self.turns, self.truth)
        self.store = STORES[kind]
        self.bucket: Any
        self.storage: Any
        if kind == "folder":
            self.bucket = self.storage = MemoryFolder(self.turns, self.clock)
        else:
            self.bucket = MemoryBucket(self.turns, self.clock)
            self.storage = CachedStorage(
                self.bucket, None, self.clock, lambda seconds: self.turns.step()
            )
        self.cleaner = Cleaner(
            self.metastore,
            [Ground(self.store, self.storage)],
            RunFolders(str(folder / "logs"), str(folder / "scratch")),
            (lambda run: False) if self.is_blind else self.truth.goes_on,
            grace_s=0.0 if rule == "runs that go on" else 24 * HOUR_S,
            clock=self.clock,
        )
        self.swept = self.commits = 0

    def pass_time(self) -> None:
        """After every step: mostly seconds pass, now and then days; and all must be well."""
        random = self.turns.random
        # A sweep takes seconds, by its own promise.
        is_swept = any(key.startswith(MARKS) for key in self.bucket.values)
        self.clock.advance(random.choice((0.0, 0.1) if is_swept else (0.0, 1.0, 60.0)))
        if not is_swept and random.random() < (0.3 if self.is_blind else 0.05):
            leap_s = random.uniform(0, 40) * HOUR_S
            if self.is_blind and self.pending:
                # Without a sign of runs that go on it is on writers to refer to what they
                # store within half a day.
                leap_s = min(leap_s, max(0.0, min(self.pending) + 10 * HOUR_S - self.clock()))
            self.clock.advance(leap_s)
        there = {key.rpartition("/")[2] for key in self.bucket.values}
        assert self.truth.lost(there) == []

    def write_runs(self, count: int) -> None:
        """Runs of a few tasks each; some resume others, some die in their middle."""
        random = self.turns.random
        blobs = Blobs(self.storage)
        for _ in range(count):
            origin = None if self.is_blind else random.choice([None, *self.truth.committed])
            try:
                run = self.create(origin)
            except NotFound:
                continue
            if origin is not None:
                self.adopt(run, origin)
            for task in range(10, 10 + random.randint(1, 4)):
                # Of few values, so that the same is stored, forgotten and stored again.
                values = [bytes([random.randrange(16)]) * 50 for _ in range(random.randint(1, 2))]
                began = self.clock()
                self.pending.append(began)
                self.commit(run, str(task), [blobs.save_raw(value) for value in values])
                self.pending.remove(began)
            if random.random() < 0.8:
                self.metastore.commit([RunEnded(run, self.clock(), RunStatus.DONE)])
            self.truth.alive.discard(run)

    def create(self, origin: RunId | None) -> RunId:
        number = None if origin is None else origin.number
        run: RunId = self.metastore.create_run(new_run("A", self.clock(), origin_run=number)).id
        self.truth.alive.add(run)
        self.truth.committed[run] = set()
        return run

    def adopt(self, run: RunId, origin: RunId) -> None:
        """Take over the tasks of another run by reference."""
        tasks = [fact.created.task for fact in self.metastore.tasks(origin)]
        found = self.metastore.records(origin, tasks=tasks)
        for number, stored in enumerate(found):
            keys = [ref.key for ref in stored.record.artifacts.values()]
            self.commit(run, str(100 + number), keys)

    def commit(self, run: RunId, task: str, keys: list[str]) -> None:
        refs = [ArtifactRef(None, key, 50, "bytes", "…", store=self.store) for key in keys]
        record = Record({f"x{number}": ref for number, ref in enumerate(refs)})
        created = TaskCreated(run, "work", task, self.clock())
        self.metastore.commit([created, ended(run, task, record=record)])
        self.truth.committed[run] |= set(keys)
        self.commits += 1

    def clean(self, rounds: int) -> None:
        """As ``swell gc``, with and without a selection."""
        for _ in range(rounds):
            runs = self.metastore.runs()
            keep = self.turns.random.choice((None, 1, 1, 3))
            open_runs = {run.id for run in self.cleaner.open_runs(runs)}
            for run in chosen(runs, Selection(keep_runs=keep), self.clock(), open_runs):
                self.remove(run)
            for found in self.cleaner.look():
                self.swept += self.cleaner.sweep(found).blobs

    def remove_one(self, rounds: int) -> None:
        """As ``swell rm``."""
        for _ in range(rounds):
            runs = self.metastore.runs()
            if not runs:
                continue
            run = self.turns.random.choice(runs)
            used = blobs_of(self.metastore, [run.id])
            self.remove(run)
            if used:
                for found in self.cleaner.look(among=used):
                    self.swept += self.cleaner.sweep(found).blobs

    def remove(self, run: Any) -> None:
        if self.is_blind and run.id in self.truth.alive:
            return
        try:
            self.cleaner.remove_run(run)
        except RunInUse:
            return


def play(seed: int, kind: str, folder: Path, rule: str, steps: int) -> World:
    """A world in which three writers, two cleaners and a remover meet."""
    world = World(seed, kind, folder, rule)
    acts: dict[str, Callable[[], None]] = {
        **{f"writer {n}": lambda: world.write_runs(20) for n in range(3)},
        **{f"cleaner {n}": lambda: world.clean(40) for n in range(2)},
        "remover": lambda: world.remove_one(20),
    }
    for name, act in acts.items():
        world.turns.add(name, act)
    world.turns.run(steps, world.pass_time)
    world.plain.close()
    return world


def play_all(seeds: range, kind: str, folder: Path, rule: str) -> list[World]:
    """One world a seed; in a bucket more steps are spent on waiting for each other."""
    steps = 4000 if kind == "bucket" else 2000
    return [play(seed, kind, folder, rule, steps) for seed in seeds]


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("rule", ["both", "runs that go on", "age"])
def test_nothing_live_is_lost_whatever_the_order_of_steps(tmp_path, kind, rule):
    worlds = play_all(range(2), kind, tmp_path, rule)
    assert sum(world.swept for world in worlds) > 0
    assert sum(world.commits for world in worlds) > 50


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("rule", ["both", "runs that go on", "age"])
def test_nothing_live_is_lost_in_a_hundred_thousand_steps(tmp_path, kind, rule):
    worlds = play_all(range(100, 130), kind, tmp_path, rule)
    assert sum(world.swept for world in worlds) > 50
