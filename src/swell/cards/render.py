"""Card components and the facts of a task → one HTML document that needs no other file."""

from __future__ import annotations

import base64
import hashlib
import pkgutil
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from swell.cards.charts import CHART_MARK, json_for_html
from swell.cards.collection import DATA_ELEMENT
from swell.cards.component import MetaflowCardComponent, error_box, escape, render_safely
from swell.cards.components import Error, PythonCode
from swell.cards.graph_picture import draw
from swell.cards.subject import Shown, Subject
from swell.errors import SwellError

CHART_LIBRARIES = ("vega.min.js", "vega-lite.min.js", "vega-embed.min.js")
_OWN_MODULES = "swell.cards."


class Content(msgspec.Struct, frozen=True):
    """What the user put on a card; ``data`` is what ``refresh`` was last given."""

    components: Sequence[MetaflowCardComponent] = ()
    options: dict[str, Any] = {}
    notices: Sequence[str] = ()
    data: Any = None


def render_default(subject: Subject, content: Content) -> str:
    """The ``default`` card: the task, the user's components, then all that is known of it."""
    sections = [
        _failure(subject),
        render_components(content.components),
        _section("Parameters", _names_table(subject.parameters), count=len(subject.parameters)),
        _section("Artifacts", _names_table(subject.artifacts), count=len(subject.artifacts)),
        _section("Flow", _flow_graph(subject)),
        _section("Code", _step_code(subject)),
    ]
    head = f"{_title(subject)}{_facts(subject)}"
    return _document(subject, content, head, "".join(sections))


def render_blank(subject: Subject, content: Content) -> str:
    """The ``blank`` card: the user's components alone, under ``options['title']`` if any."""
    title = str(content.options.get("title") or "")
    head = f"<h1>{escape(title)}</h1>" if title else ""
    body = _failure(subject) + render_components(content.components)
    return _document(subject, content, head, body)


def render_error(subject: Subject, title: str, text: str) -> str:
    """The card that stands in for one that could not be made."""
    body = f'<div class="components">{_wide(error_box(title, text))}</div>'
    return _document(subject, Content(), f"{_title(subject)}{_facts(subject)}", body)


RENDERERS = {"default": render_default, "blank": render_blank}


def render_components(components: Iterable[MetaflowCardComponent]) -> str:
    """The user's components in order; one that fails shows its error in its place."""
    made = "".join(
        f'<div class="component{"" if component.wide else " narrow"}">'
        f"{render_safely(component)}</div>"
        for component in components
    )
    return f'<div class="components">{made}</div>' if made else ""


def _document(subject: Subject, content: Content, head: str, body: str) -> str:
    notices = "".join(f'<p class="notice">{escape(text)}</p>' for text in content.notices)
    data = "" if content.data is None else f"{DATA_ELEMENT}{json_for_html(content.data)}</script>"
    is_foreign = any(
        not type(component).__module__.startswith(_OWN_MODULES) for component in content.components
    )
    title = f"{subject.flow}/{subject.run}/{subject.step}/{subject.task}"
    return render_page(title, head, f"{notices}{body}", data=data, is_foreign=is_foreign)


def render_page(
    title: str, head: str, body: str, *, data: str = "", is_foreign: bool = False
) -> str:
    """A whole document; ``head``, ``body`` and ``data`` are HTML. ``is_foreign``: some of it was
    made by the user's own code."""
    scripts = [_asset("card.js")] if 'class="copy"' in body else []
    if CHART_MARK in body:
        scripts += chart_scripts()
    # A component of the user's own makes its own HTML, and may fetch what it wants.
    policy = "" if is_foreign else _policy(scripts)
    header = f"<header>{head}</header>" if head else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'{policy}<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_asset('card.css')}</style></head><body>"
        f"{header}<main>{body}</main>{data}"
        f"{''.join(f'<script>{script}</script>' for script in scripts)}</body></html>\n"
    )


def chart_scripts() -> list[str]:
    """Vega, Vega-Lite, Vega-Embed with their licences, and what draws the charts."""
    import zstandard

    licences = f"/*!\n{_asset('THIRD_PARTY_LICENSES.txt')}*/\n"
    libraries = [
        zstandard.decompress(_asset_bytes(f"{name}.zst")).decode() for name in CHART_LIBRARIES
    ]
    return [licences + libraries[0], *libraries[1:], _asset("charts.js")]


def _policy(scripts: Iterable[str]) -> str:
    """Nothing runs but our own scripts, known by their hash; nothing is sent anywhere.

    Pictures and chart data may come from where the user's own text says.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; "
        "form-action 'none'; img-src data: blob: https: http:; connect-src data: https: http:; "
        f"script-src {hashes or chr(39) + 'none' + chr(39)}"
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{policy}">'


def _asset(name: str) -> str:
    return _asset_bytes(name).decode()


def _asset_bytes(name: str) -> bytes:
    """A file that ships with this package, from a folder or an archive."""
    data = pkgutil.get_data("swell.cards", f"assets/{name}")
    assert data is not None
    return data


# --- the parts of the default card -----------------------------------------


def _title(subject: Subject) -> str:
    return (
        f'<div class="eyebrow">{escape(subject.flow)} · run {escape(subject.run)}</div>'
        f"<h1>{escape(subject.step)}</h1>"
    )


def _facts(subject: Subject) -> str:
    duration_s = subject.ended_at - subject.started_at
    facts = {
        "Task": subject.task,
        "Attempt": str(subject.attempt + 1) if subject.attempt else "",
        "User": subject.user,
        "Started": _when(subject.started_at),
        "Took": shown_duration(duration_s) if subject.started_at else "",
        "Script": subject.script.rpartition("/")[2],
        "Tags": ", ".join(sorted(subject.tags)),
    }
    rows = "".join(
        f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items() if text
    )
    return f'<dl class="facts">{rows}</dl>'


def shown_duration(seconds: float) -> str:
    """``240 ms``, ``3.2 s``, ``4 min 10 s``, ``2 h 5 min``."""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _when(at: float) -> str:
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _failure(subject: Subject) -> str:
    if subject.error is None:
        return ""
    box = render_safely(Error(subject.error, "The step failed"))
    return f'<div class="components">{_wide(box)}</div>'


def _wide(html: str) -> str:
    return f'<div class="component">{html}</div>'


def _section(title: str, body: str, *, count: int | None = None) -> str:
    if not body:
        return ""
    number = "" if count is None else f'<span class="note">{count}</span>'
    return (
        f"<section><details open><summary>{title}{number}</summary>"
        f'<div class="inside">{body}</div></details></section>'
    )


def _names_table(values: Sequence[Shown]) -> str:
    rows = "".join(
        f'<tr><td>{escape(value.name)}</td><td><span class="type">{escape(value.type)}</span></td>'
        f"<td>{_value(value)}</td></tr>"
        for value in values
    )
    head = "<thead><tr><th>Name</th><th>Type</th><th>Value</th></tr></thead>"
    if not rows:
        return ""
    return f'<div class="scroll"><table class="names">{head}<tbody>{rows}</tbody></table></div>'


def _value(value: Shown) -> str:
    try:
        return value.html()
    except Exception as error:  # a value's own repr may fail in any way
        return f'<span class="none">{escape(f"{type(error).__name__}: {error}")}</span>'


def _flow_graph(subject: Subject) -> str:
    if subject.flow_class is None:
        return ""
    from swell.authoring.parse import parse_flow
    from swell.authoring.shape import topological_order

    try:
        graph = parse_flow(subject.flow_class)
    except (SwellError, OSError):  # the source may be gone by now; the card goes on without
        return ""
    return draw(graph, topological_order(graph), subject.step)


def _step_code(subject: Subject) -> str:
    return "" if subject.step_code is None else PythonCode(subject.step_code).render()
