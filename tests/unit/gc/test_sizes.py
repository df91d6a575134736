"""What takes the space: each Blob once, and what removing a run would free."""

from __future__ import annotations

from swell.gc.references import BlobId
from swell.gc.sizes import Space, space_of_artifacts, space_of_store

SIZES = {BlobId(None, key): size for key, size in {"a": 1, "b": 10, "c": 100, "d": 1000}.items()}


def test_shared_blobs_count_once_and_are_freed_only_with_their_last_user(metastore, make_run):
    one, two = make_run("A", "a", "b", "b"), make_run("A", "b", "c")
    other = make_run("B", "c")
    space = space_of_store(metastore, [one, two, other], SIZES)
    assert space.runs == {one: Space(2, 11, 1), two: Space(2, 110, 0), other: Space(1, 100, 0)}
    assert space.flows == {"A": Space(3, 111, 11), "B": Space(1, 100, 0)}
    assert space.all == Space(4, 1111, 1111)
    assert space.unused == Space(1, 1000, 1000)
    assert space.elsewhere == 0


def test_what_is_not_in_the_stores_at_hand_takes_no_space_and_is_counted(metastore, make_run):
    run = make_run("A", "a", "far")
    space = space_of_store(metastore, [run], SIZES)
    assert space.runs[run] == Space(1, 1, 1)
    assert space.elsewhere == 1


def test_an_artifact_counts_where_it_was_made_not_where_it_was_handed_on(metastore, make_run):
    run, other = make_run("A", "a", "b", "a"), make_run("A", "b")
    rows = space_of_artifacts(metastore, run, [run, other], SIZES)
    assert [(row.step, row.name, row.tasks, row.space) for row in rows] == [
        ("step2", "x", 1, Space(1, 10, 0)),
        ("step1", "x", 1, Space(1, 1, 1)),
    ]
