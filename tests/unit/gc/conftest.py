"""A metadata store and runs that refer to Blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swell.metastore.sqlite import open_metastore
from swell.model.facts import RunEnded, RunStatus, TaskCreated
from swell.model.ids import RunId
from swell.model.record import ArtifactRef, Record
from swell.seams.metastore import Metastore
from swell.testing.stored_facts import ended, new_run

MakeRun = Callable[..., RunId]


def ref(key: str, store: str | None = None, files: tuple[str, ...] = ()) -> ArtifactRef:
    """A reference to the Blob ``key``."""
    return ArtifactRef(None, key, 100, "bytes", "…", store=store, files=files)


@pytest.fixture
def metastore(tmp_path: Path) -> Iterator[Metastore]:
    store = open_metastore(tmp_path / "metadata.db")
    yield store
    store.close()


@pytest.fixture
def make_run(metastore: Metastore) -> MakeRun:
    """A run of ``flow`` that ended, each of whose tasks has one artifact ``x``: a key each."""

    def make(flow: str, *keys: str, at: float = 1000.0, **also: object) -> RunId:
        run = metastore.create_run(new_run(flow, at, **also)).id
        for number, key in enumerate(keys, 1):
            record = Record({"x": ref(key)})
            metastore.commit(
                [
                    TaskCreated(run, f"step{number}", str(number), at),
                    ended(run, str(number), record=record, at=at),
                ]
            )
        metastore.commit([RunEnded(run, at + 10, RunStatus.DONE)])
        return run

    return make
