"""What SWELL_UNPICKLE lets stored values load, and what it refuses by name."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import functools
import importlib
import ipaddress
import operator
import os
import pathlib
import pickle
import re
import sys
import textwrap
import types
import uuid
import zoneinfo
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pyarrow.compute
import pytest
import scipy.sparse

from swell.authoring.config import ConfigValue
from swell.datastore import rebuild
from swell.datastore.artifacts import Artifacts
from swell.datastore.files import File
from swell.datastore.items import load_item, store_items
from swell.datastore.local import LocalStorage
from swell.datastore.safe_names import CLASSES, NAMES
from swell.datastore.serializers import BY_VALUE, deserialize
from swell.datastore.trust import Trust, trust_of
from swell.errors import DataMissing, ExceptionWrapper, StoreError, Untrusted, UsageError
from swell.model.record import ArtifactRef

FRAME = pandas.DataFrame(
    {
        "int": [1, 2],
        "text": ["x", None],
        "when": pandas.date_range("2020", periods=2, tz="Europe/Oslo"),
        "kind": pandas.Categorical(["u", "v"]),
        "null": pandas.array([1, None], dtype="Int64"),
        "any": [{}, None],
    }
)

SAFE: dict[str, Any] = {
    "plain": [1, 2.5, "x", b"y", None, True, 1j, {"a": (1,)}, {1}, frozenset([2]), ...],
    "types": [int, str, dict, type(None), list[int], int | None, ValueError],
    "dates": [datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(1)],
    "zone": zoneinfo.ZoneInfo("Europe/Oslo"),
    "numbers": [decimal.Decimal("1.5"), Fraction(1, 3), decimal.getcontext().copy().prec],
    "names": [uuid.uuid4(), pathlib.Path("a"), ipaddress.ip_network("10.0.0.0/8")],
    "collections": [collections.Counter("aab"), collections.defaultdict(list, a=[1])],
    "functions": [functools.partial(int, base=2), operator.itemgetter(1), len],
    "others": [array.array("d", [1.0]), types.SimpleNamespace(a=1), range(3), slice(1)],
    "error": ValueError("no"),
    "caught": ExceptionWrapper("no", "ValueError", "trace"),
    "config": ConfigValue({"a": {"b": 1}}),
    "numpy": [numpy.arange(3), numpy.float64(2.5), numpy.dtype("f4"), numpy.float32],
    "numpy large": numpy.arange(50_000.0)[::2],
    "numpy texts": numpy.array(["a", None], object),
    "numpy structured": numpy.zeros(3, [("a", "i4")]).view(numpy.recarray),
    "numpy masked": numpy.ma.masked_less(numpy.arange(4.0), 2),
    "numpy random": [numpy.random.default_rng(1), numpy.random.RandomState(1)],
    "frame": FRAME,
    "frame of arrow": FRAME[["int", "text"]].convert_dtypes(dtype_backend="pyarrow"),
    "frame, large": pandas.DataFrame({"x": numpy.arange(50_000.0)}),
    "series": FRAME["when"],
    "indexes": [FRAME.set_index(["int", "text"]).index, pandas.interval_range(0, 3)],
    "intervals": [pandas.interval_range(0, 3).array, pandas.cut(pandas.Series([1, 5, 9]), 2)],
    "periods": pandas.period_range("2020", periods=3, freq="M"),
    "times": [pandas.Timestamp("2020", tz="UTC"), pandas.Timedelta(1, "D"), pandas.NaT],
    "offsets": [pandas.offsets.MonthEnd(2), pandas.Interval(0, 1), pandas.NA],
    "sparse": [pandas.arrays.SparseArray([0, 0, 1]), scipy.sparse.csr_matrix(numpy.eye(3))],
    "dtypes": list(FRAME.dtypes),
    "polars": polars.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [[1], [2]]}),
    "polars large": polars.DataFrame({"a": numpy.arange(50_000.0)}),
    "polars schema": polars.DataFrame({"a": [1]}).schema,
    "arrow": pyarrow.table({"a": [1, 2], "l": [[1], [2]], "s": [{"q": 1}] * 2}),
    "arrow dictionary": pyarrow.array(["a", "b"]).dictionary_encode(),
    "arrow unions": pyarrow.UnionArray.from_sparse(
        pyarrow.array([0, 0], pyarrow.int8()), [pyarrow.array([1, 2])]
    ),
    "arrow run ends": pyarrow.compute.run_end_encode(pyarrow.array([1, 1, 2])),
    "arrow types": [pyarrow.timestamp("us", "UTC"), pyarrow.map_(pyarrow.string(), pyarrow.int8())],
}

OWN = trust_of("own", None, "/nowhere/flow.py")


def linear_regression() -> Any:
    """A model of a library that takes three seconds to load, so not where tests are collected."""
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def load(artifacts: Artifacts, value: object) -> Any:
    return artifacts.load(artifacts.save({"x": value})["x"])


def trusting(folder: Path, trust: Trust) -> Artifacts:
    return Artifacts(LocalStorage(folder / "store"), trust=trust)


class Calling:
    """Stored as a call of ``function``, as somebody else may write it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call


def named(module: str, name: str) -> bytes:
    """A pickle that loads one global."""

    def text(value: str) -> bytes:
        data = value.encode()
        return b"\x8c" + bytes([len(data)]) + data

    return b"\x80\x05" + text(module) + text(name) + b"\x93."


@pytest.mark.parametrize("value", SAFE.values(), ids=SAFE.keys())
def test_plain_values_and_those_of_data_packages_load_as_without_a_list(tmp_path, value):
    own = trusting(tmp_path, OWN)
    ref = own.save({"x": value})["x"]
    loaded = own.load(ref)
    assert type(loaded) is type(value)
    free = Artifacts(LocalStorage(tmp_path / "store"))
    assert own.save({"x": loaded})["x"].size == own.save({"x": free.load(ref)})["x"].size


def test_a_mapped_array_is_loaded_as_a_plain_one(tmp_path):
    mapped = numpy.memmap(tmp_path / "m", "f8", "w+", shape=(50,))
    mapped[:] = 3
    loaded = load(trusting(tmp_path, OWN), mapped)
    assert type(loaded) is numpy.ndarray
    assert loaded.sum() == 150
    attack = pickle.dumps(Calling(numpy.memmap, str(tmp_path / "new"), "u1", "w+", 0, (5,)), 5)
    with pytest.raises(StoreError):
        deserialize(attack, trust=OWN)
    assert not (tmp_path / "new").exists()


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A module beside a script, with a class, a function and an import."""
    (tmp_path / "shapes.py").write_text(
        textwrap.dedent(
            """
            import enum, os
            from subprocess import run

            class Round(enum.Enum):
                CIRCLE = "circle"

            class Shape:
                class Inner:
                    pass
                def __init__(self, kind):
                    self.kind, self.inner = kind, Shape.Inner()
                def area(self):
                    return 1

            def draw():
                return "drawn"
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield importlib.import_module("shapes")
    del sys.modules["shapes"]


def test_what_the_scripts_folder_defines_is_loaded(tmp_path, own_module):
    artifacts = trusting(tmp_path, trust_of("own", None, str(tmp_path / "flow.py")))
    value = [own_module.Shape(own_module.Round.CIRCLE), own_module.draw, own_module.Shape.Inner]
    shape, draw, inner = load(artifacts, value)
    assert shape.kind is own_module.Round.CIRCLE
    assert draw() == "drawn"
    assert inner is own_module.Shape.Inner


@pytest.mark.parametrize("name", ["run", "os", "os.system", "enum.EnumMeta", "Shape.area.__code__"])
def test_what_the_script_has_only_imported_is_refused(tmp_path, own_module, name):
    trust = trust_of("own", None, str(tmp_path / "flow.py"))
    with pytest.raises(Untrusted, match=re.escape(f"'shapes.{name}'")):
        deserialize(named("shapes", name), trust=trust)


def test_a_package_installed_below_the_scripts_folder_is_not_the_scripts_own(tmp_path, monkeypatch):
    packages = tmp_path / "venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "installed_thing.py").write_text("class Thing: pass\n")
    monkeypatch.syspath_prepend(str(packages))
    importlib.invalidate_caches()
    trust = trust_of("own", None, str(tmp_path / "flow.py"))
    with pytest.raises(Untrusted, match=r"'installed_thing\.Thing'"):
        deserialize(named("installed_thing", "Thing"), trust=trust)
    assert "installed_thing" not in sys.modules


def test_a_class_outside_the_list_is_refused_by_name_and_before_it_is_imported(tmp_path):
    with pytest.raises(Untrusted) as caught:
        load(trusting(tmp_path, OWN), linear_regression())
    assert "needs 'sklearn.linear_model._base.LinearRegression'" in caught.value.message
    assert "SWELL_UNPICKLE=own" in caught.value.message
    allow = "SWELL_UNPICKLE_ALLOW=sklearn.linear_model._base.LinearRegression"
    assert "SWELL_UNPICKLE=allow-list" in caught.value.remedy
    assert caught.value.remedy.endswith(allow)
    with pytest.raises(Untrusted):
        deserialize(named("this", "s"), trust=OWN)
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    "allowed",
    ["sklearn", "sklearn.", "numpy.nothing, sklearn.linear_model", "sklearn.linear_model._base"],
)
def test_a_list_allows_packages_modules_and_names(tmp_path, allowed):
    trust = trust_of("allow-list", allowed, "")
    model = linear_regression().fit([[1.0], [2.0]], [1.0, 2.0])
    assert load(trusting(tmp_path, trust), model).predict([[3.0]]) == pytest.approx(3.0)


def test_a_name_on_the_list_allows_no_longer_one(tmp_path):
    trust = trust_of("allow-list", "sklearn.linear_model._base.Linear,sklearn.lin", "")
    with pytest.raises(Untrusted, match="LinearRegression"):
        load(trusting(tmp_path, trust), linear_regression())


def test_single_names_of_the_list_are_enough(tmp_path):
    full = "sklearn.linear_model._base.LinearRegression"
    assert (
        load(trusting(tmp_path, trust_of("allow-list", full, "")), linear_regression()) is not None
    )
    assert load(trusting(tmp_path, trust_of("allow-list", "numpy.sin", "")), numpy.sin) is numpy.sin
    with pytest.raises(Untrusted, match=r"numpy\.sin"):
        load(trusting(tmp_path, OWN), numpy.sin)


ATTACKS: dict[str, Callable[[str], Any]] = {
    "a command": lambda mark: Calling(os.system, f"touch {mark}"),
    "another process": lambda mark: Calling(__import__("subprocess").Popen, ["touch", mark]),
    "text as code": lambda mark: Calling(eval, f"open('{mark}', 'w')"),
    "text as statements": lambda mark: Calling(exec, f"open('{mark}', 'w')"),
    "a file": lambda mark: Calling(open, mark, "w"),
    "an import": lambda mark: Calling(__import__, "antigravity"),
    "an import by name": lambda mark: Calling(importlib.import_module, "antigravity"),
    "a method by name": lambda mark: Calling(getattr, numpy.arange(3), "tofile"),
    "a method as a function": lambda mark: Calling(numpy.ndarray.tofile, numpy.arange(3), mark),
    "a caller of methods": lambda mark: Calling(operator.methodcaller, "tofile", mark),
    "a reader of attributes": lambda mark: Calling(operator.attrgetter, "__class__.__init__"),
    "a method of a frame": lambda mark: Calling(pandas.DataFrame.to_csv, FRAME, mark),
    "a pickle of a file": lambda mark: Calling(pandas.read_pickle, mark),
    "an array of a file": lambda mark: Calling(numpy.load, mark),
    "a pickle in a pickle": lambda mark: Calling(pickle.loads, b"N."),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("kind", ["own", "allow-list"])
def test_what_can_run_or_open_something_is_never_loaded(tmp_path, attack, kind):
    mark = tmp_path / "mark"
    allowed = "sklearn,numpy.linalg" if kind == "allow-list" else None
    data = pickle.dumps(attack(str(mark)), 5)
    with pytest.raises(Untrusted):
        deserialize(data, trust=trust_of(kind, allowed, ""))
    assert not mark.exists()
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("builtins", "setattr"),
        ("builtins", "globals"),
        ("os", "system"),
        ("posix", "system"),
        ("numpy", "testing._private.utils.runstring"),
        ("numpy.testing._private.utils", "runstring"),
        ("pandas.core.arrays", "base.operator.attrgetter"),
        ("pandas.core.internals", "managers.np.load"),
        ("pandas.core.internals.managers", "np"),
        ("decimal", "getcontext"),
        ("collections", "_sys.modules"),
        ("collections", "abc.sys"),
        ("re", "enum.sys.modules"),
        ("__main__", "__builtins__.eval"),
        ("swell.datastore.rebuild", "__builtins__"),
        ("swell.datastore.local", "os.unlink"),
        ("swell.errors", "annotations"),
        ("types", "CodeType"),
        ("types", "FunctionType"),
    ],
)
def test_no_way_round_through_modules_that_are_on_the_list(module, name):
    with pytest.raises((Untrusted, DataMissing)):
        deserialize(named(module, name), trust=OWN)


@pytest.mark.parametrize("name", ["os", "builtins.eval", "subprocess.Popen", "sys", "my pkg", "*"])
def test_dangerous_and_impossible_names_cannot_be_allowed(name):
    with pytest.raises(UsageError, match="SWELL_UNPICKLE_ALLOW"):
        trust_of("allow-list", f"sklearn,{name}", "")


def test_settings_that_contradict_each_other_are_told():
    with pytest.raises(UsageError, match="'none'") as caught:
        trust_of("none", None, "")
    assert "own or allow-list" in caught.value.remedy
    with pytest.raises(UsageError, match="takes none"):
        trust_of("own", "sklearn", "")


def test_a_value_with_code_of_its_own_is_refused_unless_the_list_says_so(tmp_path):
    double = lambda x: 2 * x  # noqa: E731
    ref = Artifacts(LocalStorage(tmp_path / "store")).save({"x": double})["x"]
    assert ref.encoding == BY_VALUE
    for trust in (OWN, trust_of("allow-list", "sklearn", "")):
        with pytest.raises(Untrusted, match="code of its own") as caught:
            trusting(tmp_path, trust).load(ref)
        assert "SWELL_UNPICKLE_ALLOW=cloudpickle" in caught.value.remedy
    allowed = trusting(tmp_path, trust_of("allow-list", "cloudpickle", ""))
    assert allowed.load(ref)(4) == 8


def test_code_under_the_name_of_a_plain_pickle_is_refused(tmp_path):
    ref = Artifacts(LocalStorage(tmp_path / "store")).save({"x": lambda: 1})["x"]
    assert ref.inline is not None
    lying = ArtifactRef(ref.inline, None, ref.size, ref.type, ref.preview)
    with pytest.raises(Untrusted, match=r"cloudpickle\.cloudpickle\._make_function"):
        trusting(tmp_path, OWN).load(lying)


@pytest.mark.parametrize("padding", [0, 30_000])
def test_items_of_a_foreach_are_checked_too(tmp_path, padding):
    storage = LocalStorage(tmp_path / "store")
    stored = store_items(storage, [1, linear_regression(), "x" * padding], 10)
    assert (stored.items.key is None) == (padding == 0)
    assert load_item(storage, stored.items.ref(0), trust=OWN) == 1
    with pytest.raises(Untrusted, match="LinearRegression"):
        load_item(storage, stored.items.ref(1), trust=OWN)


def test_files_are_loaded_and_names_that_lead_out_of_their_folder_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("kept")
    own = trusting(tmp_path, OWN)
    ref = own.save({"x": File(tmp_path / "a.txt")})["x"]
    assert Path(own.load(ref).path).read_text() == "kept"
    (key,) = ref.files
    for name in ("../out.txt", str(tmp_path / "out.txt"), "a/../../out.txt"):
        data = pickle.dumps(Calling(rebuild.file, name, key, 4, 0o600), 5)
        lying = ArtifactRef(data, None, len(data), "File", "", files=(key,))
        with pytest.raises(StoreError, match="leads out of the folder"):
            _ = own.load(lying).path
    assert not (tmp_path / "out.txt").exists()


def test_every_name_on_the_list_that_is_installed_is_what_it_says():
    """Of libraries of another version a name may be missing; of Python's own none is."""
    for module, names in NAMES.items():
        if module.startswith("numpy.core"):
            continue  # NumPy 1's; NumPy 2 warns
        is_pythons = module.partition(".")[0] in sys.stdlib_module_names
        try:
            found = importlib.import_module(module)
        except ImportError:
            assert not is_pythons, module
            continue
        missing = [name for name in names.split() if not hasattr(found, name)]
        assert not (is_pythons and missing), (module, missing)
        found_names = [getattr(found, name, None) for name in names.split()]
        assert types.ModuleType not in map(type, found_names)
    assert not set(CLASSES) & {"os", "builtins", "numpy", "pandas", "swell"}
