"""Markdown → HTML for cards: the part of CommonMark that reports use, and tables.

Written here because a card is rendered in every task, and the usual libraries take longer
to load than the rest of the card takes to make. Raw HTML is shown as text; reference links
and footnotes are not known.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from swell.cards.component import escape
from swell.cards.highlight import highlight_python
from swell.cards.markdown_inline import inline

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*([^`]*)$")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_QUOTE = re.compile(r" {0,3}> ?")
_ITEM = re.compile(r"( {0,3})([-*+]|\d{1,9}[.)])([ \t]+|$)(.*)$")
_DIVIDER = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_CELL_END = re.compile(r"(?<!\\)\|")


class _Block(NamedTuple):
    """HTML of one block and the number of lines it took."""

    html: str
    lines: int


def markdown(text: str) -> str:
    """HTML of ``text``."""
    return _blocks(text.expandtabs(4).splitlines(), is_tight=False)


def _blocks(lines: list[str], *, is_tight: bool) -> str:
    """Block after block; in a tight list paragraphs stand without ``<p>``."""
    pieces: list[str] = []
    position = 0
    while position < len(lines):
        if not lines[position].strip():
            position += 1
            continue
        block = _block(lines[position:], is_tight=is_tight)
        pieces.append(block.html)
        position += block.lines
    return "\n".join(pieces)


def _block(lines: list[str], *, is_tight: bool) -> _Block:
    first = lines[0]
    if first.startswith("    "):
        return _indented_code(lines)
    if fence := _FENCE.match(first):
        return _fenced_code(lines, fence)
    if heading := _HEADING.match(first):
        level = len(heading[1])
        return _Block(f"<h{level}>{inline(heading[2] or '')}</h{level}>", 1)
    if _RULE.match(first):
        return _Block("<hr>", 1)
    if _QUOTE.match(first):
        return _quote(lines)
    if _ITEM.match(first):
        return _list(lines)
    if "|" in first and len(lines) > 1 and _is_table(first, lines[1]):
        return _table(lines)
    return _paragraph(lines, is_tight=is_tight)


def _indented_code(lines: list[str]) -> _Block:
    count = 0
    while count < len(lines) and (lines[count].startswith("    ") or not lines[count].strip()):
        count += 1
    code = "\n".join(line[4:] for line in lines[:count]).rstrip()
    return _Block(f"<pre><code>{escape(code)}</code></pre>", count)


def _fenced_code(lines: list[str], fence: re.Match[str]) -> _Block:
    mark, language = fence[1], fence[2].strip().split(" ")[0].lower()
    closing = re.compile(rf" {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$")
    end = next((i for i, line in enumerate(lines[1:], 1) if closing.match(line)), len(lines))
    indent = len(lines[0]) - len(lines[0].lstrip())
    code = "\n".join(_without_indent(line, indent) for line in lines[1:end])
    shown = highlight_python(code) if language in ("python", "py") else escape(code)
    return _Block(f"<pre><code>{shown}</code></pre>", end + 1)


def _quote(lines: list[str]) -> _Block:
    """Quoted lines, and plain lines that go on with a quoted paragraph."""
    inside: list[str] = []
    for line in lines:
        marked = _QUOTE.match(line)
        if marked:
            inside.append(line[marked.end() :])
        elif line.strip() and inside[-1].strip() and not _starts_block(line):
            inside.append(line)
        else:
            break
    return _Block(f"<blockquote>{_blocks(inside, is_tight=False)}</blockquote>", len(inside))


def _list(lines: list[str]) -> _Block:
    first = _ITEM.match(lines[0])
    assert first is not None
    kind = first[2][-1]
    items: list[list[str]] = []
    position, is_loose = 0, False
    while position < len(lines):
        match = _ITEM.match(lines[position])
        if match is None or match[2][-1] != kind or _RULE.match(lines[position]):
            break
        item = _item(lines[position:], match)
        items.append(item)
        position += len(item)
        trailing_blank = not item[-1].strip() and len(item) > 1
        following = _ITEM.match(lines[position]) if position < len(lines) else None
        goes_on = following is not None and following[2][-1] == kind
        is_loose |= _has_gap(item) or (trailing_blank and goes_on)
    tag = "ol" if kind in ".)" else "ul"
    number = first[2][:-1]
    start = f' start="{int(number)}"' if tag == "ol" and number != "1" else ""
    made = "".join(f"<li>{_blocks(item, is_tight=not is_loose)}</li>" for item in items)
    return _Block(f"<{tag}{start}>{made}</{tag}>", position)


def _item(lines: list[str], match: re.Match[str]) -> list[str]:
    """The lines of one item, without its mark and indentation."""
    gap = len(match[3]) if match[4] and len(match[3]) <= 4 else 1
    indent = len(match[1]) + len(match[2]) + gap
    item = [lines[0][indent:]]
    for line in lines[1:]:
        if not line.strip():
            item.append("")
        elif line.startswith(" " * indent):
            item.append(line[indent:])
        elif item[-1].strip() and not _starts_block(line):
            item.append(line.lstrip())
        else:
            break
    return item


def _has_gap(item: list[str]) -> bool:
    """A blank line between two blocks of the item itself; those of nested lists don't count."""
    content = "\n".join(item).rstrip().split("\n")
    blanks = [i for i, line in enumerate(content) if not line.strip()]
    return any(content[i + 1].strip() and not content[i + 1].startswith(" ") for i in blanks)


def _is_table(head: str, divider: str) -> bool:
    return bool(_DIVIDER.match(divider)) and len(_cells(head)) == len(_cells(divider))


def _table(lines: list[str]) -> _Block:
    aligned = [_alignment(cell) for cell in _cells(lines[1])]
    count = 2
    while count < len(lines) and lines[count].strip() and not _starts_block(lines[count]):
        count += 1
    head = _table_row(_cells(lines[0]), "th", aligned)
    body = "".join(_table_row(_cells(line), "td", aligned) for line in lines[2:count])
    table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
    return _Block(f'<div class="scroll">{table}</div>', count)


def _cells(line: str) -> list[str]:
    bare = line.strip().removeprefix("|")
    parts = _CELL_END.split(bare)
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()
    return [part.strip().replace("\\|", "|") for part in parts]


def _alignment(divider: str) -> str:
    if divider.endswith(":"):
        return ' class="centre"' if divider.startswith(":") else ' class="number"'
    return ""


def _table_row(cells: list[str], tag: str, aligned: list[str]) -> str:
    padded = (cells + [""] * len(aligned))[: len(aligned)]
    made = (
        f"<{tag}{kind}>{inline(cell)}</{tag}>" for cell, kind in zip(padded, aligned, strict=True)
    )
    return f"<tr>{''.join(made)}</tr>"


def _paragraph(lines: list[str], *, is_tight: bool) -> _Block:
    count = 1
    while count < len(lines) and lines[count].strip():
        underline = _UNDERLINE.match(lines[count])
        if underline:
            tag = "h1" if underline[1][0] == "=" else "h2"
            return _Block(f"<{tag}>{_joined(lines[:count])}</{tag}>", count + 1)
        if _interrupts(lines[count]):
            break
        count += 1
    text = _joined(lines[:count])
    return _Block(text if is_tight else f"<p>{text}</p>", count)


def _joined(lines: list[str]) -> str:
    return inline("\n".join(line.lstrip() for line in lines).rstrip())


def _starts_block(line: str) -> bool:
    return any(pattern.match(line) for pattern in (_FENCE, _HEADING, _RULE, _QUOTE, _ITEM))


def _interrupts(line: str) -> bool:
    """Whether ``line`` ends a paragraph; a number does so only if it is 1, a year does not."""
    item = _ITEM.match(line)
    if item is not None and not _RULE.match(line):
        return bool(item[4]) and item[2] in ("-", "*", "+", "1.", "1)")
    return _starts_block(line)


def _without_indent(line: str, indent: int) -> str:
    return line[min(indent, len(line) - len(line.lstrip())) :]
