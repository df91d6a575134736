"""What stored values may name under SWELL_UNPICKLE: a list to be read, and nothing else.

Everything here was looked at for what a call with any arguments can do: none opens a file, a
connection or a process, gets at attributes by name, or runs text as code. Methods that do
(``tofile``, ``to_csv``) cannot be reached from a stored value, since ``getattr`` is checked.
"""

from __future__ import annotations

NAMES: dict[str, str] = {
    # --- Python
    "builtins": "bool bytearray bytes complex dict enumerate filter float frozenset int list map "
    "object range reversed set slice str tuple type zip iter Ellipsis NotImplemented None "
    "abs all any divmod len max min ord chr print repr round sorted sum",
    "_io": "BytesIO StringIO",
    "_functools": "partial reduce",
    "functools": "partial reduce",
    "_operator": "itemgetter or_",
    "operator": "itemgetter or_",
    "array": "array _array_reconstructor",
    "collections": "ChainMap Counter OrderedDict UserDict UserList UserString defaultdict deque",
    "copyreg": "_reconstructor __newobj__ __newobj_ex__",
    "datetime": "date datetime time timedelta timezone",
    "fractions": "Fraction",
    "random": "Random",
    "re": "_compile",
    "time": "struct_time",
    "types": "GenericAlias SimpleNamespace",
    "uuid": "SafeUUID UUID",
    "zoneinfo": "ZoneInfo",
    # --- NumPy 1 and 2
    "numpy": "dtype matrix ndarray poly1d recarray record bool bool_ bytes_ str_ void object_ "
    "int8 int16 int32 int64 intc intp longlong uint8 uint16 uint32 uint64 uintc uintp ulonglong "
    "float16 float32 float64 longdouble complex64 complex128 clongdouble datetime64 timedelta64 "
    "byte ubyte short ushort long ulong half single double generic",
    "numpy.rec": "recarray record",
    "numpy._core._internal": "_convert_to_stringdtype_kwargs",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy._core.numeric": "_frombuffer",
    "numpy.core._internal": "_convert_to_stringdtype_kwargs",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy.core.numeric": "_frombuffer",
    "numpy.ma": "MaskedArray",
    "numpy.ma.core": "MaskedArray MaskedConstant _mareconstruct",
    "numpy.random._pickle": "__bit_generator_ctor __generator_ctor __randomstate_ctor",
    "numpy.random.bit_generator": "SeedSequence __pyx_unpickle_SeedSequence",
    # --- pandas 2 and 3
    "pandas": "ArrowDtype BooleanDtype Categorical CategoricalDtype CategoricalIndex DataFrame "
    "DatetimeIndex DatetimeTZDtype Float32Dtype Float64Dtype Index Int16Dtype Int32Dtype "
    "Int64Dtype Int8Dtype Interval IntervalDtype IntervalIndex MultiIndex NA Period PeriodDtype "
    "PeriodIndex RangeIndex Series SparseDtype StringDtype Timedelta TimedeltaIndex Timestamp "
    "UInt16Dtype UInt32Dtype UInt64Dtype UInt8Dtype",
    "pandas.core.frame": "DataFrame",
    "pandas.core.series": "Series",
    "pandas.core.flags": "Flags",
    "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
    "pandas._libs.internals": "BlockPlacement _unpickle_block",
    "pandas._libs.interval": "Interval __pyx_unpickle_IntervalMixin",
    "pandas._libs.missing": "NA NAType",
    "pandas._libs.tslibs.nattype": "_nat_unpickle",
    "pandas._libs.tslibs.timedeltas": "_timedelta_unpickle",
    "pandas._libs.tslibs.timestamps": "_unpickle_timestamp",
    "pandas.core.indexes.base": "_new_Index",
    "pandas.core.indexes.datetimes": "_new_DatetimeIndex",
    "pandas.core.indexes.interval": "_new_IntervalIndex",
    "pandas.core.indexes.period": "_new_PeriodIndex",
    "pandas.core.indexes.timedeltas": "_new_TimedeltaIndex",
    # --- Arrow and Polars
    "pyarrow.lib": "_reconstruct_record_batch _reconstruct_table _restore_array chunked_array "
    "dictionary field large_list list_ map_ py_buffer scalar schema struct type_for_alias "
    "binary decimal128 duration fixed_size_list run_end_encoded time32 time64 timestamp union",
    "polars.dataframe.frame": "DataFrame",
    "polars.schema": "Schema",
    "polars.series.series": "Series",
    # --- swell itself
    "swell": "ConfigValue ExceptionWrapper",
    "swell.authoring.config": "ConfigValue",
    "swell.client.derived": "ForeachFrame",
    "swell.datastore.rebuild": "array file folder polars_frame polars_series torch_storage "
    "torch_typed_storage",
    "swell.errors": "_rebuild",
}
"""Module → names, one exact name a word."""

CLASSES: tuple[str, ...] = (
    "decimal",
    "ipaddress",
    "pathlib",
    "numpy.dtypes",
    "numpy.polynomial",
    "numpy.random._mt19937",
    "numpy.random._pcg64",
    "numpy.random._philox",
    "numpy.random._sfc64",
    "pandas.arrays",
    "pandas._libs.sparse",
    "pandas._libs.tslibs.offsets",
    "pandas.core.arrays",
    "pandas.core.dtypes.dtypes",
    "pandas.core.indexes",
    "pandas.core.internals",
    "polars.datatypes",
    "scipy.sparse",
    "swell.errors",
)
"""Modules, with those below them, whose classes and exceptions are fine; not their functions."""

PLAIN_INSTEAD: dict[str, str] = {"numpy.memmap": "numpy.ndarray"}
"""What would open files if it were called, and what is loaded in its place."""

CODE = "cloudpickle"
"""What allows values that carry code of their own, in the list of a user."""

NEVER: frozenset[str] = frozenset(
    """
    _ctypes _pickle _posixsubprocess _socket _thread bdb builtins cffi code codeop ctypes dill dis
    fcntl gc imp importlib inspect io linecache marshal multiprocessing nt ntpath os pdb pickle
    pickletools pip pkgutil posix posixpath pty runpy shelve shutil signal site socket subprocess
    sys tempfile threading timeit trace webbrowser zipimport
    """.split()
)
"""Modules, with those below them, out of which a list of a user allows nothing."""

NEVER_NAMES: frozenset[str] = frozenset(
    """
    functools.partialmethod operator.attrgetter operator.methodcaller _operator.attrgetter
    _operator.methodcaller types.CodeType types.FunctionType numpy.load numpy.fromfile
    pandas.read_pickle pandas.eval torch.load
    """.split()
)
"""Single names that are refused likewise."""
