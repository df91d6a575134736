"""A user's exception as text: the trace begins at the user's own frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from swell.errors import SwellError
from swell.model.record import ErrorInfo
from swell.model.retrying import kinds_of, type_name

if TYPE_CHECKING:
    import traceback
    from types import TracebackType

_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def describe_error(error: BaseException, *, with_own_frames: bool = False) -> ErrorInfo:
    """Type, text and stack trace; frames of swell before the first and after
    the last foreign one are left out."""
    import traceback

    trace = traceback.TracebackException.from_exception(error)
    if not with_own_frames:
        _prune(trace, error)
    return ErrorInfo(
        type=type_name(type(error)),
        text=_text_of(error),
        traceback="".join(trace.format()),
        kinds=kinds_of(error),
    )


def from_own_frames(error: BaseException) -> TracebackType | None:
    """The traceback of ``error`` without the frames of swell before the first foreign one;
    None where there is no foreign one."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        trace = trace.tb_next
    return trace


def frames_below_users(trace: TracebackType) -> int:
    """How many frames of libraries and of swell stand below the user's last one; 0 where no
    frame is the user's."""
    places = (*_library_folders(), _OWN_FOLDER)
    below = 0
    found = False
    one: TracebackType | None = trace
    while one is not None:
        is_users = not one.tb_frame.f_code.co_filename.startswith(places)
        found = found or is_users
        below = 0 if is_users else below + 1
        one = one.tb_next
    return below if found else 0


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"<a {type_name(type(error))} that cannot be shown>"


def _prune(trace: traceback.TracebackException, error: BaseException) -> None:
    """Drop own frames at both ends of ``trace`` and of the exceptions behind it.

    What lies behind an error of swell is left out where no frame of it is the user's:
    the error's own words say it.
    """
    libraries = _library_folders()
    seen: set[int] = set()
    waiting: list[tuple[traceback.TracebackException, BaseException, bool]]
    waiting = [(trace, error, False)]
    while waiting:
        one, raised, is_behind_own = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.stack[:] = _without_own_ends(one.stack)
        is_own = is_behind_own or isinstance(raised, SwellError)
        if one.__cause__ is not None and is_own and not _has_user_frame(one.__cause__, libraries):
            one.__cause__ = None
            one.__suppress_context__ = True
        if one.__cause__ is not None and raised.__cause__ is not None:
            waiting.append((one.__cause__, raised.__cause__, is_own))
        if one.__context__ is not None and raised.__context__ is not None:
            waiting.append((one.__context__, raised.__context__, is_own))


def _without_own_ends(
    frames: Sequence[traceback.FrameSummary],
) -> Sequence[traceback.FrameSummary]:
    foreign = [i for i, frame in enumerate(frames) if not _is_own(frame)]
    return frames[foreign[0] : foreign[-1] + 1] if foreign else []


def _is_own(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(_OWN_FOLDER)


def _has_user_frame(trace: traceback.TracebackException, libraries: tuple[str, ...]) -> bool:
    return any(
        not _is_own(frame) and not frame.filename.startswith(libraries) for frame in trace.stack
    )


def _library_folders() -> tuple[str, ...]:
    """Where Python and installed packages are; '<frozen …>' is Python too."""
    import sysconfig

    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return ("<frozen", *(sysconfig.get_path(name) + os.sep for name in names))
