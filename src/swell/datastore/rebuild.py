"""What stored values name to be made again from their buffers, uncopied.

The names and arguments of these functions stand in stored bytes: they may be added to, and
never changed. Libraries are imported here only because a stored value is made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swell.datastore.blobs import Blobs
    from swell.datastore.files import File, Folder


def array(
    buffer: Any, dtype: Any, shape: tuple[int, ...], axes: tuple[int, ...] | None, kind: Any
) -> Any:
    """A NumPy array of class ``kind`` (None: plain) over ``buffer``, which holds it with its
    ``axes`` in that order (None: as they are)."""
    import numpy

    made: Any = numpy.ndarray(shape, dtype, buffer)
    if axes is not None:
        made = made.transpose(sorted(range(len(axes)), key=axes.__getitem__))
    return made if kind is None else made.view(kind)


def polars_frame(table: Any, order: Sequence[bool | None] = ()) -> Any:
    """A Polars frame over an Arrow table; ``order`` says of each column whether it is known
    to be sorted: None, or whether descending."""
    import polars

    frame: Any = polars.from_arrow(table)
    return frame.with_columns(
        frame.to_series(at).set_sorted(descending=is_descending)
        for at, is_descending in enumerate(order)
        if is_descending is not None
    )


def polars_series(table: Any, name: str, order: Sequence[bool | None] = ()) -> Any:
    """A Polars series over the only column of an Arrow table."""
    return polars_frame(table, order).to_series().alias(name)


def torch_storage(buffer: Any) -> Any:
    """An untyped PyTorch storage on the processor over ``buffer`` (None: of no bytes)."""
    import torch  # type: ignore[import-not-found, unused-ignore]  # an optional library

    if buffer is None:
        return torch.UntypedStorage(0)
    return torch.frombuffer(buffer, dtype=torch.uint8).untyped_storage()


def torch_typed_storage(untyped: Any, dtype: Any) -> Any:
    """The typed view of a storage that PyTorch's own functions expect."""
    import torch

    return torch.storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)


def file(source: Blobs | None, name: str, key: str, size: int, mode: int) -> File:
    """A stored file. ``source`` is the store it was read from, which the reader fills in."""
    from swell.datastore.file_content import StoredFile
    from swell.datastore.files import File

    return File._stored_as(StoredFile(name, key, size, mode), source)


def folder(
    source: Blobs | None,
    name: str,
    files: Sequence[tuple[str, str, int, int]],
    folders: Sequence[str],
) -> Folder:
    """A stored folder: its files as (path, key, size, mode), and its empty folders."""
    from swell.datastore.file_content import StoredFile
    from swell.datastore.files import Folder

    return Folder._stored_as(name, [StoredFile(*one) for one in files], list(folders), source)


BOUND = frozenset({"file", "folder"})
"""Functions whose first argument, the store, is not in the stored bytes."""
