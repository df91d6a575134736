"""Markdown within a paragraph: emphasis, code, links, pictures; everything else escaped."""

from __future__ import annotations

import html
import re

from swell.cards.component import escape

_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_BRACKETED = r"((?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)"
_TARGET = r"""\(\s*(<[^<>\n]*>|[^\s()<]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+("[^"]*"|'[^']*'))?\s*\)"""
_TOKEN = re.compile(
    r"(?P<escaped>\\[!-/:-@\[-`{-~])"
    r"|(?P<break>(?: {2,}|\\)\n)"
    r"|(?P<ticks>(?<!`)`+(?!`))"
    rf"|(?P<picture>!\[{_BRACKETED}\]{_TARGET})"
    rf"|(?P<link>\[{_BRACKETED}\]{_TARGET})"
    r"|(?P<auto><(?:https?://|mailto:)[^\s<>]+>|(?<![\w/])https?://[^\s<>()*`]*[\w/#=&%])"
    r"|(?P<both>\*\*\*(?=\S)(?P<both_text>.+?)(?<=\S)\*\*\*)"
    r"|(?P<strong>\*\*(?=\S)(?P<strong_text>.+?)(?<=\S)\*\*(?!\*)"
    r"|(?<!\w)__(?=\S)(?P<strong_low>.+?)(?<=\S)__(?!\w))"
    r"|(?P<weak>\*(?=[^\s*])(?P<weak_text>(?:\*\*.+?\*\*|.)+?)(?<=[^\s*])\*(?!\*)"
    r"|(?<!\w)_(?=[^\s_])(?P<weak_low>.+?)(?<=[^\s])_(?!\w))"
    r"|(?P<gone>~~(?=\S)(?P<gone_text>.+?)(?<=\S)~~)",
    re.DOTALL,
)
_PARTS = re.compile(rf"\[{_BRACKETED}\]{_TARGET}", re.DOTALL)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SAFE_SCHEMES = {"http", "https", "mailto", "ftp"}
_SAFE_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml)[;,]", re.IGNORECASE)
_NO_ADDRESS = re.compile(r"[\x00-\x20]")


def inline(text: str) -> str:
    """HTML of the text of one paragraph, heading or cell."""
    pieces: list[str] = []
    position = 0
    while (match := _TOKEN.search(text, position)) is not None:
        pieces.append(_plain(text[position : match.start()]))
        if match["ticks"]:
            made, position = _code(text, match)
        else:
            made, position = _made(match), match.end()
        pieces.append(made)
    pieces.append(_plain(text[position:]))
    return "".join(pieces)


def _plain(text: str) -> str:
    return escape(html.unescape(text))


def _code(text: str, match: re.Match[str]) -> tuple[str, int]:
    """A code span up to ticks of the same length; the ticks themselves if none follow."""
    ticks = match["ticks"]
    closing = re.compile(rf"(?<!`){ticks}(?!`)").search(text, match.end())
    if closing is None:
        return escape(ticks), match.end()
    code = text[match.end() : closing.start()].replace("\n", " ")
    if code.startswith(" ") and code.endswith(" ") and code.strip():
        code = code[1:-1]
    return f"<code>{escape(code)}</code>", closing.end()


def _made(match: re.Match[str]) -> str:
    for name, tag in (("strong", "strong"), ("weak", "em"), ("gone", "del")):
        inner = match[f"{name}_text"] or (match[f"{name}_low"] if name != "gone" else None)
        if inner is not None:
            return f"<{tag}>{inline(inner)}</{tag}>"
    if match["both"]:
        return f"<em><strong>{inline(match['both_text'])}</strong></em>"
    if match["escaped"]:
        return escape(match["escaped"][1])
    if match["break"]:
        return "<br>\n"
    if match["auto"]:
        return _auto(match["auto"])
    return _picture(match) if match["picture"] else _link(match)


def _auto(text: str) -> str:
    address = text.strip("<>")
    return f'<a href="{escape(address)}">{escape(address)}</a>'


def _link(match: re.Match[str]) -> str:
    label, target, title = _parts(match["link"], 0)
    address = safe_address(target)
    if address is None:
        return inline(label)
    return f'<a href="{escape(address)}"{_title(title)}>{inline(label)}</a>'


def _picture(match: re.Match[str]) -> str:
    label, target, title = _parts(match["picture"], 1)
    address = safe_address(target, is_picture=True)
    alt = escape(_ESCAPED.sub(r"\1", label))
    return alt if address is None else f'<img src="{escape(address)}" alt="{alt}"{_title(title)}>'


def _parts(text: str, start: int) -> tuple[str, str, str | None]:
    found = _PARTS.match(text, start)
    assert found is not None
    return found[1], found[2], found[3]


def _title(quoted: str | None) -> str:
    return "" if quoted is None else f' title="{_plain(quoted[1:-1])}"'


def safe_address(target: str, *, is_picture: bool = False) -> str | None:
    """The address that ``target`` means; None if a browser might run it as a program."""
    bare = target[1:-1] if target.startswith("<") else target
    address = _NO_ADDRESS.sub("", html.unescape(_ESCAPED.sub(r"\1", bare)))
    scheme = _SCHEME.match(address)
    if scheme is None or scheme[1].lower() in _SAFE_SCHEMES:
        return address
    return address if is_picture and _SAFE_PICTURE.match(address) else None
