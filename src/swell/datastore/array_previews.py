"""Arrays and tensors in words: shape, type, least, greatest, NaNs, first values."""

from __future__ import annotations

import sys
from typing import Any

from swell.datastore.short_texts import short_text

WHOLE_BYTES = 1 << 20
"""Up to here all of an array is looked at; a few hundred microseconds."""
_SAMPLE_BLOCKS = 64
_SAMPLE_BYTES = 1 << 20
"""Of a larger array: blocks of neighbours, spread over it. Single values that far apart would
cost a cache miss and, in a mapped file, a page each."""
_FIRST = 8
_VALUE_CHARS = 24


def describe_array(value: Any) -> list[str]:
    """A NumPy array; ``value`` may be of a class derived from it."""
    numpy: Any = sys.modules["numpy"]
    kind = type(value)
    array = value if kind is numpy.ndarray else numpy.ndarray.view(value, numpy.ndarray)
    name = kind.__qualname__
    if array.ndim == 0:
        return [f"{name}({short_text(array.item(), 100)})"]
    mask = getattr(value, "_mask", None) if kind.__qualname__ == "MaskedArray" else None
    facts = [] if mask is not None else _facts(numpy, array)
    if mask is not None and array.nbytes <= WHOLE_BYTES:
        facts = [f"{int(numpy.count_nonzero(mask)):,} masked"]
    lines = [", ".join([f"{name}: {size_of(array.shape)} {array.dtype}", *facts])]
    if array.size and mask is None:
        lines.append(_first_values(array))
    return lines


def array_facts(array: Any) -> list[str]:
    """'min 0', 'max 1', 'no NaN' of a plain NumPy array, or that of a sample."""
    return _facts(sys.modules["numpy"], array)


def describe_tensor(value: Any) -> list[str] | None:
    """A PyTorch tensor; its values only where NumPy can see them without a copy."""
    name = type(value).__qualname__
    dtype = str(value.dtype).removeprefix("torch.")
    device = "" if value.device.type == "cpu" else f" on {value.device}"
    line = f"{name}: {size_of(tuple(value.shape))} {dtype}{device}"
    try:
        array = value.detach().numpy()
    except (TypeError, RuntimeError, ValueError):
        return [line]  # sparse, on a device, or of a type that NumPy does not have
    lines = [", ".join([line, *_facts(sys.modules["numpy"], array)])]
    return [*lines, _first_values(array)] if array.ndim and array.size else lines


def size_of(shape: tuple[int, ...]) -> str:
    """'1,000 × 3'; a single value is 'one'."""
    return " × ".join(f"{length:,}" for length in shape) or "one"


def _facts(numpy: Any, array: Any) -> list[str]:
    kind = array.dtype.kind
    if kind not in "biufcmM" or not array.size:
        return []
    is_whole = array.nbytes <= WHOLE_BYTES
    seen = array if is_whole else _sample(numpy, array)
    with numpy.errstate(all="ignore"):
        facts = _extremes(numpy, seen, kind)
    if is_whole or not facts:
        return facts
    return [f"in a sample of {seen.size:,}: {facts[0]}", *facts[1:]]


def _extremes(numpy: Any, seen: Any, kind: str) -> list[str]:
    if kind == "b":
        return [f"{int(numpy.count_nonzero(seen)):,} True"]
    facts: list[str] = []
    if kind in "fcmM":
        is_missing = numpy.isnat(seen) if kind in "mM" else numpy.isnan(seen)
        missing = int(numpy.count_nonzero(is_missing))
        what = "NaT" if kind in "mM" else "NaN"
        facts = [f"{missing:,} {what}" if missing else f"no {what}"]
        seen = seen[~is_missing] if missing else seen
    if kind == "c" or not seen.size:
        return facts
    return [f"min {_number(seen.min())}", f"max {_number(seen.max())}", *facts]


def _sample(numpy: Any, array: Any) -> Any:
    """Some of ``array`` as one dimension, the first and the last values among it."""
    item = array.dtype.itemsize
    if array.flags.c_contiguous or array.flags.f_contiguous:
        flat = array.reshape(-1, order="A")
        length = max(1, _SAMPLE_BYTES // _SAMPLE_BLOCKS // item)
        last = flat.size - length
        starts = [last * number // (_SAMPLE_BLOCKS - 1) for number in range(_SAMPLE_BLOCKS)]
        return numpy.concatenate([flat[start : start + length] for start in starts])
    # Of an array with gaps: thin out the longest axes, which makes a view.
    wanted = max(1, _SAMPLE_BYTES // _SAMPLE_BLOCKS // item)
    while array.size > wanted:
        axis = max(range(array.ndim), key=lambda number: array.shape[number])
        step = min(array.shape[axis], -(-array.size // wanted))
        thinned = [slice(None)] * array.ndim
        thinned[axis] = slice(None, None, step)
        array = array[tuple(thinned)]
    return array.ravel()


def _first_values(array: Any) -> str:
    first = array[(0,) * (array.ndim - 1)][:_FIRST]
    if first.dtype.kind in "fmM":
        shown = [_number(value) for value in first]
    else:
        shown = [short_text(value, _VALUE_CHARS) for value in first.tolist()]
    more = ", …" if array.size > len(first) else ""
    return f"  {', '.join(shown)}{more}"


def _number(value: Any) -> str:
    if value.dtype.kind == "f":
        return f"{value:.6g}"
    return f"{value}" if value.dtype.kind in "mM" else f"{value:,}"
