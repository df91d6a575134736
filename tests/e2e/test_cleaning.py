"""Runs are removed and cleaned up after, checked and measured, in every kind of store."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from swell.cli.admin import swell_app
from swell.cli.app import run_app
from swell.datastore.blob_format import storage_key
from swell.datastore.object_access import access_from
from swell.datastore.object_address import parse_address
from swell.datastore.object_store import ObjectStorage
from swell.gc.references import blobs_of
from swell.metastore.sqlite import open_metastore
from swell.model.ids import RunId
from swell.session.cleaning import Site, open_site
from swell.session.reading import open_address
from swell.settings import load_settings
from tests.faults.driving import Driver, Place
from tests.servers.postgres import PostgresServer

FLOW = """
import os, random, sys

class CleanFlow(FlowSpec):
    seed = Parameter("seed", default=1)

    @step
    def start(self):
        self.shared = random.Random(0).randbytes(300_000)
        self.own = random.Random(self.seed).randbytes(200_000)
        self.items = [random.Random(self.seed + i).randbytes(20_000) for i in range(3)]
        print("printed by", self.seed)
        self.next(self.work, foreach="items")

    @card
    @step
    def work(self):
        self.out = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.outs = [i.out for i in inputs]
        self.merge_artifacts(inputs, exclude=["out"])
        self.next(self.end)

    @step
    def end(self):
        if os.path.exists("fail"):
            raise ValueError("as told")
        while os.path.exists("wait"):
            print("waiting", flush=True)
            __import__("time").sleep(0.1)
        print("sizes", len(self.shared), len(self.own), len(self.outs))

if __name__ == "__main__":
    CleanFlow()
"""
READ = """
from swell import Flow, namespace
namespace(None)
for run in Flow("CleanFlow"):
    print(run.id, len(run.data.shared), len(run.data.own), [len(o) for o in run.data.outs])
"""
DAYS_S = 86_400.0


def _ended_with(arguments: Sequence[str]) -> object:
    """The exit code of the `swell` command."""
    settings = load_settings()
    try:
        run_app(swell_app(), list(arguments), name="swell", obj=settings, settings=settings)
    except SystemExit as ended:
        return ended.code


class Cleaned(Place):
    """A folder with the flow above, and the `swell` command."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.flow = self.script(FLOW)
        self.read = self.script(READ, "read.py")
        self.variables: dict[str, str] = {"SWELL_GC_GRACE_HOURS": "0"}

    def environ(self, **variables: str) -> dict[str, str]:
        return super().environ(**{**self.variables, **variables})

    def run_flow(self, seed: int, *arguments: str, code: int = 0) -> Driver:
        driver = self.run(self.flow, *arguments, "run", "--seed", str(seed))
        assert driver.code == code, driver.text
        return driver

    def swell(self, *arguments: str, code: int = 0, **variables: str) -> str:
        out = io.StringIO()
        environ = patch.dict(os.environ, self.environ(**variables), clear=True)
        with environ, redirect_stdout(out), redirect_stderr(out):
            ended = _ended_with(arguments)
        assert ended == code, out.getvalue()
        return out.getvalue()

    def blobs(self) -> dict[str, Path]:
        """Key → file of all Blobs in the store folder."""
        return {path.name: path for path in (self.root / "blobs" / "blobs").glob("*/*")}

    def keys(self, run: int) -> set[str]:
        with self.store() as store:
            return {blob.key for blob in blobs_of(store, [RunId("CleanFlow", run)])}


@pytest.fixture
def place(tmp_path: Path) -> Cleaned:
    return Cleaned(tmp_path)


def spoil(path: Path) -> None:
    """Flip one bit."""
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_removed_run_takes_what_it_alone_used_and_leaves_what_others_use(place):
    for seed in (1, 2):
        place.run_flow(seed)
    first, second = place.keys(1), place.keys(2)
    assert first & second
    assert set(place.blobs()) == first | second

    assert "Nobody can be asked" in place.swell("rm", "CleanFlow/1", code=2)
    assert "Removed run CleanFlow/1, and" in place.swell("rm", "CleanFlow/1", "--yes")
    assert set(place.blobs()) == second
    assert not (place.root / "logs" / "CleanFlow" / "1").exists()
    assert "CleanFlow/1" not in place.swell("runs")
    assert place.run(place.read).text == "2 300000 200000 [40000, 40000, 40000]\n"
    assert "is what was stored" in place.swell("verify")
    place.run_flow(3)
    assert place.tasks("CleanFlow", 3)


def test_a_resumed_run_keeps_what_it_took_over_when_its_origin_is_removed(place):
    (place.folder / "fail").touch()
    place.run_flow(1, code=1)
    (place.folder / "fail").unlink()
    assert place.run(place.flow, "resume").code == 0
    place.swell("rm", "CleanFlow/1", "--yes")
    place.swell("gc")
    assert place.run(place.read).text == "2 300000 200000 [40000, 40000, 40000]\n"
    assert set(place.blobs()) == place.keys(2)
    refused = place.run(place.flow, "resume", "--origin-run-id", "1")
    assert refused.code == 1
    assert "has no run 1" in refused.text


def test_a_run_that_goes_on_is_not_removed_and_keeps_all_it_has(place):
    (place.folder / "wait").touch()
    with place.started(place.flow, "run", "--seed", "1") as driver:
        driver.wait_for("waiting")
        for force in ([], ["--force"]):
            said = place.swell("rm", "CleanFlow/1", "--yes", *force, code=1)
            assert "Run CleanFlow/1 goes on" in said
            assert f"process {driver.process.pid}" in said
        assert "Removed 0 runs" in place.swell("gc", "--keep-runs", "0", "--yes")
        (place.folder / "wait").unlink()
        assert driver.wait() == 0, driver.text
    assert "sizes 300000 200000 3" in driver.text
    assert "Removed 1 run." in place.swell("gc", "--keep-runs", "0", "--yes")
    assert place.blobs() == {}


def test_a_run_whose_driver_was_killed_can_be_removed(place):
    (place.folder / "wait").touch()
    with place.started(place.flow, "run") as driver:
        driver.wait_for("waiting")
        driver.process.kill()
        driver.wait()
    place.wait_until_empty()
    assert "Removed run CleanFlow/1" in place.swell("rm", "CleanFlow/1", "--yes")
    place.swell("gc")
    assert place.blobs() == {}
    assert not list((place.root / "scratch").rglob("*"))


def test_a_dry_run_says_what_would_go_and_removes_nothing(place):
    for seed in (1, 2, 3):
        place.run_flow(seed)
    before = set(place.blobs())
    told = place.swell("gc", "--keep-runs", "1", "--dry-run")
    assert "2 runs would go" in told
    assert "CleanFlow/1" in told
    assert "CleanFlow/3" not in told
    gone = len(before - place.keys(3))
    assert f"{gone} artifacts (" in told
    assert set(place.blobs()) == before
    assert "3 runs" not in place.swell("gc", "--older-than", "30d", "--dry-run")
    told = place.swell("gc", "--keep-runs", "1", "--yes")
    assert "Removed 2 runs." in told
    assert f"Removed {gone} artifacts (" in told
    assert set(place.blobs()) == place.keys(3)


def test_young_artifacts_wait_for_the_next_cleaning(place):
    place.run_flow(1)
    count = len(place.blobs())
    told = place.swell("rm", "CleanFlow/1", "--yes", SWELL_GC_GRACE_HOURS="24")
    assert f"{count} artifacts" in told
    assert "younger than 24 hours" in told
    assert len(place.blobs()) == count
    place.swell("gc", SWELL_GC_GRACE_HOURS="24")
    assert len(place.blobs()) == count
    old = time.time() - 25 * 3600
    for path in place.blobs().values():
        os.utime(path, (old, old))
    place.swell("gc", SWELL_GC_GRACE_HOURS="24")
    assert place.blobs() == {}


def test_damaged_and_missing_artifacts_are_named_with_the_runs_that_use_them(place):
    for seed in (1, 2):
        place.run_flow(seed)
    with place.store() as store:
        artifacts = store.records(RunId("CleanFlow", 2), step="start")[0].record.artifacts
    shared, lost = artifacts["shared"].key or "", artifacts["own"].key or ""
    spoil(place.blobs()[shared])
    place.blobs()[lost].unlink()

    told = place.swell("verify", code=1)
    assert f"damaged Blob {shared}" in told
    assert f"'{storage_key(lost)}'" in told
    for used_by in ("CleanFlow/1/start/1 shared", "CleanFlow/2/start/1 shared"):
        assert used_by in told
    assert "2 artifacts damaged or missing" in told
    assert "CleanFlow/2" not in place.swell("verify", "CleanFlow/1", code=1)


def test_with_swell_verify_a_damaged_artifact_is_found_when_it_is_first_used(place):
    (place.folder / "fail").touch()
    place.run_flow(1, code=1)
    (place.folder / "fail").unlink()
    with place.store() as store:
        ref = store.records(RunId("CleanFlow", 1), step="join")[0].record.artifacts["own"]
    spoil(place.blobs()[ref.key or ""])
    read = place.script(READ.replace("run.data", "run['join'].task.data"), "read_join.py")
    assert place.run(read).code == 0
    read_again = place.run(read, env=place.environ(SWELL_VERIFY="1"))
    assert f"Blob {ref.key}" in read_again.text
    assert "It is used by CleanFlow/1" in read_again.text
    resumed = place.run(place.flow, "resume", env=place.environ(SWELL_VERIFY="1"))
    assert resumed.code == 1
    assert f"Blob {ref.key}" in resumed.text


def test_what_takes_the_space_is_told_by_flow_run_and_artifact(place):
    for seed in (1, 2):
        place.run_flow(seed)
    sizes = {key: path.stat().st_size for key, path in place.blobs().items()}
    flows = json.loads(place.swell("du", "--json"))
    assert flows["artifacts"] == flows["flows"][0]["artifacts"] == sum(sizes.values())
    runs = json.loads(place.swell("du", "CleanFlow", "--json"))["runs"]
    assert [run["run"] for run in runs] == ["CleanFlow/2", "CleanFlow/1"]
    for run, number in zip(runs, (2, 1), strict=True):
        other = place.keys(3 - number)
        assert run["artifacts"] == sum(sizes[key] for key in place.keys(number))
        alone = sum(sizes[key] for key in place.keys(number) - other)
        assert run["frees"] == alone + run["logs"]
        assert run["logs"] > 0
    rows = json.loads(place.swell("du", "CleanFlow/1", "--json"))["artifacts"]
    assert sum(row["bytes"] for row in rows) == runs[1]["artifacts"]
    assert {(row["step"], row["name"]) for row in rows} >= {
        ("start", "shared"),
        ("start", "own"),
        ("start", "items of 'items'"),
        ("work", "out"),
        ("work", "card 'default'"),
    }
    assert "shared" in place.swell("du", "CleanFlow/1")
    assert "frees" in place.swell("du")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["gc", "--older-than", "soon"], 2, "Write it like 12h"),
        (["gc", "--keep-runs", "-1"], 2, "--keep-runs"),
        (["rm", "CleanFlow"], 1, "is not a run"),
        (["rm", "CleanFlow/1/start", "--yes"], 1, "is not a run"),
        (["rm", "CleanFlow/77", "--yes"], 1, "has no run '77'"),
        (["du", "OtherFlow"], 1, "OtherFlow"),
        (["verify", "CleanFlow/77"], 1, "has no run '77'"),
    ],
)
def test_what_is_typed_wrong_is_answered_in_a_sentence(place, arguments, code, told):
    with closing(_a_run(place)):
        assert told in place.swell(*arguments, code=code)


def test_a_grace_that_is_no_number_is_refused(place):
    with closing(_a_run(place)):
        told = place.swell("gc", code=2, SWELL_GC_GRACE_HOURS="a day")
    assert "SWELL_GC_GRACE_HOURS" in told


def _a_run(place: Cleaned):
    from swell.testing.stored_facts import new_run

    place.root.mkdir(exist_ok=True)
    store = open_metastore(place.root / "metadata.db")
    store.create_run(new_run("CleanFlow", time.time()))
    return store


# --- object stores -------------------------------------------------------------------------


@contextmanager
def site_of(place: Cleaned, days_ahead: float) -> Iterator[Site]:
    """What is to be cleaned, seen some days from now."""
    settings = load_settings({**os.environ, **place.variables})
    with closing(open_address(str(place.root))) as stores, open_site(
        stores, settings, lambda: time.time() + days_ahead * DAYS_S
    ) as site:  # fmt: skip
        yield site


def test_a_bucket_is_cleaned_below_the_prefix_of_the_own_database_alone(tmp_path, s3_url):
    folders = [tmp_path / name for name in ("mine", "other")]
    places = []
    for folder in folders:
        folder.mkdir()
        place = Cleaned(folder)
        own = {key: value for key, value in os.environ.items() if key.startswith("SWELL_S3_")}
        place.variables |= {**own, "SWELL_DATASTORE": s3_url, "SWELL_CACHE_GB": "0"}
        place.run_flow(1)
        place.run_flow(2)
        places.append(place)
    mine, other = places
    bucket = ObjectStorage(parse_address(s3_url), access_from(load_settings()))
    with mine.store() as store:
        own_prefix = f"{store.store_id}/"
    bucket.write(f"{own_prefix}runs/CleanFlow/1/news/x", [b"of the run"])
    bucket.write(f"{own_prefix}data/CleanFlow/1/mine.txt", [b"of the run"])
    bucket.write(f"{own_prefix}data/CleanFlow/12/mine.txt", [b"of no run"])

    def keys(prefix: str = "") -> set[str]:
        return {entry.key for entry in bucket.list(prefix)}

    foreign = keys() - keys(own_prefix)
    told = mine.swell("rm", "CleanFlow/1", "--yes")
    assert "younger than" in told
    assert mine.keys(2) <= {key.rpartition("/")[2] for key in keys(own_prefix)}
    assert f"{own_prefix}runs/CleanFlow/1/news/x" not in keys()
    assert f"{own_prefix}data/CleanFlow/1/mine.txt" not in keys()

    with site_of(mine, 0.3) as site:
        assert [site.cleaner.sweep(found).blobs for found in site.cleaner.look()] == [0, 0]
    with site_of(mine, 2) as site:
        assert sum(site.cleaner.sweep(found).blobs for found in site.cleaner.look()) > 0
        site.cleaner.sweep_leftovers()
    left = {key.rpartition("/")[2] for key in keys(own_prefix)}
    assert left == mine.keys(2) | {"store.toml"}
    assert keys() - keys(own_prefix) == foreign
    assert mine.run(mine.read).text == "2 300000 200000 [40000, 40000, 40000]\n"
    assert "is what was stored" in other.swell("verify")
    assert json.loads(mine.swell("du", "--json"))["artifacts"] > 500_000


def test_a_bucket_that_is_gone_does_not_keep_what_is_here_from_being_cleaned(tmp_path, s3_url):
    place = Cleaned(tmp_path)
    place.run_flow(1)
    own = {key: value for key, value in os.environ.items() if key.startswith("SWELL_S3_")}
    there = {**own, "SWELL_DATASTORE": s3_url, "SWELL_CACHE_GB": "0"}
    place.variables |= there
    place.run_flow(2)
    gone = {"SWELL_S3_ENDPOINT_URL": "http://127.0.0.1:1", "SWELL_STORE_RETRIES": "0"}
    place.variables |= gone
    told = place.swell("gc", code=1)
    assert "nothing answers at its endpoint" in told
    del place.variables["SWELL_DATASTORE"]
    told = place.swell("verify", code=1)
    assert told.count(", where runs have kept artifacts, is left out: ") == 1
    assert f"{s3_url}/" in told
    assert "All of it is what was stored" in told
    assert "could not be checked" in told
    assert "could not be checked" not in place.swell("verify", "CleanFlow/1")
    assert "CleanFlow" in place.swell("du")
    assert "Removed 0 artifacts" in place.swell("gc")
    assert "Removed run CleanFlow/1" in place.swell("rm", "CleanFlow/1", "--yes")
    assert "Removed run CleanFlow/2" in place.swell("rm", "CleanFlow/2", "--yes")


def test_a_blob_damaged_in_the_bucket_is_found_though_it_is_in_the_cache(tmp_path, s3_url):
    place = Cleaned(tmp_path)
    own = {key: value for key, value in os.environ.items() if key.startswith("SWELL_S3_")}
    cache = str(tmp_path / "cache")
    place.variables |= {**own, "SWELL_DATASTORE": s3_url, "SWELL_CACHE": cache}
    place.run_flow(1)
    with place.store() as store:
        ref = store.records(RunId("CleanFlow", 1), step="end")[0].record.artifacts["own"]
        bucket = ObjectStorage(parse_address(ref.store or ""), access_from(load_settings()))
    data = bytearray(bucket.read(storage_key(ref.key or "")))
    data[-7] ^= 4
    bucket.upload(storage_key(ref.key or ""), [bytes(data)])
    told = place.swell("verify", code=1)
    assert f"damaged Blob {ref.key}" in told
    assert "CleanFlow/1/start/1 own" in told


# --- several databases, one folder -----------------------------------------------------------


def test_a_folder_is_not_cleaned_of_what_another_database_uses(
    place: Cleaned, postgres_server: PostgresServer, postgres_url: str
) -> None:
    place.run_flow(1)
    alone = set(place.blobs())
    shared = {"SWELL_METADATA": postgres_url}
    place.variables |= shared
    place.run_flow(7)
    assert set(place.blobs()) > alone
    place.swell("gc", "--keep-runs", "0", "--yes")
    assert set(place.blobs()) == alone
    place.run_flow(8)
    place.variables["SWELL_METADATA"] = "local"
    assert set(place.blobs()) > alone
    told = place.swell("gc", "--keep-runs", "0", "--yes")
    assert "cannot be asked which" in told
    assert set(place.blobs()) > alone
    assert "is what was stored" in place.swell("verify", **shared)
    # With the password it can be asked.
    password = parse_password(postgres_url)
    told = place.swell("gc", PGPASSWORD=password)
    assert "cannot be asked" not in told
    assert "is what was stored" in place.swell("verify", **shared)
    assert not alone <= set(place.blobs())


def parse_password(url: str) -> str:
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(url).password or "")
