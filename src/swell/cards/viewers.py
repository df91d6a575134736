"""JSON and YAML on cards: coloured, folding without JavaScript."""

from __future__ import annotations

import json
import re
from typing import Any

from swell.cards.component import MetaflowCardComponent, escape

_OPEN_LEVELS = 2
"""Objects and lists down to this depth begin unfolded."""
_CSS_LENGTH = re.compile(r"\d+(\.\d+)?(px|rem|em|vh|%)")


class _Viewer(MetaflowCardComponent):
    """``data`` as text, under ``title``; ``max_height`` is a CSS length."""

    REALTIME_UPDATABLE = True
    _language = ""

    def __init__(
        self,
        data: Any,
        collapsible: bool = True,
        max_height: str | None = None,
        show_copy_button: bool = True,
        title: str | None = None,
    ) -> None:
        self._data = data
        self._collapsible = collapsible
        self._max_height = max_height
        self._show_copy_button = show_copy_button
        self._title = title

    def update(self, data: Any) -> None:
        """Show other data."""
        self._data = data

    def _frame(self, body: str, text: str) -> str:
        height = self._max_height or ""
        style = f' style="max-height:{height}"' if _CSS_LENGTH.fullmatch(height) else ""
        button = (
            f'<button type="button" class="copy" data-text="{escape(text)}" hidden>Copy</button>'
            if self._show_copy_button
            else ""
        )
        title = escape(self._title or self._language)
        inside = f'<div class="viewer-body"{style}>{body}</div>'
        if not self._collapsible:
            return f'<div class="viewer"><div class="row">{title}{button}</div>{inside}</div>'
        return (
            f'<details class="viewer" open><summary class="row"><span>{title}</span>{button}'
            f"</summary>{inside}</details>"
        )


class JSONViewer(_Viewer):
    """Data as JSON; text that is JSON is parsed first, foreign objects show as text."""

    _language = "JSON"

    def render(self) -> str:
        value = json.loads(json.dumps(_parsed(self._data), default=str))
        text = json.dumps(value, indent=2, ensure_ascii=False)
        return self._frame(f'<div class="json">{_tree(value, 0)}</div>', text)


class YAMLViewer(_Viewer):
    """Data as YAML; where PyYAML is not installed, as JSON, which is YAML too."""

    _language = "YAML"

    def render(self) -> str:
        text = _yaml_text(_parsed(self._data))
        return self._frame(f"<pre>{escape(text)}</pre>", text)


def _parsed(data: Any) -> Any:
    if not isinstance(data, str):
        return data
    try:
        return json.loads(data)
    except ValueError:
        return data


def _yaml_text(data: Any) -> str:
    if isinstance(data, str):
        return data
    as_json = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    try:
        import yaml
    except ImportError:
        return as_json
    # Through JSON, so that objects YAML has no word for show as text, not as Python tags.
    return yaml.safe_dump(json.loads(as_json), sort_keys=False, allow_unicode=True).rstrip()


def _tree(value: Any, level: int) -> str:
    """HTML of parsed JSON, its objects and lists as ``<details>``."""
    if isinstance(value, dict) and value:
        items = "".join(
            f'<li><span class="key">{escape(json.dumps(key, ensure_ascii=False))}</span>: '
            f"{_tree(item, level + 1)}</li>"
            for key, item in value.items()
        )
        return _branch("{", "}", items, len(value), level)
    if isinstance(value, list) and value:
        items = "".join(f"<li>{_tree(item, level + 1)}</li>" for item in value)
        return _branch("[", "]", items, len(value), level)
    kind = "s" if isinstance(value, str) else "n" if isinstance(value, (int, float)) else "k"
    kind = "k" if isinstance(value, bool) else kind
    return f'<span class="{kind}">{escape(json.dumps(value, ensure_ascii=False))}</span>'


def _branch(left: str, right: str, items: str, count: int, level: int) -> str:
    is_open = " open" if level < _OPEN_LEVELS else ""
    size = f"{count} item{'' if count == 1 else 's'}"
    return (
        f'<details{is_open}><summary>{left}<span class="note"> {size} </span></summary>'
        f"<ul>{items}</ul>{right}</details>"
    )
