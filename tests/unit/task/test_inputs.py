"""The inputs of a join: read when asked for, all values of one name at once."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from swell.datastore.packs import write_pack
from swell.errors import InternalError
from swell.model.job import Inputs, Opened
from swell.model.record import Items, Record
from swell.model.wire import decode_ref, encode
from swell.session.datastores import Datastores
from swell.session.task_store import TaskStore
from swell.settings import load_settings
from swell.task.inputs import JoinInputs


class CountingStore(TaskStore):
    """Counts what is loaded one by one and together."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Datastores(folder, None, load_settings({}), None), "flow.py")
        self.loads: list[int] = []

    def load(self, ref):
        self.loads.append(1)
        return super().load(ref)

    def load_many(self, refs):
        self.loads.append(len(refs))
        return super().load_many(refs)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path)


def inputs_of(store: TaskStore, values: list[object], pack: str | None = None) -> JoinInputs:
    records = tuple(
        encode(Record(store.save({"x": value, "other": number})))
        for number, value in enumerate(values)
    )
    if pack is not None:
        write_pack(pack, records)
    given = Inputs(
        tuple(f"work/{number}" for number in range(len(values))),
        records=() if pack else records,
        pack=pack,
        opened=Opened("start", "items", len(values), Items(range=(10, 1))),
    )
    return JoinInputs(given, (), store, "TrialFlow")


@pytest.mark.parametrize("packed", [True, False])
def test_all_values_of_a_name_are_read_together_in_split_order(store, tmp_path, packed):
    values = [number if number % 3 else numpy.full(20_000, number) for number in range(50)]
    inputs = inputs_of(store, values, str(tmp_path / "pack") if packed else None)
    assert len(inputs) == 50
    assert store.loads == []
    found = inputs.values("x")
    assert store.loads == [50]
    assert all(numpy.array_equal(one, value) for one, value in zip(found, values, strict=True))
    assert inputs[7].other == 7
    assert inputs[7].input == 17


def test_a_value_that_was_loaded_already_is_the_same_object(store):
    inputs = inputs_of(store, [[1], [2]])
    first = inputs[0].x
    first.append(5)
    assert inputs.values("x") == [[1, 5], [2]]
    assert inputs[0].x is first


def test_values_are_read_together_also_of_inputs_that_were_looked_at(store):
    inputs = inputs_of(store, [[1], [2], [3]])
    assert [one.index for one in inputs] == [0, 1, 2]
    assert inputs[1].other == 1
    store.loads.clear()
    found = inputs.values("x")
    assert store.loads == [3]
    assert inputs[1].x is found[1]


def test_a_slice_of_the_inputs_is_a_list_of_them(store):
    inputs = inputs_of(store, ["a", "b", "c"])
    assert [one.x for one in inputs[1:]] == ["b", "c"]
    assert [one.x for one in inputs[::-1]] == ["c", "b", "a"]
    assert inputs[5:] == []
    with pytest.raises(IndexError, match=r"inputs\[3\]: this join has 3 inputs"):
        inputs[3]


def test_an_artifact_that_an_input_lacks_is_told_with_the_task(store):
    inputs = inputs_of(store, [1, 2])
    with pytest.raises(AttributeError, match=r"work/0 of this join has no artifact 'y'"):
        inputs.values("y")
    assert inputs_of(store, []).values("x") == []


def test_one_artifact_of_a_record_is_decoded_alone(store):
    refs = store.save({"x": 1, "y": "text"})
    data = encode(Record(refs))
    assert decode_ref(data, "y") == refs["y"]
    assert decode_ref(data, "z") is None
    with pytest.raises(InternalError, match="not a record"):
        decode_ref(b"\xff", "x")
