"""Type names and short texts for any value; runs no user code but ``shape`` and ``dtype``."""

from __future__ import annotations

import itertools

LINE_CHARS = 200
_ITEMS = 8
_DEPTH = 3
_BIG_INT_BITS = 600

_SMALL = frozenset({float, bool, complex, type(None), type(Ellipsis), range})
_OPEN_CLOSE = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), frozenset: ("{", "}")}
_REPR_IS_SHORT = frozenset(
    {
        "datetime.datetime",
        "datetime.date",
        "datetime.time",
        "datetime.timedelta",
        "datetime.timezone",
        "decimal.Decimal",
        "fractions.Fraction",
        "uuid.UUID",
        "pathlib.PosixPath",
        "pathlib.PurePosixPath",
        "pathlib._local.PosixPath",
        "swell.File",
        "swell.Folder",
        "zoneinfo.ZoneInfo",
    }
)


def type_name(value: object) -> str:
    """'int', 'numpy.ndarray', '__main__.Model'."""
    kind = type(value)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def preview_line(value: object) -> str:
    """The value on one line of at most 200 characters; never raises."""
    try:
        text = _text(value, 0)
    except Exception:
        # A property or an iterator of the user's class raised; a listing must not fail for it.
        text = f"<{type_name(value)}>"
    if len(text) > LINE_CHARS:
        text = text[: LINE_CHARS - 1] + "…"
    return text


def short_text(value: object, width: int) -> str:
    """A value inside another one, in at most ``width`` characters."""
    text = _text(value, _DEPTH - 1)
    return text if len(text) <= width else text[: width - 1] + "…"


def _text(value: object, depth: int) -> str:
    kind = type(value)
    if kind in _SMALL:
        return repr(value)
    if isinstance(value, int):
        # Python refuses to print integers of thousands of digits.
        bits = value.bit_length()
        if bits > _BIG_INT_BITS:
            return f"<int of {bits:,} bits>"
        return int.__repr__(value) if kind is int else _member(value, int.__repr__(value))
    if isinstance(value, str):
        text = str.__repr__(value[: LINE_CHARS + 1])
        return text if kind is str else _member(value, text)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes(value)
    if isinstance(value, dict):
        return _mapping(value, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return _sequence(value, depth)
    return _array(value) or _object(value, depth)


def _member(value: object, plain: str) -> str:
    name = getattr(value, "_name_", None)
    return f"{type(value).__qualname__}.{name}" if isinstance(name, str) else plain


def _bytes(value: bytes | bytearray | memoryview) -> str:
    head = bytes(value[:32]) if not isinstance(value, memoryview) else b""
    size = value.nbytes if isinstance(value, memoryview) else len(value)
    return repr(head) if size <= 32 and head else f"<{size:,} bytes: {head!r}…>"


def _mapping(value: dict[object, object], depth: int) -> str:
    if depth >= _DEPTH:
        return f"{{… {len(value):,} keys}}"
    shown = [
        f"{_text(k, depth + 1)}: {_text(v, depth + 1)}"
        for k, v in itertools.islice(dict.items(value), _ITEMS)
    ]
    if len(value) > _ITEMS:
        shown.append(f"… {len(value):,} keys")
    text = "{" + ", ".join(shown) + "}"
    return text if type(value) is dict else f"{type(value).__qualname__}({text})"


def _sequence(
    value: list[object] | tuple[object, ...] | set[object] | frozenset[object], depth: int
) -> str:
    kind = next(k for k in _OPEN_CLOSE if isinstance(value, k))
    opening, closing = _OPEN_CLOSE[kind]
    if not len(value):
        return "()" if kind is tuple else "[]" if kind is list else f"{kind.__name__}()"
    if depth >= _DEPTH:
        return f"{opening}… {len(value):,} items{closing}"
    names = getattr(type(value), "_fields", None) if kind is tuple else None
    shown = [_text(v, depth + 1) for v in itertools.islice(value, _ITEMS)]
    if names:
        shown = [f"{name}={text}" for name, text in zip(names, shown, strict=False)]
    if len(value) > _ITEMS:
        shown.append(f"… {len(value):,} items")
    elif kind is tuple and len(value) == 1 and not names:
        shown.append("")
    text = opening + ", ".join(shown).rstrip(" ") + closing
    if names:
        return type(value).__qualname__ + text
    if kind is frozenset or type(value) is not kind:
        return f"{type(value).__qualname__}({text})"
    return text


def _array(value: object) -> str | None:
    """Arrays, tensors, frames and series, known by their attributes; None for anything else."""
    kind = type(value)
    if not hasattr(kind, "shape"):
        return None
    shape = value.shape  # type: ignore[attr-defined]  # just looked
    if not isinstance(shape, tuple):
        return None
    name = kind.__qualname__
    if hasattr(kind, "columns"):
        columns = [str(c) for c in itertools.islice(value.columns, 12)]  # type: ignore[attr-defined]  # just looked
        more = ", …" if shape[1] > 12 else ""
        return f"{name}: {shape[0]:,} rows × {shape[1]:,} columns: {', '.join(columns)}{more}"
    dtype = getattr(value, "dtype", None)
    if shape == () and dtype is not None:
        return f"{name}({value})"
    size = " × ".join(f"{n:,}" for n in shape)
    return f"{name}: {size}" + (f" {dtype}" if dtype is not None else "")


def _object(value: object, depth: int) -> str:
    kind = type(value)
    if isinstance(value, type) or callable(value):
        module = getattr(value, "__module__", None)
        name = getattr(value, "__qualname__", None)
        if isinstance(name, str):
            what = "class" if isinstance(value, type) else "function"
            return f"<{what} {name if module == 'builtins' else f'{module}.{name}'}>"
    if type_name(value) in _REPR_IS_SHORT:
        return repr(value)
    if isinstance(value, BaseException):
        return f"{kind.__qualname__}({', '.join(_text(a, depth + 1) for a in value.args[:4])})"
    if isinstance(getattr(value, "_name_", None), str):
        return _member(value, "")
    fields = getattr(value, "__dict__", None)
    if not isinstance(fields, dict) or depth >= _DEPTH:
        return f"<{type_name(value)}>"
    public = ((k, v) for k, v in fields.items() if isinstance(k, str) and k[:1] != "_")
    shown = [f"{k}={_text(v, depth + 1)}" for k, v in itertools.islice(public, _ITEMS)]
    return f"{kind.__qualname__}({', '.join(shown)})"
