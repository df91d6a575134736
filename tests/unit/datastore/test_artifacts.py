"""Artifacts: what is saved is loaded; small inline, large as Blobs; changes are noticed."""

from __future__ import annotations

import datetime
import decimal
import enum
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.datastore.artifacts import Artifacts
from swell.datastore.local import LocalStorage
from swell.datastore.serializers import serialize
from swell.errors import DataMissing, StoreError, UnstorableArtifact
from swell.model.record import INLINE_RECORD_BYTES, INLINE_VALUE_BYTES, ArtifactRef
from swell.testing.memory_storage import MemoryStorage


class Color(enum.Enum):
    RED = 1


class Model:
    def __init__(self) -> None:
        self.weights = numpy.arange(20_000.0)
        self.name = "m"


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path: Path):
    return LocalStorage(tmp_path) if request.param == "local" else MemoryStorage()


@pytest.fixture
def artifacts(storage) -> Artifacts:
    return Artifacts(storage)


def roundtrip(artifacts: Artifacts, value: object) -> object:
    return artifacts.load(artifacts.save({"x": value})["x"])


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=50)
    | st.binary(max_size=50)
    | st.decimals(allow_nan=False)
    | st.datetimes()
)
arrays = st.builds(
    lambda n, kind: numpy.arange(n, dtype=kind),
    st.sampled_from([0, 1, 1000, 9000, 70_000]),
    st.sampled_from(["u1", "f8", "i4"]),
)
values = st.recursive(
    scalars | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


def same(one: object, other: object) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, numpy.ndarray):
        assert isinstance(other, numpy.ndarray)
        return one.dtype == other.dtype and numpy.array_equal(one, other)
    if isinstance(one, dict):
        assert isinstance(other, dict)
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        assert isinstance(other, (list, tuple))
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@given(value=values)
def test_nested_values_and_arrays_come_back_and_are_not_changed(tmp_path_factory, value):
    artifacts = Artifacts(LocalStorage(tmp_path_factory.mktemp("store")))
    ref = artifacts.save({"x": value})["x"]
    loaded = artifacts.load(ref)
    assert same(loaded, value)
    assert not artifacts.changed(ref, loaded)


@pytest.mark.parametrize(
    "array",
    [
        numpy.asfortranarray(numpy.arange(60_000.0).reshape(200, 300)),
        numpy.arange(90_000.0)[::3],
        numpy.arange(90_000.0).reshape(300, 300)[:, 10:20],
        numpy.zeros((0, 5)),
        numpy.array([("a", 1.5)] * 9000, dtype=[("name", "U4"), ("x", "f8")]),
        numpy.array([{"a": 1}, None, "text"], dtype=object),
        numpy.zeros(3_000_000),
        numpy.random.default_rng(0).random(3_000_000),
    ],
    ids=["fortran", "strided", "slice", "empty", "structured", "object", "zeros", "random"],
)
def test_arrays_of_all_kinds_come_back_writable(artifacts, array):
    loaded = roundtrip(artifacts, array)
    assert loaded.dtype == array.dtype
    assert numpy.array_equal(loaded, array)
    if array.size and array.dtype == float:
        loaded.flat[0] = 42


def test_small_values_stand_in_the_record_and_large_ones_in_blobs(artifacts, storage):
    refs = artifacts.save({"small": "x", "large": "y" * INLINE_VALUE_BYTES})
    assert refs["small"].inline is not None
    assert refs["small"].key is None
    assert refs["large"].inline is None
    assert len(refs["large"].key or "") == 64
    assert len(list(storage.list("blobs/"))) == 1


def test_a_record_full_of_inline_values_sends_further_ones_to_blobs(artifacts):
    refs = artifacts.save({f"x{n}": bytes([n]) * 15_000 for n in range(10)})
    inline = [ref for ref in refs.values() if ref.inline is not None]
    assert len(inline) == 4
    assert sum(ref.size for ref in inline) <= INLINE_RECORD_BYTES
    assert all(artifacts.load(refs[f"x{n}"]) == bytes([n]) * 15_000 for n in range(10))


def test_content_has_one_key_inline_or_not(artifacts):
    value = b"x" * 15_000
    refs = artifacts.save({f"x{n}": value for n in range(6)})
    assert {ref.inline is None for ref in refs.values()} == {True, False}
    assert len({artifacts.content_key(ref) for ref in refs.values()}) == 1
    assert artifacts.same_content(refs["x0"], refs["x5"])
    assert not artifacts.same_content(refs["x0"], artifacts.save({"y": b"y"})["y"])


def test_equal_values_are_stored_once(artifacts, storage):
    one = artifacts.save({"x": numpy.arange(50_000)})["x"]
    other = artifacts.save({"y": numpy.arange(50_000)})["y"]
    assert one.key == other.key
    assert len(list(storage.list("blobs/"))) == 1


def test_arrays_of_the_same_bytes_cut_differently_are_not_the_same(artifacts):
    whole = numpy.zeros(40_000)
    refs = artifacts.save(
        {"a": [whole[:10_000], whole[:30_000]], "b": [whole[:30_000], whole[:10_000]]}
    )
    assert not artifacts.same_content(refs["a"], refs["b"])


def test_what_is_known_without_loading_is_in_the_reference(artifacts):
    refs = artifacts.save({"n": 3, "a": numpy.zeros((2, 3)), "c": Color.RED})
    assert (refs["n"].type, refs["n"].preview) == ("int", "3")
    assert refs["a"].type == "numpy.ndarray"
    assert "2 × 3" in refs["a"].preview
    assert refs["c"].type.endswith(".Color")


def test_a_change_in_place_is_noticed_and_reading_is_none(artifacts):
    values = {
        "list": [1, 2, ["a" * 100, "a" * 100]],
        "dict": {"k": {"deep": 1}},
        "array": numpy.arange(100_000.0),
        "model": Model(),
        "set": {"a", "b", "c"},
    }
    refs = artifacts.save(values)
    loaded = {name: artifacts.load(ref) for name, ref in refs.items()}
    loaded["array"].sum()
    assert not any(artifacts.changed(refs[name], loaded[name]) for name in refs)
    loaded["list"][2].append("b")
    loaded["dict"]["k"]["deep"] = 2
    loaded["array"][77_777] += 1
    loaded["model"].weights[3] = -1
    loaded["set"].add("d")
    assert all(artifacts.changed(refs[name], loaded[name]) for name in refs)
    assert artifacts.load(refs["array"])[77_777] == 77_777
    assert artifacts.load(refs["model"]).weights[3] == 3


def test_equal_strings_that_become_one_at_loading_are_no_change(artifacts):
    # Attribute names are interned when they are loaded, and then pickle as one.
    model = Model()
    model.name = "".join(["wei", "ghts"])
    ref = artifacts.save({"model": [model, "".join(["wei", "ghts"])]})["model"]
    assert not artifacts.changed(ref, artifacts.load(ref))


def test_values_that_cannot_change_are_answered_without_the_store():
    storage = MemoryStorage()
    artifacts = Artifacts(storage)
    nowhere = ArtifactRef(None, "0" * 64, 5, "str", "")
    frozen = ("x" * 100_000, 1, (2.5, None), frozenset({1}), Color.RED, decimal.Decimal(1))
    for value in (*frozen, frozen, datetime.date(2020, 1, 1)):
        assert not artifacts.changed(nowhere, value)
    assert storage.reads == []


def test_an_enum_of_the_script_is_itself_when_it_is_loaded(artifacts):
    assert roundtrip(artifacts, [Color.RED])[0] is Color.RED


def test_local_functions_and_classes_come_back_by_value(artifacts):
    class Local:
        def value(self) -> int:
            return factor

    factor = 3
    refs = artifacts.save({"f": lambda x: x * factor, "c": Local(), "plain": len})
    assert artifacts.load(refs["f"])(5) == 15
    assert artifacts.load(refs["c"]).value() == 3
    version = f"cloudpickle-{sys.version_info[0]}.{sys.version_info[1]}"
    assert refs["f"].encoding == refs["c"].encoding == version
    assert refs["plain"].encoding == "pickle"


class KnowsProtocol4:
    def __init__(self, held):
        self.held = held

    def __reduce_ex__(self, protocol):
        if protocol > 4:
            raise ValueError("protocol 5 is not known")
        return KnowsProtocol4, (self.held,)


@pytest.mark.parametrize("beside", [None, lambda: 3], ids=["by reference", "by value"])
def test_what_does_not_know_protocol_5_is_stored_and_what_is_beside_it_not_copied(
    artifacts, beside
):
    array = numpy.arange(20_000.0)
    value = [KnowsProtocol4(array), array, beside]
    data = serialize(value)
    assert (data.encoding == "pickle") == (beside is None)
    assert list(map(len, data.buffers)) == [array.nbytes]
    held, loaded, _ = artifacts.load(artifacts.save({"x": value})["x"])
    assert numpy.array_equal(loaded, array)
    assert held.held is loaded


def test_what_resists_every_protocol_is_named_beside_what_does_not(artifacts):
    with pytest.raises(UnstorableArtifact, match=r"self\.x\[1\] \(generator\)"):
        artifacts.save({"x": [KnowsProtocol4(1), (n for n in range(3))]})


def test_code_of_another_python_is_refused_with_both_versions(artifacts):
    ref = ArtifactRef(b"\x80\x05N.", None, 4, "function", "", "cloudpickle-3.7")
    with pytest.raises(StoreError, match=r"cloudpickle-3\.7.*this one \(3\."):
        artifacts.load(ref)


def test_a_class_of_a_script_is_stored_by_reference_and_its_absence_names_it(tmp_path):
    script = tmp_path / "flow.py"
    script.write_text(
        "import enum, sys\n"
        "from swell.datastore.artifacts import Artifacts\n"
        "from swell.datastore.local import LocalStorage\n"
        "from swell.model.record import Record\n"
        "from swell.model.wire import encode\n"
        "class Shape(enum.Enum):\n    ROUND = 1\n"
        "refs = Artifacts(LocalStorage(sys.argv[1])).save({'s': Shape.ROUND})\n"
        "assert Artifacts(LocalStorage(sys.argv[1])).load(refs['s']) is Shape.ROUND\n"
        "sys.stdout.buffer.write(encode(Record(refs)))\n"
    )
    from swell.model.wire import decode_record

    store = str(tmp_path / "store")
    done = subprocess.run([sys.executable, script, store], capture_output=True, check=True)
    ref = decode_record(done.stdout).artifacts["s"]
    assert ref.encoding == "pickle"
    with pytest.raises(DataMissing) as caught:
        Artifacts(LocalStorage(store), script="flow.py").load(ref)
    assert "'Shape'" in caught.value.message
    assert "flow.py" in caught.value.message
    assert caught.value.remedy


def test_a_module_that_is_not_installed_is_named(artifacts):
    ref = ArtifactRef(b"\x80\x05cno_such_module\nThing\n.", None, 26, "x", "")
    with pytest.raises(DataMissing, match=r"no_such_module\.Thing"):
        artifacts.load(ref)


def test_an_artifact_of_another_store_is_loaded_through_the_given_door(tmp_path):
    here, there = MemoryStorage("memory://here"), MemoryStorage("memory://there")
    ref = Artifacts(there).save({"x": b"x" * 50_000})["x"]
    elsewhere = ArtifactRef(None, ref.key, ref.size, ref.type, ref.preview, store=there.url)
    with pytest.raises(StoreError, match="memory://there"):
        Artifacts(here).load(elsewhere)
    opened: list[str] = []

    def open_store(url: str) -> MemoryStorage:
        opened.append(url)
        return there

    assert Artifacts(here, open_store=open_store).load(elsewhere) == b"x" * 50_000
    assert opened == ["memory://there"]


def test_plain_bytes_are_kept_as_they_are(artifacts):
    key = artifacts.save_raw(b"<html>")
    assert bytes(artifacts.load_raw(key)) == b"<html>"


def test_blobs_are_made_durable_by_their_references(tmp_path):
    artifacts = Artifacts(LocalStorage(tmp_path))
    refs = artifacts.save({"small": 1, "large": os.urandom(50_000)})
    artifacts.sync(refs.values())
    (path,) = (entry for entry in tmp_path.rglob("*") if entry.is_file())
    path.unlink()
    with pytest.raises(DataMissing, match=refs["large"].key or "?"):
        artifacts.sync(refs.values())
