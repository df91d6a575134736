"""Everything that runs refer to is found."""

from __future__ import annotations

from swell.gc.references import BlobId, blobs_of, uses_of_run
from swell.model.facts import TaskCreated
from swell.model.record import CardRef, Items, Outcome, Record, Split, Transition
from swell.testing.stored_facts import ended, new_run
from tests.unit.gc.conftest import ref

BUCKET = "s3://data/x/0123456789ab"


def test_artifacts_files_cards_and_items_of_all_attempts_are_references(metastore):
    run = metastore.create_run(new_run("A")).id
    record = Record(
        {"x": ref("k1", files=("f1", "f2")), "y": ref("k2", BUCKET)},
        (
            CardRef("default", None, "sha", "c1", 10),
            CardRef("default", "mine", "sha", "c2", 1, BUCKET),
        ),
    )
    split = Split("xs", 2, Items(key="i1", store=BUCKET, files=("f3",)))
    outcome = Outcome(True, transition=Transition(("work",), split))
    metastore.commit(
        [
            TaskCreated(run, "start", "1", 1.0),
            ended(run, "1", 0, record=Record({"x": ref("old")}), outcome=Outcome(False)),
            ended(run, "1", 1, record=record, outcome=outcome),
        ]
    )
    found = {(use.name, use.blob) for use in uses_of_run(metastore, run)}
    assert found == {
        ("x", BlobId(None, "old")),
        ("x", BlobId(None, "k1")),
        ("x", BlobId(None, "f1")),
        ("x", BlobId(None, "f2")),
        ("y", BlobId(BUCKET, "k2")),
        ("card 'default'", BlobId(None, "c1")),
        ("card 'mine'", BlobId(BUCKET, "c2")),
        ("items of 'xs'", BlobId(BUCKET, "i1")),
        ("items of 'xs'", BlobId(BUCKET, "f3")),
    }
    assert {(use.step, use.task) for use in uses_of_run(metastore, run)} == {("start", "1")}


def test_every_field_of_the_records_that_can_name_a_blob_is_known(metastore):
    """A field that is added must be thought of here too."""
    from swell.model import record as records

    named = {
        f"{kind.__name__}.{field}"
        for kind in vars(records).values()
        if isinstance(kind, type) and hasattr(kind, "__struct_fields__")
        for field in kind.__struct_fields__
        if field in ("key", "files", "blobs") or field.endswith(("_key", "_keys"))
    }
    assert named == {
        "ArtifactRef.key",
        "ArtifactRef.files",
        "CardRef.key",
        "Items.key",
        "Items.files",
        "ItemRef.key",  # a position in Items.key
        "ItemRef.files",  # those of its Items
        "AttemptResult.blobs",  # those of the Record and the Outcome beside it
    }
    assert blobs_of(metastore, []) == set()
