"""Arrays, frames, tensors and models: each comes back as it was, most from their own memory."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swell.datastore.artifacts import LOOK_FROM_BYTES, Artifacts
from swell.datastore.local import LocalStorage
from swell.datastore.serializers import Serialized, serialize
from swell.datastore.streamed import is_streamed

ROWS = 30_000
RANDOM = numpy.random.default_rng(0)
SQUARE = RANDOM.random((300, 400))
LARGE = RANDOM.random((LOOK_FROM_BYTES // 800, 100))
DAYS = numpy.arange(ROWS).astype("M8[D]")
PLACES = numpy.array(["Oslo", "Kyiv", "Lima"])[numpy.arange(ROWS) % 3]


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(LocalStorage(tmp_path / "store"))


def roundtrip(artifacts: Artifacts, value: object) -> Any:
    ref = artifacts.save({"x": value})["x"]
    loaded = artifacts.load(ref)
    assert type(loaded) is type(value)
    assert not artifacts.changed(ref, loaded)
    return loaded


def stream_size(value: Serialized) -> int:
    return sum(map(len, value.stream))


OWN_MEMORY = {
    "plain": SQUARE,
    "fortran": numpy.asfortranarray(SQUARE),
    "turned": RANDOM.random((40, 50, 60)).transpose(2, 0, 1),
    "dates": DAYS,
    "texts": PLACES,
    "structured": numpy.zeros(20_000, [("a", "i4"), ("when", "M8[s]"), ("v", "f8", (2,))]),
    "records": numpy.zeros(20_000, [("a", "i4"), ("b", "f8")]).view(numpy.recarray),
    "matrix": SQUARE.view(numpy.matrix),
    "other byte order": SQUARE.astype(">f8"),
    "read-only": numpy.frombuffer(SQUARE.tobytes()),
    "complex": SQUARE + 1j,
}
IN_SLICES = {
    "strided": SQUARE[::2, ::3],
    "columns": SQUARE[:, 10:200],
    "backwards": SQUARE[::-1],
    "of fortran": numpy.asfortranarray(SQUARE)[::2],
    "turned and strided": RANDOM.random((40, 50, 60)).transpose(2, 0, 1)[:, ::2],
    "broadcast": numpy.broadcast_to(RANDOM.random(400), (300, 400)),
    "dates": DAYS[::2],
    "texts": PLACES[::-1],
}


@pytest.mark.parametrize("array", OWN_MEMORY.values(), ids=OWN_MEMORY.keys())
def test_an_array_is_stored_from_its_own_memory_and_comes_back_in_its_order(artifacts, array):
    data = serialize(array)
    (buffer,) = data.buffers
    assert not is_streamed(buffer)
    assert stream_size(data) < 1000
    assert numpy.shares_memory(numpy.frombuffer(buffer, numpy.uint8), array.view(numpy.ndarray))
    loaded = roundtrip(artifacts, array)
    assert loaded.dtype == array.dtype
    assert loaded.strides == array.strides
    assert loaded.tobytes() == array.tobytes()


@pytest.mark.parametrize("array", IN_SLICES.values(), ids=IN_SLICES.keys())
def test_an_array_with_gaps_is_stored_slice_by_slice_along_its_memory(artifacts, array):
    data = serialize(array)
    (buffer,) = data.buffers
    assert is_streamed(buffer)
    assert len(buffer) == array.nbytes == sum(map(len, buffer.pieces()))
    loaded = roundtrip(artifacts, array)
    assert loaded.dtype == array.dtype
    assert loaded.shape == array.shape
    assert loaded.tobytes() == array.tobytes()
    assert loaded.flags.writeable
    loaded[...] = loaded.copy()


def test_slices_of_a_large_array_with_gaps_are_small():
    array = numpy.zeros((4, 3_000_000, 2), "u1")[:, :, 0]
    (buffer,) = serialize(array).buffers
    assert is_streamed(buffer)
    assert max(map(len, buffer.pieces())) <= 4 << 20
    assert len(buffer.sample(5_000_000, 100)) == 100


def test_a_mapped_array_is_stored_by_content(artifacts, tmp_path):
    mapped = numpy.memmap(tmp_path / "x.bin", "f8", "w+", shape=(200, 200))
    mapped[:] = RANDOM.random((200, 200))
    expected = mapped.tobytes()
    ref = artifacts.save({"x": mapped})["x"]
    mapped[:] = 0
    mapped.flush()
    assert artifacts.load(ref).tobytes() == expected


@pytest.mark.parametrize(
    "array",
    [
        numpy.zeros((0, 5)),
        numpy.zeros(3, "V0"),
        numpy.array(7.5),
        numpy.array([{"a": SQUARE}, None, "text"], object),
        numpy.ma.masked_less(SQUARE, 0.5),
    ],
    ids=["empty", "of nothing", "scalar", "objects", "masked"],
)
def test_what_has_no_memory_to_give_comes_back_as_numpy_stores_it(artifacts, array):
    loaded = roundtrip(artifacts, array)
    assert loaded.dtype == array.dtype
    assert loaded.shape == array.shape
    if array.dtype != object:
        assert loaded.tobytes() == array.tobytes()
    else:
        assert numpy.array_equal(loaded[0]["a"], SQUARE)


@pytest.mark.parametrize("count", [0, 1, ROWS])
def test_dates_of_another_byte_order_keep_it(artifacts, count):
    array = numpy.arange(count).astype(">M8[s]")
    loaded = roundtrip(artifacts, array)
    assert (loaded.dtype, loaded.tolist()) == (array.dtype, array.tolist())


def test_one_array_in_two_places_is_one_array_again(artifacts):
    one, other = roundtrip(artifacts, (SQUARE, SQUARE))
    assert one is other


def test_a_class_without_a_name_gives_up_the_memory_of_its_arrays_too(artifacts):
    class Local:
        kept: Any

    value = Local()
    value.kept = SQUARE[::2]
    data = serialize(value)
    assert data.encoding.startswith("cloudpickle")
    assert len(data.buffers) == 1
    ref = artifacts.save({"x": value})["x"]
    assert numpy.array_equal(artifacts.load(ref).kept, SQUARE[::2])


# --- frames ----------------------------------------------------------------------


def pandas_frame() -> pandas.DataFrame:
    return pandas.DataFrame(
        {
            "n": numpy.arange(ROWS),
            "x": RANDOM.random(ROWS),
            "name": pandas.Series(numpy.arange(ROWS).astype(str)),
            "place": pandas.Categorical(PLACES),
            "day": DAYS.astype("M8[ns]"),
            "zone": pandas.date_range("2020", periods=ROWS, freq="s", tz="UTC"),
            "gap": pandas.array([None, 1, 2] * (ROWS // 3), dtype="Int64"),
            "yes": RANDOM.random(ROWS) > 0.5,
            "object": pandas.Series([None, "a", ("b", 1)] * (ROWS // 3), dtype=object),
        }
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame,
        lambda frame: frame.set_index(["place", "n"]),
        lambda frame: frame.set_index("zone"),
        lambda frame: frame.iloc[::2],
        lambda frame: frame.iloc[100:200],
        lambda frame: frame.iloc[:0],
    ],
    ids=["plain", "multi-index", "times", "every other row", "few rows", "no rows"],
)
def test_pandas_frames_come_back_with_index_dtypes_and_categories(artifacts, change):
    frame = change(pandas_frame())
    frame.attrs["source"] = "trial"
    loaded = roundtrip(artifacts, frame)
    pandas.testing.assert_frame_equal(loaded, frame)
    assert loaded.attrs == frame.attrs


def test_numbers_and_texts_of_a_pandas_frame_are_not_copied():
    frame = pandas_frame().drop(columns=["object"])
    data = serialize(frame)
    assert stream_size(data) < data.size / 10


def test_arrow_data_comes_back_and_of_a_slice_only_what_it_shows_is_stored(artifacts):
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"n": numpy.arange(ROWS), "name": [str(n) for n in range(ROWS)]})
    assert roundtrip(artifacts, table).equals(table)
    assert roundtrip(artifacts, table["name"]).equals(table["name"])
    assert stream_size(serialize(table)) < 5000
    piece = table.slice(100, 50)
    assert serialize(piece).size < 10_000
    assert roundtrip(artifacts, piece).equals(piece)
    column = table["n"].slice(5, 10)
    assert serialize(column).size < 10_000
    assert roundtrip(artifacts, column).equals(column)
    batch = table.to_batches()[0].slice(3, 4)
    assert serialize(batch).size < 10_000
    assert roundtrip(artifacts, batch).equals(batch)


def polars_frame() -> Any:
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    return polars.DataFrame(
        {
            "n": numpy.arange(ROWS),
            "x": RANDOM.random(ROWS),
            "name": [f"a text that is longer than twelve letters {n}" for n in range(ROWS)],
            "list": [[1, 2], None, []] * (ROWS // 3),
            "struct": [{"a": 1, "b": "x"}] * ROWS,
            "at": [datetime.datetime(2020, 1, 1)] * ROWS,
            "nothing": [None] * ROWS,
            "bytes": [b"x"] * ROWS,
        }
    ).with_columns(
        polars.Series("cat", PLACES).cast(polars.Categorical),
        polars.Series("enum", PLACES).cast(polars.Enum(["Oslo", "Kyiv", "Lima"])),
        polars.Series("dec", [1] * ROWS).cast(polars.Decimal(10, 2)),
        polars.Series("pair", [[1, 2]] * ROWS).cast(polars.Array(polars.Int8, 2)),
    )


def test_polars_frames_and_series_come_back_uncopied(artifacts):
    frame = polars_frame()
    data = serialize(frame)
    assert stream_size(data) < data.size / 10
    loaded = roundtrip(artifacts, frame)
    assert loaded.equals(frame)
    assert loaded.schema == frame.schema
    series = roundtrip(artifacts, frame["name"])
    assert series.equals(frame["name"], check_names=True)


def test_columns_that_polars_knows_to_be_sorted_still_are(artifacts):
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = polars.DataFrame({"up": range(ROWS), "down": range(ROWS, 0, -1), "as is": 1.5})
    frame = frame.with_columns(
        polars.col("up").sort(), polars.col("down").sort(descending=True), polars.col("as is")
    )
    loaded = roundtrip(artifacts, frame)
    assert loaded.equals(frame)
    assert loaded.flags == frame.flags
    assert roundtrip(artifacts, frame["down"]).flags == frame["down"].flags


def test_of_a_slice_of_a_polars_frame_only_what_it_shows_is_stored(artifacts):
    frame = polars_frame().select("n", "x", "name")
    piece = frame.slice(500, 4000)
    assert serialize(piece).size < serialize(frame).size / 5
    assert roundtrip(artifacts, piece).equals(piece)
    few = frame.head(3)
    assert roundtrip(artifacts, few).equals(few)


def test_a_polars_frame_of_python_objects_comes_back_as_polars_stores_it_or_is_refused(artifacts):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"x": [polars.Series([1])] * ROWS, "n": range(ROWS)})
    assert roundtrip(artifacts, frame).equals(frame)


# --- models and tensors ------------------------------------------------------------


def test_a_scikit_learn_model_gives_the_same_answers(artifacts):
    ensemble = pytest.importorskip("sklearn.ensemble")
    model = ensemble.RandomForestRegressor(20, random_state=0).fit(SQUARE[:, :5], SQUARE[:, 5])
    loaded = artifacts.load(artifacts.save({"x": model})["x"])
    assert numpy.array_equal(loaded.predict(SQUARE[:, :5]), model.predict(SQUARE[:, :5]))


def test_an_xgboost_model_gives_the_same_answers(artifacts):
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBRegressor(n_estimators=20).fit(SQUARE[:, :5], SQUARE[:, 5])
    loaded = artifacts.load(artifacts.save({"x": model})["x"])
    assert numpy.array_equal(loaded.predict(SQUARE[:, :5]), model.predict(SQUARE[:, :5]))


def test_tensors_come_back_uncopied_and_share_memory_as_before(artifacts):
    torch = pytest.importorskip("torch")
    base = torch.rand(300, 400)
    value = {
        "base": base,
        "row": base[3],
        "turned": base.t(),
        "half": base.to(torch.bfloat16),
        "parameter": torch.nn.Parameter(torch.rand(200, 200)),
        "small": torch.ones(3),
        "empty": torch.ones(0, 5),
        "model": torch.nn.Linear(300, 300),
    }
    data = serialize(value)
    assert stream_size(data) < 20_000
    ref = artifacts.save({"x": value})["x"]
    loaded = artifacts.load(ref)
    for name in ("base", "row", "turned", "half", "parameter", "small", "empty"):
        assert torch.equal(loaded[name], value[name])
        assert loaded[name].dtype == value[name].dtype
        assert loaded[name].stride() == value[name].stride()
    assert isinstance(loaded["parameter"], torch.nn.Parameter)
    assert torch.equal(loaded["model"].weight, value["model"].weight)
    assert not artifacts.changed(ref, loaded)
    loaded["base"][3, 0] = 42
    assert loaded["row"][0] == 42
    assert artifacts.changed(ref, loaded)


@pytest.mark.parametrize("kind", ["float8_e4m3fn", "uint16", "bfloat16", "complex64"])
def test_tensors_of_every_type_come_back(artifacts, kind):
    torch = pytest.importorskip("torch")
    tensor = torch.arange(300 * 400).reshape(300, 400).to(getattr(torch, kind))
    noted = tensor.clone()
    noted.note = "of the user"
    loaded = roundtrip(artifacts, [tensor, tensor[3], noted])
    for one, other in zip(loaded, [tensor, tensor[3], noted], strict=True):
        assert (one.dtype, one.stride()) == (other.dtype, other.stride())
        assert torch.equal(one.to(torch.complex64), other.to(torch.complex64))
    assert loaded[2].note == "of the user"
    assert len(serialize([tensor, tensor[3]]).buffers) == 1


# --- bytes -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_long_bytes_are_stored_without_a_copy_and_come_back_as_their_type(artifacts, kind):
    value = kind(RANDOM.bytes(3_000_000))
    data = serialize([value, 1])
    assert any(len(piece) == len(value) for piece in data.stream)
    one, other = roundtrip(artifacts, [value, 1])
    assert (one, type(one), other) == (value, kind, 1)


def test_a_bytearray_that_was_changed_is_noticed(artifacts):
    ref = artifacts.save({"x": bytearray(2_000_000)})["x"]
    loaded = artifacts.load(ref)
    assert not artifacts.changed(ref, loaded)
    loaded[1_000_000] = 1
    assert artifacts.changed(ref, loaded)


# --- all together ------------------------------------------------------------------

shapes = st.lists(st.integers(0, 90), min_size=1, max_size=3).map(tuple)
arrays = st.builds(
    lambda shape, kind, steps, order: numpy.asarray(
        numpy.arange(numpy.prod(shape)).reshape(shape).astype(kind), order=order
    )[tuple(slice(None, None, step) for step in steps[: len(shape)])],
    shapes,
    st.sampled_from(["u1", "f8", "M8[s]", "U3", "?", ">i4", [("a", "i2"), ("b", "f8")]]),
    st.lists(st.sampled_from([1, 1, 2, -1, -3]), min_size=3, max_size=3),
    st.sampled_from(["C", "F"]),
)
frames = st.builds(
    lambda n: pandas.DataFrame({"a": numpy.arange(n), "b": numpy.arange(n).astype(str)}),
    st.sampled_from([0, 3, 9000]),
)
leaves = arrays | frames | st.integers() | st.text(max_size=5) | st.none()
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, numpy.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and (
            one.tobytes() == other.tobytes()
        )
    if isinstance(one, pandas.DataFrame):
        return one.equals(other) and list(one.dtypes) == list(other.dtypes)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.fixture(scope="module")
def one_store(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """One for all examples: what they have in common is written once."""
    return Artifacts(LocalStorage(tmp_path_factory.mktemp("store")))


@settings(deadline=None)
@given(value=nested)
def test_nested_arrays_frames_and_scalars_come_back_and_are_not_changed(one_store, value):
    assert same(roundtrip(one_store, value), value)


def arrays_in(value: Any) -> list[numpy.ndarray]:
    if isinstance(value, numpy.ndarray):
        return [value] if value.size and value.dtype == "f8" else []
    parts = value.values() if isinstance(value, dict) else value
    is_container = isinstance(value, (dict, list, tuple))
    return [array for part in parts for array in arrays_in(part)] if is_container else []


@settings(deadline=None)
@given(value=nested, data=st.data())
def test_a_change_anywhere_in_nested_arrays_is_noticed(one_store, value, data):
    ref = one_store.save({"x": [value, LARGE]})["x"]
    loaded = one_store.load(ref)
    assert not one_store.changed(ref, loaded)
    array = data.draw(st.sampled_from(arrays_in(loaded)))
    array.flat[data.draw(st.integers(0, array.size - 1))] = -12345.5
    assert one_store.changed(ref, loaded)
