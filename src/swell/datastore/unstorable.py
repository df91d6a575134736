"""Which part of a value cannot be stored, and what to do about it."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from swell.datastore.short_texts import preview_line, type_name
from swell.errors import UnstorableArtifact

_TRIALS = 2000
_CHILDREN = 500
_DEPTH = 30

_REMEDIES = (
    (("lock", "RLock", "Condition", "Semaphore", "Event", "Thread", "Queue"), "make"),
    (("generator", "coroutine", "iterator", "map", "filter", "zip"), "list"),
    (("TextIOWrapper", "BufferedReader", "BufferedWriter", "FileIO", "BufferedRandom"), "file"),
    (("socket", "Connection", "Cursor", "Session", "SSLContext", "Client"), "connect"),
    (("memoryview",), "bytes"),
)
_ADVICE = {
    "make": "Make it in the step that uses it, or leave it out in __getstate__.",
    "list": "Store its items instead: list(…).",
    "file": "Store the path or the content instead of the open file.",
    "connect": "Open it anew in each step that uses it, or leave it out in __getstate__.",
    "bytes": "Store bytes(…) of it.",
}
_GENERAL = "Store what it was made from, or use a local variable instead of an artifact."


class Part(NamedTuple):
    """A part of a value and the path that leads to it from the flow: ``self.model.lock``."""

    path: str
    value: object


Resists = Callable[[object], "Exception | None"]
"""Tries to serialise a value; the error it ends with, if any."""


def unstorable(value: object, name: str, error: Exception, resists: Resists) -> UnstorableArtifact:
    """The error for ``value``, called ``name``, which failed to serialise with ``error``.

    ``resists`` is tried on its parts, to find the one to blame.
    """
    if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
        return UnstorableArtifact(
            f"{name} ({type_name(value)}) is nested too deeply to be stored.",
            remedy="Store it flatter: a list of nodes with indices instead of links.",
        )
    part, why = find_resisting(Part(name, value), error, resists)
    whole = f"{name} ({type_name(value)}) cannot be stored"
    if part.path == name:
        message = f"{whole}: {_reason(why)}."
    else:
        message = f"{whole} because of {part.path} ({type_name(part.value)}): {_reason(why)}."
    return UnstorableArtifact(message, remedy=_remedy(part.value))


def find_resisting(part: Part, error: Exception, resists: Resists) -> tuple[Part, Exception]:
    """The innermost part that resists, and its error; looks at 2,000 parts at most."""
    trials = 0
    seen = {id(part.value)}
    for _ in range(_DEPTH):
        for child in islice(_children(part), _CHILDREN):
            trials += 1
            if trials > _TRIALS:
                return part, error
            if id(child.value) in seen:
                continue
            why = resists(child.value)
            if why is not None:
                seen.add(id(child.value))
                part, error = child, why
                break
        else:
            return part, error
    return part, error


def _children(part: Part) -> Iterator[Part]:
    path, value = part
    if isinstance(value, dict):
        for key, item in dict.items(value):
            yield Part(f"{path}[{_short(key)}]", item)
            yield Part(f"the key {_short(key)} of {path}", key)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield Part(f"{path}[{index}]", item)
    elif isinstance(value, (set, frozenset)):
        for item in value:
            yield Part(f"the element {_short(item)} of {path}", item)
    elif isinstance(value, types.FunctionType):
        yield from _captured(path, value)
    elif isinstance(value, types.MethodType):
        yield Part(f"{path}.__self__", value.__self__)
    yield from _attributes(path, value)


def _captured(path: str, function: types.FunctionType) -> Iterator[Part]:
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            yield Part(f"the variable '{name}' that {path} uses", cell.cell_contents)
        except ValueError:
            continue
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield Part(f"the global '{name}' that {path} uses", function.__globals__[name])
    for default in function.__defaults__ or ():
        yield Part(f"a default of {path}", default)


def _attributes(path: str, value: object) -> Iterator[Part]:
    if isinstance(value, (type, types.ModuleType)):
        return
    state = _state(value)
    if isinstance(state, dict):
        for name, item in state.items():
            yield Part(f"{path}.{name}", item)
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            try:
                yield Part(f"{path}.{name}", getattr(value, name))
            except AttributeError:
                continue
    if type(value).__module__ == "functools" and type(value).__name__ == "partial":
        for name in ("func", "args", "keywords"):
            yield Part(f"{path}.{name}", getattr(value, name))


def _state(value: object) -> object:
    # What pickle looks at: __getstate__ where the class defines its own, else __dict__.
    own = getattr(type(value), "__getstate__", None)
    if own is not None and own is not getattr(object, "__getstate__", None):
        try:
            return own(value)
        except Exception:
            return None
    return getattr(value, "__dict__", None)


def _short(value: object) -> str:
    text = preview_line(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".") or type(error).__name__
    return text if isinstance(error, TypeError) else f"{type(error).__name__}: {text}"


def _remedy(value: object) -> str:
    name = type(value).__name__
    for names, advice in _REMEDIES:
        if name in names or any(name.lower().endswith(n.lower()) for n in names):
            return _ADVICE[advice]
    return _GENERAL
