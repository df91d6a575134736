"""Packages that travelled to attempts elsewhere go when no run needs them any more."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from swell.datastore.cache import CachedStorage
from swell.errors import InternalError
from swell.gc.leftovers import RunFolders
from swell.gc.packages import packages_used
from swell.gc.sweep import Cleaner, Freed, Ground
from swell.model.facts import TaskCreated
from swell.model.ids import RunId
from swell.model.remote import Manifest, Package, RunKeys, encode_manifest
from swell.package.upload import Uploads
from swell.testing.fake_clock import FakeClock
from swell.testing.stored_facts import new_run
from tests.unit.gc.stepped import HOUR_S, MemoryBucket, Turns

KINDS = ("code", "layers", "bootstrap")


class Stage:
    """A bucket behind a cache, in which some packages were put so many hours ago."""

    def __init__(self, metastore, folder: Path) -> None:
        self.clock = FakeClock(1e9)
        turns = Turns(0)
        self.bucket = MemoryBucket(turns, self.clock)
        self.storage = CachedStorage(self.bucket, None, self.clock, lambda seconds: turns.step())
        self.open_runs: set[RunId] = set()
        self.cleaner = Cleaner(
            metastore,
            [Ground("s3://bucket", self.storage)],
            RunFolders(str(folder / "logs"), str(folder / "scratch")),
            lambda run: run.id in self.open_runs,
            grace_s=24 * HOUR_S,
            clock=self.clock,
        )

    def put(self, *names: str, hours: float) -> None:
        """Of each kind one package of each name."""
        for kind in KINDS:
            for name in names:
                self.bucket.values[f"{kind}/{name}.zip"] = (
                    name.encode(),
                    self.clock() - hours * HOUR_S,
                )

    def names(self) -> set[str]:
        return {key for key in self.bucket.values if key.partition("/")[0] in KINDS}

    def needs(self, run: RunId, name: str) -> None:
        """A manifest of ``run`` that names the packages ``name``."""
        code, layer, bootstrap = (Package(f"{kind}/{name}.zip", "a" * 64, 1) for kind in KINDS)
        manifest = Manifest(
            *(run.flow, str(run.number), "start", "s3://bucket", f"runs/{run.flow}/{run.number}"),
            *(code, (layer,), "flow.py", "3.11", "x86_64", ""),
            bootstrap=bootstrap,
        )
        keys = RunKeys(f"runs/{run.flow}/{run.number}")
        self.bucket.write(keys.manifest(name), [encode_manifest(manifest)])

    def swept(self) -> Freed:
        (found,) = self.cleaner.look_at_packages()
        return self.cleaner.sweep_packages(found)


@pytest.fixture
def stage(metastore, tmp_path: Path) -> Stage:
    return Stage(metastore, tmp_path)


def test_packages_that_no_kept_run_names_go_when_they_are_old(stage, make_run):
    stage.put("used", "forgotten", hours=1000)
    stage.put("young", hours=23)
    stage.needs(make_run("A"), "used")
    assert stage.swept() == Freed(3, 3 * len("forgotten"))
    assert stage.names() == {f"{kind}/{name}.zip" for kind in KINDS for name in ("used", "young")}


def test_the_packages_of_a_removed_run_go(stage, metastore, make_run):
    run = make_run("A")
    stage.put("used", hours=1000)
    stage.needs(run, "used")
    assert stage.swept() == Freed(0, 0)
    (found,) = stage.cleaner.look_at_packages(without=[run])
    assert len(found.old) == 3
    stage.cleaner.remove_run(metastore.run(run))
    assert stage.swept().blobs == 3


def test_nothing_goes_that_came_since_a_run_began_that_goes_on(stage, metastore):
    began = stage.clock() - 200 * HOUR_S
    run = metastore.create_run(new_run("A", began)).id
    metastore.commit([TaskCreated(run, "start", "1", began)])
    stage.open_runs.add(run)
    stage.put("since", hours=199)
    assert stage.swept() == Freed(0, 0)


def test_a_package_that_a_run_finds_there_is_young_afterwards(stage, tmp_path):
    class Zip(NamedTuple):
        path: str = str(tmp_path / "code.zip")
        sha256: str = "old"
        size: int = 3

    Path(Zip().path).write_bytes(b"old")
    stage.put("old", hours=1000)
    (found,) = stage.cleaner.look_at_packages()
    assert len(found.old) == 3
    Uploads(stage.storage).code(Zip())
    Uploads(stage.storage).layer(Zip())
    stage.storage.write("bootstrap/old.zip", [b"old"])
    assert stage.cleaner.sweep_packages(found) == Freed(0, 0)


def test_a_manifest_that_cannot_be_read_lets_nothing_go(stage, make_run):
    run = make_run("A")
    stage.bucket.write(RunKeys(f"runs/A/{run.number}").manifest("x"), [b"?"])
    stage.put("old", hours=1000)
    with pytest.raises(InternalError, match="are not a manifest"):
        stage.swept()
    assert len(stage.names()) == 3


def test_a_manifest_of_an_earlier_driver_names_no_supervisor(stage, make_run):
    run = make_run("A")
    stage.needs(run, "used")
    key = RunKeys(f"runs/A/{run.number}").manifest("used")
    told = bytes(stage.bucket.values[key][0]).replace(b'"bootstrap"', b'"later"')
    stage.bucket.values[key] = (told, stage.clock())
    assert packages_used(stage.bucket, [run]) == {"code/used.zip", "layers/used.zip"}
