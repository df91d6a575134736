"""Client objects travel to other processes with their store and namespace."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.client.access import ACCESS
from swell.client.namespaces import namespace
from swell.client.objects import DataArtifact, Flow, Run, Step, Task
from tests.unit.client.filled_store import MemoryStores, Writer, open_stores


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    ACCESS.install_opener(open_stores, default_namespace=lambda: "user:ann")
    ACCESS.forget_namespace()
    ACCESS.choose_address(str(tmp_path))
    stores = ACCESS.stores()
    assert isinstance(stores, MemoryStores)
    yield Writer(stores.metastore)  # type: ignore[arg-type]
    stores.metastore.close()  # type: ignore[operator]


@pytest.mark.parametrize("kind", [Flow, Run, Step, Task, DataArtifact])
def test_an_object_is_itself_after_pickling(writer: Writer, kind: type) -> None:
    writer.whole_run()
    path = "/".join("SumFlow/1/each/2/square".split("/")[: kind._parts])  # type: ignore[attr-defined]
    made = kind(path)
    assert pickle.loads(pickle.dumps(made)) == made


def test_the_attempt_and_the_namespace_travel_too(writer: Writer) -> None:
    created = writer.task(writer.run(), "start", "1")
    writer.attempt(created, {"x": "first"}, 0)
    writer.attempt(created, {"x": "second"}, 1)
    writer.run(user="bob")
    task = pickle.dumps(Task("SumFlow/1/start/1", attempt=0))
    flow = pickle.dumps(Flow("SumFlow"))

    namespace("user:bob")

    assert pickle.loads(task).data.x == "first"
    assert [run.id for run in pickle.loads(flow)] == ["1"]


def test_another_process_that_never_asked_for_a_store_reads_the_object(writer: Writer) -> None:
    writer.whole_run()
    data = pickle.dumps(Task("SumFlow/1/each/4"))
    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer).data.square)"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=data,
        capture_output=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(root)},
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"4\n", b"")
