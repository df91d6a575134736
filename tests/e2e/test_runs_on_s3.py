"""Whole runs whose artifacts are in a bucket of a real S3 server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from swell.datastore.blob_format import storage_key
from swell.datastore.object_access import access_from
from swell.datastore.object_address import parse_address
from swell.datastore.object_store import ObjectStorage
from swell.metastore.sqlite import open_metastore
from swell.model.ids import RunId
from swell.model.record import ArtifactRef
from swell.settings import load_settings
from tests.faults.driving import Driver, Place

FLOW = """
import os

from swell import File

class BigFlow(FlowSpec):
    text = Parameter("text", default="x" * 30_000)

    @step
    def start(self):
        self.big = os.urandom(20_000_000)
        self.zeros = bytes(5_000_000)
        with open("notes.txt", "w") as file:
            file.write("kept " * 100)
        self.notes = File("notes.txt")
        self.parts = [str(i) * 20_000 for i in range(4)]
        self.next(self.work, foreach="parts")

    @card
    @step
    def work(self):
        if self.index == 2 and os.path.exists("fail"):
            raise ValueError("told to")
        self.out = self.input[:3] * 10_000
        self.seen = len(self.big)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.outs = [i.out for i in inputs]
        self.merge_artifacts(inputs, exclude=["out", "seen"])
        self.next(self.end)

    @step
    def end(self):
        print("notes", open(self.notes.path).read()[:4], self.notes.read_range(5, 4))
        print("found", len(self.outs), len(self.big), len(self.zeros), len(self.text))

if __name__ == "__main__":
    BigFlow()
"""

READ = """
from swell import Flow, namespace
namespace(None)
run = Flow("BigFlow").latest_run
print([task["out"].data[:3] for task in run["work"]], len(run["end"].task.data.big))
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def run(place: Place, s3_url: str, tmp_path: Path) -> Callable[..., Driver]:
    """Runs the flow with its artifacts in the bucket, unless told otherwise."""
    script = place.script(FLOW)

    def run(*arguments: str, **variables: str) -> Driver:
        variables = {"SWELL_CACHE": str(tmp_path / "cache"), **variables}
        return place.run(script, *arguments, env=place.environ(**s3_environ(), **variables))

    return run


def s3_environ() -> dict[str, str]:
    """The settings that ``place`` would not pass on."""
    import os

    return {name: value for name, value in os.environ.items() if name.startswith("SWELL_S3_")}


def refs(place: Place, step: str, run: int = 1) -> dict[str, ArtifactRef]:
    with closing(open_metastore(place.root / "metadata.db", read_only=True)) as store:
        return store.records(RunId("BigFlow", run), step=step)[0].record.artifacts


def own_storage(url: str) -> ObjectStorage:
    return ObjectStorage(parse_address(url), access_from(load_settings()))


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
def test_a_run_keeps_its_artifacts_in_the_bucket_and_reads_them_there(
    run, place, s3_url, tmp_path, isolation
):
    ended = run("--datastore", s3_url, "run", "--isolation", isolation)
    assert ended.code == 0, ended.text
    assert "found 4 20000000 5000000 30000" in ended.text
    assert "notes kept b'kept'" in ended.text
    assert not (place.root / "blobs").exists()
    with closing(open_metastore(place.root / "metadata.db", read_only=True)) as store:
        own = f"{s3_url}/{store.store_id}"
    assert {ref.store for ref in refs(place, "end").values() if ref.key} == {own}
    sizes = {entry.key: entry.size for entry in own_storage(own).list("blobs/")}
    found = refs(place, "start")
    assert sizes[storage_key(found["big"].key)] > 20_000_000
    assert sizes[storage_key(found["zeros"].key)] < 10_000


def test_the_client_reads_from_the_bucket(run, place, s3_url):
    assert run("run", SWELL_DATASTORE=s3_url).code == 0
    script = place.script(READ, "read.py")
    read = place.run(script, env=place.environ(**s3_environ(), SWELL_CACHE_GB="0"))
    assert "['333', '222', '111', '000'] 20000000" in read.text


def test_a_failed_run_is_resumed_in_the_bucket(run, place, s3_url, tmp_path):
    (tmp_path / "fail").touch()
    assert run("--datastore", s3_url, "run").code == 1
    (tmp_path / "fail").unlink()
    ended = run("--datastore", s3_url, "resume")
    assert ended.code == 0, ended.text
    assert "found 4 20000000" in ended.text


@pytest.mark.parametrize("first", ["local", "bucket"])
def test_a_run_is_resumed_from_one_store_into_the_other(run, place, s3_url, tmp_path, first):
    stores = {"local": ("--datastore", "local"), "bucket": ("--datastore", s3_url)}
    second = next(name for name in stores if name != first)
    (tmp_path / "fail").touch()
    assert run(*stores[first], "run").code == 1
    (tmp_path / "fail").unlink()
    ended = run(*stores[second], "resume")
    assert ended.code == 0, ended.text
    assert "found 4 20000000 5000000 30000" in ended.text
    found = refs(place, "end", run=2)
    is_local = {name: found[name].store is None for name in ("big", "outs")}
    assert is_local == {"big": first == "local", "outs": second == "local"}


def test_a_blob_damaged_in_the_bucket_is_refused_and_its_runs_are_named(
    run, place, s3_url, tmp_path
):
    assert run("--datastore", s3_url, "run").code == 0
    ref = refs(place, "end")["big"]
    storage = own_storage(ref.store or "")
    data = bytearray(storage.read(storage_key(ref.key or "")))
    data[-7] ^= 4
    storage.upload(storage_key(ref.key or ""), [bytes(data)])
    script = place.script(READ, "read.py")
    read = place.run(script, env=place.environ(**s3_environ(), SWELL_CACHE_GB="0"))
    assert read.code != 0
    assert f"Blob {ref.key} in {ref.store} is damaged" in read.text
    assert "It is used by BigFlow/1." in read.text


def test_data_of_a_run_lie_beside_its_artifacts(place, s3_url):
    script = place.script(
        """
        from swell import S3

        class DataFlow(FlowSpec):
            @step
            def start(self):
                with S3(run=self) as s3:
                    self.url = s3.put("notes/a", "of this run")
                self.next(self.end)

            @step
            def end(self):
                with S3(run=self) as s3:
                    print("read", s3.get("notes/a").text, s3.list_recursive()[0].key)

        if __name__ == "__main__":
            DataFlow()
        """
    )
    ended = place.run(script, "run", env=place.environ(**s3_environ(), SWELL_DATASTORE=s3_url))
    assert "read of this run notes/a" in ended.text
    reader = place.script(
        """
        from swell import S3, Flow
        run = Flow("DataFlow").latest_run
        with S3(run=run) as s3:
            print(s3.get("notes/a").text, run["start"].task["url"].data == s3.get("notes/a").url)
        """,
        "reader.py",
    )
    read = place.run(reader, env=place.environ(**s3_environ(), SWELL_DATASTORE=s3_url))
    assert "of this run True" in read.text


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("s3:/bucket", "begins with s3://"),
        ("s3", "SWELL_DATASTORE"),
        ("ftp://bucket", "begins with s3://"),
        ("s3://bucket/../x", "Write the prefix out"),
    ],
)
def test_a_datastore_with_a_typo_ends_in_one_sentence(run, given, told):
    ended = run("--datastore", given, "run")
    assert ended.code == 2
    assert told in ended.text
    assert "Traceback" not in ended.text
