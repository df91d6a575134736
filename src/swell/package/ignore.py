"""The language of ``.gitignore``, in which ``.swellignore`` is written too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

# What the names in [[:alpha:]] stand for inside [] of Python.
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


class _Rule(NamedTuple):
    """``is_anchored``: the whole path is compared, else the last name alone."""

    shape: re.Pattern[str]
    is_negated: bool
    only_folders: bool
    is_anchored: bool


class IgnoreRules:
    """The lines of one file. Paths are relative to its folder, with ``/`` between names.

    https://git-scm.com/docs/gitignore#_pattern_format
    """

    def __init__(self, lines: Iterable[str]) -> None:
        rules = (_parse(line) for line in lines)
        self._rules = [rule for rule in rules if rule is not None]
        self._folders: dict[str, bool] = {"": False}

    def says(self, path: str, *, is_folder: bool) -> bool | None:
        """Whether ``path`` itself is left out; None where no line speaks of it."""
        name = path.rpartition("/")[2]
        for rule in reversed(self._rules):
            if rule.only_folders and not is_folder:
                continue
            if rule.shape.fullmatch(path if rule.is_anchored else name):
                return not rule.is_negated
        return None

    def leaves_out(self, path: str) -> bool:
        """Whether the file ``path`` is left out, or a folder around it."""
        if not self._rules:
            return False
        return self._leaves_out_folder(path.rpartition("/")[0]) or bool(
            self.says(path, is_folder=False)
        )

    def _leaves_out_folder(self, path: str) -> bool:
        known = self._folders.get(path)
        if known is None:
            around = self._leaves_out_folder(path.rpartition("/")[0])
            known = around or bool(self.says(path, is_folder=True))
            self._folders[path] = known
        return known


def read_rules(path: str) -> IgnoreRules | None:
    """The rules in a file; None where there is none that can be read."""
    if not os.path.isfile(path):
        return None
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return IgnoreRules(file.read().removeprefix("\ufeff").split("\n"))
    except OSError:
        return None


def _parse(line: str) -> _Rule | None:
    pattern = line.removesuffix("\r")
    if pattern.startswith("#"):
        return None
    pattern = _without_trailing_blanks(pattern)
    is_negated = pattern.startswith("!")
    pattern = pattern[is_negated:]
    only_folders = pattern.endswith("/")
    pattern = pattern[: len(pattern) - only_folders]
    if not pattern:
        return None
    is_anchored = "/" in pattern
    shape = _shape(pattern.removeprefix("/"))
    return None if shape is None else _Rule(shape, is_negated, only_folders, is_anchored)


def _without_trailing_blanks(pattern: str) -> str:
    """Blanks at the end do not count, unless a backslash stands before them."""
    end = at = 0
    while at < len(pattern):
        step = 2 if pattern[at] == "\\" else 1
        if pattern[at] != " ":
            end = at + step
        at += step
    return pattern[:end]


def _shape(pattern: str) -> re.Pattern[str] | None:
    """None for a pattern that matches nothing."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        at_name = at == 0 or pattern[at - 1] == "/"
        if at_name and pattern.startswith("**/", at):
            parts.append("(?:.*/)?")
            at += 3
        elif at_name and pattern[at:] == "**":
            parts.append(".+")
            at += 2
        elif sign == "*":
            parts.append("[^/]*")
            while pattern.startswith("*", at):
                at += 1
        elif sign == "?":
            parts.append("[^/]")
            at += 1
        elif sign == "[":
            end = _end_of_set(pattern, at)
            if end is None:
                return None
            parts.append(_set(pattern[at + 1 : end]))
            at = end + 1
        elif sign == "\\":
            if at + 1 == len(pattern):
                return None
            parts.append(re.escape(pattern[at + 1]))
            at += 2
        else:
            parts.append(re.escape(sign))
            at += 1
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:
        return None


def _end_of_set(pattern: str, start: int) -> int | None:
    """Where the ``]`` of the set that begins at ``start`` is; the first sign is never it."""
    at = start + 1
    if pattern[at : at + 1] in ("!", "^"):
        at += 1
    first = at
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 2
        elif pattern.startswith("[:", at) and ":]" in pattern[at:]:
            at = pattern.index(":]", at) + 2
        elif pattern[at] == "]" and at > first:
            return at
        else:
            at += 1
    return None


def _set(content: str) -> str:
    """What stands between [ and ] in Python's words; never a ``/``."""
    is_negated = content[:1] in ("!", "^")
    content = content[is_negated:]
    parts: list[str] = []
    before = ""
    at = 0
    while at < len(content):
        named = re.match(r"\[:(\w+):\]", content[at:])
        if named:
            parts.append(_CLASSES.get(named[1], ""))
            before = ""
            at += named.end()
            continue
        is_range = content[at] == "-" and before != "" and at < len(content) - 1
        at += is_range
        at += content[at] == "\\" and at + 1 < len(content)
        sign = content[at]
        if not is_range:
            parts.append(re.escape(sign))
        elif before <= sign:
            parts.append(f"{re.escape(before)}-{re.escape(sign)}")
        before = "" if is_range else sign
        at += 1
    # An empty set matches nothing, and its opposite everything.
    if not parts:
        return "(?!/)." if is_negated else "(?!)"
    return f"(?!/)[{'^' if is_negated else ''}{''.join(parts)}]"
