"""What is resumed must be reachable: in the folder here, or in a store that references name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from swell.client.whereabouts import DATASTORE
from swell.datastore.artifacts import Artifacts
from swell.datastore.local import LocalStorage
from swell.errors import DataMissing
from swell.metastore.sqlite import open_metastore
from swell.model.facts import AttemptEnded, AttemptStarted, NewRun, RunFact, TaskCreated
from swell.model.ids import PARAMETERS_STEP, JobId
from swell.model.record import ArtifactRef, Outcome, Record
from swell.model.wire import encode
from swell.seams.metastore import Metastore
from swell.session.origin import Origin, check_reachable


@pytest.fixture
def metastore(tmp_path: Path) -> Iterator[Metastore]:
    with closing(open_metastore(tmp_path / "metadata.db")) as store:
        yield store


@pytest.fixture
def here(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "blobs")


def run_of_another_machine(metastore: Metastore, datastore: str) -> RunFact:
    run = metastore.create_run(NewRun("AFlow", "ann", 1.0, "flow.py", (), host="another"))
    job = JobId("0", 0)
    facts = {DATASTORE: (DATASTORE, datastore)}
    metastore.commit(
        [
            TaskCreated(run.id, PARAMETERS_STEP, "0", 1.0),
            AttemptStarted(run.id, job, 1.0),
            AttemptEnded(run.id, job, 1.0, Outcome(ok=True), encode(Record()), metadata=facts),
        ]
    )
    return run


def origin(metastore: Metastore, datastore: str, ref: ArtifactRef) -> Origin:
    return Origin(run_of_another_machine(metastore, datastore), {}, {"x": ref})


def test_a_run_whose_folder_is_mounted_here_is_reachable(metastore, here):
    ref = Artifacts(here).save({"x": b"x" * 50_000})["x"]
    check_reachable(metastore, origin(metastore, "/elsewhere", ref), [], here)


def test_a_run_whose_folder_is_not_here_is_told(metastore, here, tmp_path):
    there = LocalStorage(tmp_path / "there")
    ref = Artifacts(there).save({"x": b"x" * 50_000})["x"]
    with pytest.raises(DataMissing, match="another:/elsewhere"):
        check_reachable(metastore, origin(metastore, "/elsewhere", ref), [], here)


def test_artifacts_in_an_object_store_are_reachable_from_everywhere(metastore, here):
    ref = ArtifactRef(None, "ab" * 32, 50_000, "bytes", "", store="s3://bucket/x")
    check_reachable(metastore, origin(metastore, "s3://bucket/x", ref), [], here)
