"""The plain card components: text, values, code and errors."""

from __future__ import annotations

import re
import textwrap
import traceback
from collections.abc import Callable
from typing import Any

from swell.cards.component import MetaflowCardComponent, error_box, escape
from swell.cards.grid import shown_number
from swell.cards.highlight import highlight_python
from swell.cards.markdown import markdown
from swell.cards.previews import preview, type_name

_THEME_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def theme_class(theme: str | None) -> str:
    """A CSS class for ``theme``; odd names are left out."""
    return f" theme-{theme}" if theme and _THEME_NAME.fullmatch(theme) else ""


class Artifact(MetaflowCardComponent):
    """Any object, pretty-printed; shortened unless ``compressed`` is False."""

    REALTIME_UPDATABLE = True

    def __init__(self, artifact: Any, name: str | None = None, compressed: bool = True) -> None:
        self._artifact = artifact
        self._name = name
        self._compressed = compressed

    def update(self, artifact: Any) -> None:
        """Show another object."""
        self._artifact = artifact

    def render(self) -> str:
        label = "" if self._name is None else f"<strong>{escape(self._name)}</strong> "
        kind = f'<span class="type">{escape(type_name(self._artifact))}</span>'
        shown = preview(self._artifact, full=not self._compressed)
        return f'<div class="artifact"><div>{label}{kind}</div>{shown}</div>'


class Error(MetaflowCardComponent):
    """An exception with its traceback, under ``title``."""

    def __init__(self, exception: BaseException | str, title: str | None = None) -> None:
        self._exception = exception
        self._title = title

    def render(self) -> str:
        if isinstance(self._exception, BaseException):
            text = "".join(traceback.format_exception(self._exception))
            title = self._title or type(self._exception).__name__
        else:
            text, title = str(self._exception), self._title or "Error"
        return error_box(title, text.rstrip())


class Markdown(MetaflowCardComponent):
    """Text in Markdown: headings, lists, tables, code, links, pictures, emphasis. Raw HTML in
    it is shown, not obeyed. Indentation that all lines share is taken away first.
    """

    REALTIME_UPDATABLE = True

    def __init__(self, text: str | None = None) -> None:
        self._text = text

    def update(self, text: str | None = None) -> None:
        """Show another text."""
        self._text = text

    def render(self) -> str:
        made = markdown(textwrap.dedent(self._text or ""))
        return f'<div class="markdown">{made}</div>'


class ProgressBar(MetaflowCardComponent):
    """How far ``value`` is on the way to ``max``, in ``unit``; ``metadata`` stands beside."""

    REALTIME_UPDATABLE = True

    def __init__(
        self,
        max: int = 100,
        label: str | None = None,
        value: int = 0,
        unit: str | None = None,
        metadata: str | None = None,
    ) -> None:
        self._max = max
        self._label = label
        self._value = value
        self._unit = unit
        self._metadata = metadata

    def update(self, new_value: int, metadata: str | None = None) -> None:
        """Move the bar; ``metadata`` stays as it is where it is None."""
        self._value = new_value
        if metadata is not None:
            self._metadata = metadata

    def render(self) -> str:
        share = min(max(self._value / self._max, 0.0), 1.0) if self._max else 0.0
        amount = f"{self._value} / {self._max}{f' {self._unit}' if self._unit else ''}"
        details = "" if self._metadata is None else f"<small>{escape(self._metadata)}</small>"
        name = "Progress" if self._label is None else self._label
        return (
            f'<div class="progress"><div class="row"><strong>{escape(name)}</strong>'
            f"<span>{escape(amount)}</span></div>"
            f'<div class="track" role="progressbar" aria-label="{escape(name)}" aria-valuemin="0"'
            f' aria-valuemax="100" aria-valuenow="{share * 100:.0f}">'
            f'<div class="fill" style="width:{share * 100:.2f}%"></div></div>{details}</div>'
        )


class ValueBox(MetaflowCardComponent):
    """One number or word that matters, large; ``theme`` colours it.

    Themes: default, success, warning, danger, bg-gradient-indigo-purple.
    """

    REALTIME_UPDATABLE = True
    wide = False

    def __init__(
        self,
        title: str | None = None,
        value: str | int | float = "",
        subtitle: str | None = None,
        theme: str | None = None,
        change_indicator: str | None = None,
    ) -> None:
        self._title = title
        self._value = value
        self._subtitle = subtitle
        self._theme = theme
        self._change_indicator = change_indicator

    def update(
        self,
        title: str | None = None,
        value: str | int | float | None = None,
        subtitle: str | None = None,
        theme: str | None = None,
        change_indicator: str | None = None,
    ) -> None:
        """Change what is given; the rest stays."""
        self._title = self._title if title is None else title
        self._value = self._value if value is None else value
        self._subtitle = self._subtitle if subtitle is None else subtitle
        self._theme = self._theme if theme is None else theme
        if change_indicator is not None:
            self._change_indicator = change_indicator

    def render(self) -> str:
        parts = [
            _part("title", self._title),
            _part("value", shown_number(self._value)),
            _part("subtitle", self._subtitle),
            _part("change", self._change_indicator),
        ]
        return f'<div class="valuebox{theme_class(self._theme)}">{"".join(parts)}</div>'


class PythonCode(MetaflowCardComponent):
    """Python code with colours: the source of ``code_func``, or ``code_string``."""

    def __init__(
        self, code_func: Callable[..., Any] | None = None, code_string: str | None = None
    ) -> None:
        self._code: str | None = code_string
        self._problem = "Neither code_func nor code_string was given."
        if code_func is not None:
            self._take_source(code_func)

    def _take_source(self, target: object) -> None:
        import inspect

        if isinstance(target, str):
            self._code = target
            return
        try:
            self._code = inspect.getsource(target)  # type: ignore[arg-type]  # says so by TypeError
        except (OSError, TypeError) as error:
            self._problem = str(error)

    def render(self) -> str:
        if self._code is None:
            return error_box("There is no code to show", self._problem)
        return f'<pre class="code">{highlight_python(textwrap.dedent(self._code))}</pre>'


def _part(name: str, text: str | None) -> str:
    return "" if text is None else f'<div class="{name}">{escape(text)}</div>'
