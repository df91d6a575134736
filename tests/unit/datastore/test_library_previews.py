"""Previews of what libraries made: a line that can stand alone, then details, from a sample.

What takes seconds to load is imported in the test, as every worker of a session reads this file.
"""

from __future__ import annotations

import collections
import subprocess
import sys
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from swell.datastore.array_previews import WHOLE_BYTES
from swell.datastore.model_previews import describe_module
from swell.datastore.previews import DETAIL_CHARS, preview
from swell.datastore.short_texts import LINE_CHARS, preview_line

# --- arrays ----------------------------------------------------------------------------


class Marked(numpy.ndarray):
    """A class of the user's, whose methods a preview must not call."""

    def min(self, *arguments: Any, **keywords: Any) -> Any:
        raise AssertionError("called")

    max = min


ARRAYS = [
    (
        numpy.arange(6.0).reshape(2, 3),
        "ndarray: 2 × 3 float64, min 0, max 5, no NaN\n  0, 1, 2, …",
    ),
    (numpy.array([1.5, numpy.nan]), "ndarray: 2 float64, min 1.5, max 1.5, 1 NaN\n  1.5, nan"),
    (numpy.full(2, numpy.nan), "ndarray: 2 float64, 2 NaN\n  nan, nan"),
    (numpy.array([1000, -1], "int16"), "ndarray: 2 int16, min -1, max 1,000\n  1000, -1"),
    (numpy.array([True, False]), "ndarray: 2 bool, 1 True\n  True, False"),
    (numpy.array(["a", "bc"]), "ndarray: 2 <U2\n  'a', 'bc'"),
    (numpy.array([1j, numpy.nan]), "ndarray: 2 complex128, 1 NaN\n  1j, (nan+0j)"),
    (numpy.zeros((0, 3)), "ndarray: 0 × 3 float64"),
    (numpy.array(3.0), "ndarray(3.0)"),
    (
        numpy.array(["2020-01-01", "NaT"], "datetime64[D]"),
        "ndarray: 2 datetime64[D], min 2020-01-01, max 2020-01-01, 1 NaT\n  2020-01-01, NaT",
    ),
    (numpy.array([(1, 2.0)], "i4,f8"), "ndarray: 1 [('f0', '<i4'), ('f1', '<f8')]\n  (1, 2.0)"),
    (numpy.array([{"a": 1}, None]), "ndarray: 2 object\n  {'a': 1}, None"),
    (numpy.arange(3).view(Marked), "Marked: 3 int64, min 0, max 2\n  0, 1, 2"),
    (numpy.ma.array([1, 2], mask=[0, 1]), "MaskedArray: 2 int64, 1 masked"),
]


@pytest.mark.parametrize(("array", "text"), ARRAYS, ids=[text.split("\n")[0] for _, text in ARRAYS])
def test_an_array_is_told_by_size_type_extremes_and_first_values(array: Any, text: str) -> None:
    assert preview(array) == text


def test_of_a_large_array_a_sample_is_looked_at_and_said_to_be_one() -> None:
    array = numpy.ones(WHOLE_BYTES)
    array[0], array[-1] = -3.0, 7.0
    array[WHOLE_BYTES // 2 : WHOLE_BYTES // 2 + 9] = numpy.nan

    line = preview(array).splitlines()[0]

    assert line == ("ndarray: 1,048,576 float64, in a sample of 131,072: min -3, max 7, no NaN")


@pytest.mark.parametrize("order", ["fortran", "strided", "mapped"])
def test_large_arrays_of_any_layout_are_sampled_without_a_copy_of_the_whole(
    order: str, tmp_path: Any
) -> None:
    if order == "fortran":
        array = numpy.asfortranarray(numpy.full((2000, 1000), 4.0))
    elif order == "strided":
        array = numpy.full((2000, 2000), 4.0)[::2, ::2]
    else:
        array = numpy.memmap(tmp_path / "mapped", "f8", "w+", shape=(2000, 1000))
        array[:] = 4.0

    line = preview(array).splitlines()[0]

    assert "min 4, max 4, no NaN" in line
    seen = int(line.partition("sample of ")[2].partition(":")[0].replace(",", ""))
    assert 0 < seen * 8 <= WHOLE_BYTES


# --- frames ----------------------------------------------------------------------------

COLUMNS: dict[str, list[Any]] = {"name": ["ann", None, "eve"], "n": [1, 2, 3]}


@pytest.mark.parametrize(
    ("frame", "lines"),
    [
        (
            pandas.DataFrame(COLUMNS),
            [
                "DataFrame: 3 rows × 2 columns: name, n",
                "  name  str    1 null    'ann', nan, 'eve'",
                "  n     int64  no nulls  1, 2, 3",
            ],
        ),
        (
            polars.DataFrame(COLUMNS),
            [
                "DataFrame: 3 rows × 2 columns: name, n",
                "  name  String  1 null    'ann', None, 'eve'",
                "  n     Int64   no nulls  1, 2, 3",
            ],
        ),
        (
            pyarrow.table(COLUMNS),
            [
                "Table: 3 rows × 2 columns: name, n",
                "  name  string  1 null    'ann', None, 'eve'",
                "  n     int64   no nulls  1, 2, 3",
            ],
        ),
        (pandas.DataFrame(), ["DataFrame: 0 rows × 0 columns"]),
        (
            pandas.Series([1.0, None], name="x"),
            ["Series 'x': 2 float64, min 1, max 1, 1 NaN", "  1, nan"],
        ),
        (
            pandas.Series(pandas.to_datetime(["2020-01-01", None])).astype("category"),
            ["Series: 2 category, 1 null", "  2020-01-01 00:00:00, NaT"],
        ),
        (polars.Series("x", [1, None]), ["Series 'x': 2 Int64, 1 null", "  1, None"]),
        (pyarrow.array([1, None]), ["Int64Array: 2 int64, 1 null", "  1, None"]),
        (pyarrow.chunked_array([[1], [2]]), ["ChunkedArray: 2 int64, no nulls", "  1, 2"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_frame_is_told_by_columns_types_nulls_and_first_values(
    frame: Any, lines: list[str]
) -> None:
    assert preview(frame).splitlines() == lines


def test_of_a_long_pandas_frame_the_nulls_of_the_first_rows_are_counted_and_that_is_said() -> None:
    frame = pandas.DataFrame({"a": numpy.full(300_000, numpy.nan), "b": 1})

    lines = preview(frame).splitlines()

    assert lines[0] == "DataFrame: 300,000 rows × 2 columns: a, b"
    assert lines[1] == "  nulls of the first 25,000 rows"
    assert "25,000 nulls" in lines[2]
    assert lines[3].endswith("1, 1, 1, 1, 1, …")


def test_a_wide_frame_stays_within_the_limit_and_says_that_there_is_more() -> None:
    frame = polars.DataFrame({f"column with a long name {n}": ["x" * 100] * 9 for n in range(500)})

    text = preview(frame)

    assert len(text) <= DETAIL_CHARS
    assert text.splitlines()[0].startswith("DataFrame: 9 rows × 500 columns")
    assert text.splitlines()[-1].strip().startswith("…")


class Frame(pandas.DataFrame):
    """A frame of the user's."""

    @property
    def _constructor(self) -> Any:
        raise AssertionError("called")


def test_the_code_of_a_derived_frame_is_not_run() -> None:
    lines = preview(Frame(COLUMNS)).splitlines()

    assert lines[0] == "Frame: 3 rows × 2 columns: name, n"
    assert len(lines) == 3


class HostileCell:
    def __repr__(self) -> str:
        raise AssertionError("a preview must not call this")

    __str__ = __repr__


def test_cells_and_names_of_columns_are_shown_without_running_the_users_code() -> None:
    frame = pandas.DataFrame({"a\nb": [HostileCell()], 3: [[1, {"x": 1}]]}, dtype=object)

    text = preview(frame)

    assert "HostileCell()" in text
    assert text.splitlines()[0] == "DataFrame: 1 rows × 2 columns: a b, 3"
    assert len(text.splitlines()) == 3


# --- models and pictures -----------------------------------------------------------------


def test_an_estimator_is_told_by_the_parameters_that_were_set() -> None:
    from sklearn.linear_model import LogisticRegression

    from tests.unit.datastore.estimators import OwnEstimator

    model = LogisticRegression(C=2.0)
    assert preview(model) == "LogisticRegression(C=2.0), not fitted"
    assert preview(OwnEstimator(0.1)) == "OwnEstimator(rate=0.1), not fitted"

    model.fit([[0.0], [1.0]], [0, 1])

    first, *learned = preview(model).splitlines()
    assert first == "LogisticRegression(C=2.0), fitted"
    assert "  classes_: ndarray: 2 int64" in learned
    assert "  n_features_in_: 1" in learned


def test_a_pipeline_shows_its_steps() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    model = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression(C=3.0))])

    assert preview(model).startswith(
        "Pipeline(steps=[('scale', StandardScaler()), ('model', LogisticRegression(C=3.0))])"
    )


def test_pictures_are_told_by_size_and_mode() -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3), dpi=100)
    axes = figure.subplots()
    axes.set_title("Sales")
    axes.set_xlabel("day")

    assert preview(Image.new("RGB", (640, 480))) == "Image: 640 × 480 RGB"
    assert preview(figure) == "Figure: 400 × 300 pixels, 1 axes\n  'Sales' · 'day'"


def test_a_tensor_and_a_module_are_told_where_torch_is_installed() -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())

    assert preview(torch.zeros(2, 3)).startswith("Tensor: 2 × 3 float32, min 0, max 0, no NaN")
    assert preview(model) == "Sequential: 8 parameters\n  0: Linear\n  1: ReLU"


def test_a_booster_is_told_by_rounds_and_features_where_xgboost_is_installed() -> None:
    xgboost = pytest.importorskip("xgboost")
    table = xgboost.DMatrix(numpy.eye(4), label=[0, 1, 0, 1], feature_names=list("abcd"))

    model = xgboost.train({}, table, 3)

    assert preview(model) == "Booster: 3 rounds, 4 features\n  'a'\n  'b'\n  'c'\n  'd'"


class Weights:
    """What a preview asks of a parameter of PyTorch."""

    def __init__(self, count: int, *, requires_grad: bool = True) -> None:
        self.count = count
        self.requires_grad = requires_grad

    def numel(self) -> int:
        return self.count


class Part:
    """A module as PyTorch keeps it: parameters and parts in dicts of these names."""

    def __init__(
        self, parameters: dict[str, Weights | None], parts: dict[str, Part | None]
    ) -> None:
        self._parameters = parameters
        self._modules = parts

    def parameters(self) -> list[Weights]:
        raise AssertionError("a method of the user's class is called")


def test_parameters_that_parts_share_are_counted_once_and_frozen_ones_are_told() -> None:
    shared = Weights(10)
    inner = Part({"weight": shared, "bias": None}, {})
    model = Part({"weight": shared}, {"one": inner, "two": inner, "none": None})
    model._parameters["frozen"] = Weights(5, requires_grad=False)

    lines = describe_module(model)

    assert lines[0] == "Part: 15 parameters, 5 of them frozen"
    assert lines[1] == "  one: Part"


def test_parameters_that_a_parent_takes_are_told_too() -> None:
    from tests.unit.datastore.estimators import ChildModel

    assert preview(ChildModel(depth=3)) == "ChildModel(depth=3), not fitted"


# --- containers, limits ----------------------------------------------------------------


def test_arrays_in_containers_are_told_by_size_and_type() -> None:
    assert (
        preview({"x": numpy.zeros((2, 3)), "y": [1]}) == "{'x': ndarray: 2 × 3 float64, 'y': [1]}"
    )


def test_a_container_too_long_for_a_line_shows_its_frames_one_a_line() -> None:
    frame = pandas.DataFrame({f"quite a long name {n}": [1] for n in range(12)})

    first, *rest = preview({"train": frame, "test": frame, "n": 3}).splitlines()

    assert len(first) == LINE_CHARS
    assert [line.partition(":")[0] for line in rest] == ["  'train'", "  'test'", "  'n'"]


def test_a_preview_of_one_line_leaves_the_details_out() -> None:
    assert preview_line(numpy.zeros((2, 3))) == "ndarray: 2 × 3 float64"
    assert "\n" not in preview_line(pandas.DataFrame(COLUMNS))


CELLS = st.none() | st.integers(-9, 9) | st.text(max_size=40) | st.floats()


@given(st.dictionaries(st.text(max_size=30), st.lists(CELLS, min_size=3, max_size=3), max_size=30))
def test_a_preview_of_any_frame_is_within_the_limits(columns: dict[str, list[Any]]) -> None:
    for frame in (pandas.DataFrame(columns, dtype=object), pandas.DataFrame(columns)):
        text = preview(frame)
        first, *rest = text.split("\n")
        assert len(first) <= LINE_CHARS
        assert len(text) <= DETAIL_CHARS
        assert all(line.isprintable() for line in (first, *rest))


def test_what_cannot_be_told_is_told_by_its_name_and_nothing_raises() -> None:
    from tests.unit.datastore.estimators import Broken

    assert preview(Broken()).endswith("Broken>")


def test_no_library_is_loaded_for_plain_values() -> None:
    code = (
        "import sys\n"
        "from swell.datastore.previews import preview\n"
        "class Own: pass\n"
        "for value in (1, 'a', [1, {'b': 2}], Own(), 2.5, 'x' * 999, list(range(999))):\n"
        "    preview(value)\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules}"
        " & {'numpy', 'pandas', 'polars', 'pyarrow', 'sklearn', 'torch', 'PIL', 'inspect'}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_counters_and_other_containers_of_libraries_stay_on_one_line() -> None:
    assert preview(collections.OrderedDict(a=1)) == "OrderedDict({'a': 1})"
