"""Python code as coloured HTML, with the standard library's own tokenizer."""

from __future__ import annotations

import builtins
import io
import keyword
import tokenize

from swell.cards.component import escape

_FSTRING = {
    getattr(tokenize, name)
    for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
    if hasattr(tokenize, name)
}
_KINDS = {
    tokenize.STRING: "s",
    tokenize.NUMBER: "n",
    tokenize.COMMENT: "c",
    **dict.fromkeys(_FSTRING, "s"),
}
_NAMES_BEFORE_A_DEFINITION = ("def", "class")


def highlight_python(source: str) -> str:
    """``source`` escaped, with spans of class k (keyword), s, n, c, d (defined), b (builtin).

    Text that is not Python comes back escaped and plain.
    """
    try:
        return _coloured(source)
    except (tokenize.TokenError, SyntaxError, IndexError):
        return escape(source)


def _coloured(source: str) -> str:
    lines = source.splitlines(keepends=True)
    pieces: list[str] = []
    row, column, previous = 1, 0, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE, tokenize.NL):
            continue
        if token.type == tokenize.ENDMARKER:
            break
        if token.start < (row, column):
            continue
        pieces.append(escape(_between(lines, (row, column), token.start)))
        kind = _kind_of(token, previous)
        text = escape(_between(lines, token.start, token.end))
        pieces.append(f'<span class="{kind}">{text}</span>' if kind else text)
        row, column = token.end
        previous = token.string
    pieces.append(escape(_between(lines, (row, column), (len(lines) + 1, 0))))
    return "".join(pieces)


def _kind_of(token: tokenize.TokenInfo, previous: str) -> str | None:
    if token.type in _KINDS:
        return _KINDS[token.type]
    if token.type != tokenize.NAME:
        return None
    if keyword.iskeyword(token.string):
        return "k"
    if previous in _NAMES_BEFORE_A_DEFINITION:
        return "d"
    return "b" if hasattr(builtins, token.string) and previous != "." else None


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Text from ``start`` up to ``end``; rows count from 1, columns from 0."""
    (row, column), (end_row, end_column) = start, end
    if row > len(lines):
        return ""
    if row == end_row:
        return lines[row - 1][column:end_column]
    last = lines[end_row - 1][:end_column] if end_row <= len(lines) else ""
    return lines[row - 1][column:] + "".join(lines[row : end_row - 1]) + last
