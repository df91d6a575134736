"""How values of well-known libraries give up their memory instead of copying it.

Only types of libraries that the process has loaded already are looked at: nothing is
imported to find out. What is not handled here pickles as its library says.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from swell.datastore import rebuild
from swell.datastore.streamed import OUT_OF_BAND_BYTES, PIECE_BYTES, Streamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swell.datastore.blobs import Blobs

Reduced = str | tuple[Any, ...]
Reduce = Callable[[Any], Reduced]

_SLICE_SHARE = 1.25
"""Arrow data that keeps more memory alive than this times its own size is a slice."""


class Reducers:
    """The reducers of one dump, and what they found.

    ``blobs`` is where files are kept; without it they pickle as paths. ``keys`` are the Blobs
    that the value refers to.
    """

    def __init__(self, blobs: Blobs | None = None) -> None:
        self.keys: list[str] = []
        self._blobs = blobs
        self._streamed: dict[int, tuple[pickle.PickleBuffer, Streamed]] = {}
        self._storages: dict[tuple[int, int], Any] = {}

    def table(self) -> dict[type, Reduce]:
        """Type → reducer, of all libraries that are loaded; empty if none is."""
        own: dict[type, Reduce] = {}
        _add(own, "numpy", self._array, "ndarray", "memmap", "recarray", "matrix")
        _add(own, "pyarrow", _arrow_slice, "Table", "RecordBatch", "ChunkedArray")
        _add(own, "polars", _polars_frame, "DataFrame")
        _add(own, "polars", _polars_series, "Series")
        _add(own, "torch", _torch_tensor, "Tensor")
        _add(own, "torch", self._torch_storage, "UntypedStorage")
        _add(own, "torch.storage", self._torch_typed_storage, "TypedStorage")
        if self._blobs is not None:
            _add(own, "swell.datastore.files", self._file, "File")
            _add(own, "swell.datastore.files", self._folder, "Folder")
        return own

    def streamed(self, buffer: pickle.PickleBuffer) -> Streamed | None:
        """The content that ``buffer`` stands for, if it is a place holder."""
        found = self._streamed.get(id(buffer))
        return None if found is None else found[1]

    def _place_holder(self, content: Streamed) -> pickle.PickleBuffer:
        buffer = pickle.PickleBuffer(bytearray(1))
        self._streamed[id(buffer)] = (buffer, content)
        return buffer

    # --- arrays and tensors ----------------------------------------------------

    def _array(self, array: Any) -> Reduced:
        dtype = array.dtype
        is_large = array.nbytes >= OUT_OF_BAND_BYTES
        # NumPy's own way turns what it copies into this machine's byte order.
        if dtype.hasobject or not (is_large or not dtype.isnative):
            return array.__reduce_ex__(5)  # type: ignore[no-any-return]  # NumPy's own
        numpy = sys.modules["numpy"]
        kind = type(array)
        if kind is numpy.ndarray and array.flags.forc and _exports(array):
            return array.__reduce_ex__(5)  # type: ignore[no-any-return]  # NumPy's own
        plain = array.view(numpy.ndarray)
        axes = _axes_along_memory(plain)
        ordered = plain if axes is None else plain.transpose(axes)
        if not is_large:
            ordered = numpy.ascontiguousarray(ordered)
        buffer = (
            pickle.PickleBuffer(ordered.reshape(-1).view(numpy.uint8))
            if ordered.flags.c_contiguous
            else self._place_holder(Strided(ordered))
        )
        if kind is numpy.ndarray and axes in (None, tuple(reversed(range(array.ndim)))):
            # As NumPy stores an array without gaps: loaded and stored again it is the same.
            frombuffer = numpy.empty(1).__reduce_ex__(5)[0]
            return frombuffer, (buffer, dtype, array.shape, "C" if axes is None else "F")
        named = None if kind is numpy.ndarray else kind
        return rebuild.array, (buffer, dtype, ordered.shape, axes, named)

    def _torch_storage(self, storage: Any) -> Reduced:
        if storage.device.type != "cpu":
            return storage.__reduce_ex__(5)  # type: ignore[no-any-return]  # PyTorch's own
        if not storage.nbytes():
            return rebuild.torch_storage, (None,)
        return rebuild.torch_storage, (pickle.PickleBuffer(_memory_of(storage)),)

    def _torch_typed_storage(self, storage: Any) -> Reduced:
        untyped = storage._untyped_storage
        # Small ones too: PyTorch itself writes their address, another one each time.
        if untyped.device.type != "cpu":
            return storage.__reduce_ex__(5)  # type: ignore[no-any-return]  # PyTorch's own
        # One object a piece of memory, so that tensors that share it still do when loaded.
        place = (untyped.data_ptr(), untyped.nbytes())
        untyped = self._storages.setdefault(place, untyped)
        return rebuild.torch_typed_storage, (untyped, storage.dtype)

    # --- files -------------------------------------------------------------------

    def _file(self, file: Any) -> Reduced:
        assert self._blobs is not None
        stored = file._kept_in(self._blobs)
        self.keys.append(stored.key)
        return rebuild.file, tuple(stored)

    def _folder(self, folder: Any) -> Reduced:
        assert self._blobs is not None
        files, folders = folder._kept_in(self._blobs)
        self.keys += [one.key for one in files]
        return rebuild.folder, (folder.name, tuple(map(tuple, files)), tuple(folders))


def _torch_tensor(tensor: Any) -> Reduced:
    return _typed(tensor.__reduce_ex__(5))  # type: ignore[no-any-return]  # PyTorch's own


def _typed(reduced: Any) -> Any:
    """The same with typed storages alone: what PyTorch makes of untyped ones (eight-bit
    floats, unsigned integers of 16 bits and more) only its own ``torch.load`` can read."""
    if isinstance(reduced, tuple):
        # Not its subclasses: a torch.Size is one.
        return tuple(map(_typed, reduced)) if type(reduced) is tuple else reduced
    torch = sys.modules["torch"]
    if not isinstance(reduced, torch.UntypedStorage):
        return reduced
    return torch.storage.TypedStorage(wrap_storage=reduced, dtype=torch.uint8, _internal=True)


class Strided:
    """An array whose items are not side by side, as if they were: copied piece by piece."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __len__(self) -> int:
        return int(self._array.nbytes)

    def pieces(self) -> Iterator[memoryview]:
        """Its items in C order."""
        return _blocks(self._array)

    def sample(self, start: int, length: int) -> bytes:
        """Items near ``start``."""
        size = self._array.itemsize
        found: bytes = self._array.flat[start // size : (start + length) // size].tobytes()
        return found


def _blocks(array: Any) -> Iterator[memoryview]:
    numpy = sys.modules["numpy"]
    row = array.nbytes // len(array)
    if array.ndim > 1 and row > PIECE_BYTES:
        for part in array:
            yield from _blocks(part)
        return
    rows = max(1, PIECE_BYTES // row)
    for start in range(0, len(array), rows):
        block = numpy.ascontiguousarray(array[start : start + rows])
        yield memoryview(block.reshape(-1).view(numpy.uint8))


def _add(table: dict[type, Reduce], module: str, reduce: Reduce, *names: str) -> None:
    loaded = sys.modules.get(module)
    for name in names if loaded is not None else ():
        # A module that is being imported may not have it yet.
        kind = getattr(loaded, name, None)
        if isinstance(kind, type):
            table[kind] = reduce


def _exports(array: Any) -> bool:
    try:
        pickle.PickleBuffer(array).release()
    except ValueError:
        # Dates, and dtypes of other libraries: NumPy itself would copy them.
        return False
    return True


def _axes_along_memory(array: Any) -> tuple[int, ...] | None:
    """The order of axes in which its items lie in memory; None for the usual one."""
    strides = [abs(stride) for stride in array.strides]
    if 0 in strides:
        return None
    axes = tuple(sorted(range(array.ndim), key=lambda axis: -strides[axis]))
    return None if axes == tuple(range(array.ndim)) else axes


def _memory_of(storage: Any) -> memoryview:
    import ctypes

    memory = (ctypes.c_char * storage.nbytes()).from_address(storage.data_ptr())
    memory.owner = storage  # what keeps the memory alive
    return memoryview(memory).cast("B")


def _arrow_slice(data: Any) -> Reduced:
    """Arrow stores whole buffers: of a slice, only what it shows is kept."""
    if _is_slice(data.nbytes, data):
        data = _without_rest(data)
    return data.__reduce_ex__(5)  # type: ignore[no-any-return]  # Arrow's own


def _is_slice(size: int, data: Any) -> bool:
    return bool(size * _SLICE_SHARE + OUT_OF_BAND_BYTES < data.get_total_buffer_size())


def _without_rest(data: Any) -> Any:
    pyarrow = sys.modules["pyarrow"]
    if isinstance(data, pyarrow.ChunkedArray):
        return _without_rest(pyarrow.table([data], ["data"])).column(0)
    from pyarrow import ipc  # type: ignore[import-untyped, import-not-found, unused-ignore]  # an optional library

    sink = pyarrow.BufferOutputStream()
    with ipc.new_stream(sink, data.schema) as writer:
        writer.write(data)
    read = ipc.open_stream(sink.getvalue())
    return read.read_all() if isinstance(data, pyarrow.Table) else read.read_next_batch()


def _polars_frame(frame: Any) -> Reduced:
    table = _arrow_of(frame)
    if table is None:
        return frame.__reduce_ex__(5)  # type: ignore[no-any-return]  # Polars' own
    return rebuild.polars_frame, (table, *_order_of(frame))


def _polars_series(series: Any) -> Reduced:
    table = _arrow_of(series.to_frame())
    if table is None:
        return series.__reduce_ex__(5)  # type: ignore[no-any-return]  # Polars' own
    return rebuild.polars_series, (table, series.name, *_order_of(series.to_frame()))


def _order_of(frame: Any) -> tuple[tuple[bool | None, ...], ...]:
    """One item, which columns are known to be sorted: None, or whether descending; no item
    if none is. Arrow cannot tell."""
    flags = [column.flags for column in frame.get_columns()]
    order = tuple(
        True if flag["SORTED_DESC"] else False if flag["SORTED_ASC"] else None for flag in flags
    )
    return () if all(one is None for one in order) else (order,)


def _arrow_of(frame: Any) -> Any:
    """The frame as an Arrow table over the same memory; None where that is not worth it, or
    would not come back as it was. Polars itself needs pyarrow for it."""
    if frame.estimated_size() < OUT_OF_BAND_BYTES:
        return None
    polars = sys.modules["polars"]
    try:
        table = frame.to_arrow(compat_level=polars.CompatLevel.newest())
        if _is_slice(frame.estimated_size(), table):
            # Of texts as views Arrow keeps all; Polars hands out others when asked for them.
            table = _without_rest(frame.to_arrow())
        back = polars.from_arrow(table.slice(0, 0))
    except (ImportError, AttributeError, TypeError, ValueError, polars.exceptions.PolarsError):
        return None
    return table if back.schema == frame.schema else None
