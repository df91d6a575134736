"""Pictures on cards: bytes, PIL images, Matplotlib figures; always embedded."""

from __future__ import annotations

import re
import sys
from typing import Any

from swell.cards.component import MetaflowCardComponent, error_box, escape, say
from swell.cards.previews import data_url, picture_of, picture_type, png_of, type_name

_SHARP_DPI = 150.0
"""Figures are drawn at least this finely, and shown at the size they were made for."""
_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+[;,]", re.IGNORECASE)


class Image(MetaflowCardComponent):
    """A picture from PNG, JPEG, GIF, WebP or BMP bytes, or from a ``data:image/…`` text.

    What cannot be shown becomes a note on the card, never an error in the step. With
    ``disable_updates`` the picture stays as it is.
    """

    REALTIME_UPDATABLE = True

    def __init__(
        self,
        src: bytes | str | None = None,
        label: str | None = None,
        disable_updates: bool = True,
    ) -> None:
        self._label = label
        self._disable_updates = disable_updates
        self._url: str | None = None
        self._width_px: int | None = None
        self._problem = ""
        self._take(src)

    @classmethod
    def from_pil_image(
        cls, pilimage: Any, label: str | None = None, disable_updates: bool = False
    ) -> Image:
        """A ``PIL.Image``."""
        return cls._from(pilimage, label, disable_updates)

    @classmethod
    def from_matplotlib(
        cls, plot: Any, label: str | None = None, disable_updates: bool = False
    ) -> Image:
        """A Matplotlib figure, or axes (then their whole figure). pyplot forgets the figure."""
        return cls._from(plot, label, disable_updates)

    @classmethod
    def _from(cls, source: Any, label: str | None, disable_updates: bool) -> Image:
        image = cls(None, label, disable_updates)
        image._take(source)
        return image

    def update(self, image: Any, label: str | None = None) -> None:
        """Show another picture: bytes, text, a PIL image, a figure or axes."""
        if self._disable_updates:
            say("this Image was made with disable_updates=True; the update is ignored.")
            return
        self._label = self._label if label is None else label
        self._take(image)

    def _take(self, source: Any) -> None:
        self._url, self._width_px, self._problem = None, None, ""
        try:
            self._read(source)
        except Exception as error:
            self._problem = f"{type(error).__name__}: {error}"

    def _read(self, source: Any) -> None:
        figure = _figure_of(source)
        if source is None:
            self._problem = "There is no picture: its source is None."
        elif isinstance(source, str):
            self._url = source if _DATA_URL.match(source) else None
            self._problem = "" if self._url else "The text is not a 'data:image/…' URL."
        elif isinstance(source, (bytes, bytearray, memoryview)):
            data = bytes(source)
            mime = picture_type(data)
            self._url = data_url(data, mime) if mime else None
            self._problem = "" if mime else "The bytes are not PNG, JPEG, GIF, WebP or BMP."
        elif figure is not None:
            self._read_figure(figure)
        else:
            self._url = picture_of(source)
            self._problem = "" if self._url else f"{type_name(source)} is not a picture."

    def _read_figure(self, figure: Any) -> None:
        png = png_of(figure, max(figure.dpi, _SHARP_DPI))
        if png is None:
            self._problem = f"{type_name(figure)} is not a Matplotlib figure."
            return
        self._url = data_url(png, "image/png")
        self._width_px = round(figure.get_size_inches()[0] * 100)
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close(figure)

    def render(self) -> str:
        if self._url is None:
            return error_box("The picture cannot be shown", self._problem)
        width = "" if self._width_px is None else f' style="width:{self._width_px}px"'
        alt = "" if self._label is None else escape(self._label)
        caption = f"<figcaption>{alt}</figcaption>" if alt else ""
        picture = f'<img src="{escape(self._url)}" alt="{alt}"{width}>'
        return f'<figure class="image">{picture}{caption}</figure>'


def _figure_of(source: Any) -> Any:
    """The figure that ``source`` is or belongs to; None for what is not Matplotlib's."""
    if type_name(source).split(".")[0] == "matplotlib" or hasattr(source, "get_figure"):
        get_figure = getattr(source, "get_figure", None)
        return source if get_figure is None or hasattr(source, "savefig") else get_figure()
    return None
