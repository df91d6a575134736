"""A user's exception as text: the trace begins at the user's own frame."""

from __future__ import annotations

import os

from swell.model.record import ErrorInfo

_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def describe_error(error: BaseException, *, with_own_frames: bool = False) -> ErrorInfo:
    """Type, text and stack trace; frames of swell before the first foreign one left out."""
    import traceback

    trace = traceback.TracebackException.from_exception(error)
    if not with_own_frames:
        _prune(trace)
    return ErrorInfo(
        type=type_name(type(error)), text=_text_of(error), traceback="".join(trace.format())
    )


def type_name(kind: type) -> str:
    """'ValueError' for a builtin, else 'package.module.Class'."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"<a {type_name(type(error))} that cannot be shown>"


def _prune(trace: object) -> None:
    """Drop leading own frames of ``trace`` and of the exceptions behind it."""
    import traceback

    seen: set[int] = set()
    waiting: list[object] = [trace]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, traceback.TracebackException) or id(one) in seen:
            continue
        seen.add(id(one))
        frames = list(one.stack)
        first = next(
            (i for i, frame in enumerate(frames) if not frame.filename.startswith(_OWN_FOLDER)),
            len(frames),
        )
        one.stack = traceback.StackSummary.from_list(frames[first:])
        waiting += [one.__cause__, one.__context__]
