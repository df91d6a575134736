"""Any Python object as a short piece of HTML: a picture, a small table, or its repr."""

from __future__ import annotations

import base64
import reprlib
import sys
from typing import Any

from swell.cards.component import escape
from swell.cards.grid import frame_rows, grid, plain_cell

PREVIEW_ROWS = 5
_LONG_TEXT = 60

# (first bytes, MIME type), from the formats' own specifications.
_PICTURE_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)


def type_name(value: object) -> str:
    """The type as people write it: ``int``, ``pandas.DataFrame``, ``mymodule.Thing``."""
    kind = type(value)
    name = kind.__qualname__.rpartition("<locals>.")[2]
    if kind.__module__ in ("builtins", "__main__"):
        return name
    return f"{kind.__module__.split('.')[0]}.{name}"


def preview(value: object, *, full: bool = False) -> str:
    """HTML for ``value``; ``full`` shows the whole repr instead of a shortened one."""
    picture = picture_of(value)
    if picture is not None:
        return f'<img class="thumb" alt="" src="{picture}">'
    if is_dataframe(value):
        return _dataframe(value)
    array = None if full else _array(value)
    if array is not None:
        return array
    text = _repr(value, full=full)
    if "\n" in text or len(text) > _LONG_TEXT:
        return f'<pre class="repr">{escape(text)}</pre>'
    return f"<code>{escape(text)}</code>"


def picture_of(value: object) -> str | None:
    """A ``data:`` URL if ``value`` is a picture: its bytes, or an object of PIL or Matplotlib."""
    if isinstance(value, bytes):
        mime = picture_type(value)
        return data_url(value, mime) if mime else None
    png = png_of(value)
    return data_url(png, "image/png") if png is not None else None


def picture_type(data: bytes) -> str | None:
    """The MIME type that the first bytes tell, None if they are no known picture."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    for mark, mime in _PICTURE_MARKS:
        if data.startswith(mark) and (mark != b"BM" or len(data) > 26):
            return mime
    return None


def data_url(data: bytes, mime: str) -> str:
    """``data`` as a URL that needs no server."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def png_of(value: object, dpi: float | None = None) -> bytes | None:
    """PNG bytes of a PIL picture or a Matplotlib figure; None for other objects.

    ``dpi`` is for figures; without it the figure's own counts.
    """
    import io

    # A library that was never imported cannot have made the object.
    pil, figures = sys.modules.get("PIL.Image"), sys.modules.get("matplotlib.figure")
    if pil is not None and isinstance(value, pil.Image):
        out = io.BytesIO()
        picture: Any = value
        if picture.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"):
            picture = picture.convert("RGB")
        picture.save(out, format="PNG")
        return out.getvalue()
    if figures is not None and isinstance(value, figures.Figure):
        out = io.BytesIO()
        value.savefig(out, format="png", dpi=dpi or "figure")
        return out.getvalue()
    return None


def is_dataframe(value: object) -> bool:
    """A pandas or Polars DataFrame."""
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    return bool(
        (pandas is not None and isinstance(value, getattr(pandas, "DataFrame", ())))
        or (polars is not None and isinstance(value, getattr(polars, "DataFrame", ())))
    )


def _array(value: Any) -> str | None:
    """A NumPy array by its corners, with shape and dtype; None for anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray) or value.ndim == 0:
        return None
    text = numpy.array2string(value, precision=5, threshold=30, edgeitems=3)
    size = " × ".join(f"{length:,}" for length in value.shape)
    shown = f'<pre class="repr">{escape(text)}</pre>'
    return f'{shown}<p class="note">{size}, {escape(value.dtype)}</p>'


def _dataframe(value: Any) -> str:
    frame = frame_rows(value, PREVIEW_ROWS)
    rows, columns = value.shape
    made = grid(frame.rows, frame.headers, _cell_text, has_index=frame.has_index)
    return f'{made}<p class="note">{rows:,} rows × {columns:,} columns</p>'


def _cell_text(value: object) -> str:
    plain = plain_cell(value)
    return f"<code>{escape(_repr(value))}</code>" if plain is None else plain


def _repr(value: object, *, full: bool = False) -> str:
    short = reprlib.Repr()
    short.maxlevel = 4
    short.maxlist = short.maxtuple = short.maxset = short.maxfrozenset = short.maxdeque = 20
    short.maxdict = 20
    short.maxstring = 300
    short.maxlong = 80
    short.maxother = 1200
    try:
        return repr(value) if full else short.repr(value)
    except Exception as error:
        return f"<{type_name(value)}; its repr raised {type(error).__name__}: {error}>"
