"""The main node of a gang ends last."""

from __future__ import annotations

import pytest

from swell.bootstrap.gang import OtherNodes, awaited
from swell.bootstrap.place import Keys, Place, find_place
from swell.bootstrap.store import Listed, Store, StoreFailure

OTHERS = ("1", "2")


@pytest.mark.parametrize(
    ("keys", "is_early", "waiting"),
    [
        ([], True, {"1", "2"}),
        (["n/0001/1"], True, {"1", "2"}),
        (["n/0001/1", "n/ended/1"], True, {"2"}),
        (["n/0001/1", "n/0001/2", "n/ended/2"], False, {"1"}),
        ([], False, set()),
        (["n/ended/1", "n/ended/2"], True, set()),
    ],
)
def test_nodes_are_waited_for_until_they_ended_or_are_silent(
    keys: list[str], is_early: bool, waiting: set[str]
) -> None:
    assert awaited(OTHERS, keys, is_early) == waiting


def test_which_node_is_the_main_one_comes_from_the_engine() -> None:
    environ = {"AWS_BATCH_JOB_ID": "job#1", "AWS_BATCH_JOB_NUM_NODES": "3"}
    first = find_place({**environ, "AWS_BATCH_JOB_NODE_INDEX": "0"})
    second = find_place({**environ, "AWS_BATCH_JOB_NODE_INDEX": "1"})
    alone = find_place({"AWS_BATCH_JOB_ID": "job"})

    assert [one.is_main for one in (first, second, alone)] == [True, False, False]
    assert [one.is_follower for one in (first, second, alone)] == [False, True, False]


class Listing(Store):
    """A store whose lists are these, one after the other; None is a store that fails."""

    def __init__(self, *lists: list[str] | None) -> None:
        self.lists = list(lists)

    def now(self) -> float:
        return 1e9

    def listing(self, prefix: str, after: str = "") -> list[Listed]:
        keys = self.lists.pop(0)
        if keys is None:
            raise StoreFailure("away", is_passing=True)
        return [Listed(prefix + key, 0.0) for key in keys]


def test_a_store_that_fails_is_asked_again_until_all_have_ended() -> None:
    place = Place("job", 0, 1, nodes=3)
    keys = Keys("runs/F/1", "runs/F/1/submissions/name", place)
    store = Listing(["01/1"], None, ["01/1", "ended/1"], ["01/1", "ended/1", "ended/2"])
    pauses: list[float] = []

    OtherNodes(store, keys, place).wait(lambda: False, pauses.append)

    assert len(pauses) == 3
    assert not store.lists


def test_an_end_of_the_main_node_from_outside_is_not_held_up() -> None:
    place = Place("job", 0, 1, nodes=3)
    keys = Keys("runs/F/1", "runs/F/1/submissions/name", place)

    OtherNodes(Listing(), keys, place).wait(lambda: True, lambda seconds: None)
