"""What a user reads of an exception: their own frames, none of ours."""

from __future__ import annotations

import pickle
from pathlib import Path

from swell.datastore.artifacts import Artifacts
from swell.datastore.local import LocalStorage
from swell.errors import DataMissing, SwellError
from swell.model.record import ArtifactRef
from swell.model.wire import decode_record
from swell.task.trace import describe_error


def caught(call: object) -> BaseException:
    try:
        call()  # type: ignore[operator]
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def test_an_error_that_swell_raises_under_a_users_line_ends_at_that_line(tmp_path: Path) -> None:
    artifacts = Artifacts(LocalStorage(str(tmp_path)), script="")
    ref = ArtifactRef(None, "00" * 32, 10, "bytes", "")

    info = describe_error(caught(lambda: artifacts.load(ref)))  # the user's line

    assert "the user's line" in info.traceback
    assert "swell/datastore" not in info.traceback
    assert "direct cause" not in info.traceback


def test_a_users_exception_inside_our_call_is_told_with_all_frames_of_theirs() -> None:
    def load() -> object:
        raise ValueError("mine")

    class Own:
        def __reduce__(self) -> tuple[object, ...]:
            return (load, ())

    def fail() -> None:
        try:
            load()
        except ValueError as error:
            raise SwellError("It did not work.") from error

    info = describe_error(caught(fail))

    assert "ValueError: mine" in info.traceback
    assert "direct cause" in info.traceback
    assert 'raise ValueError("mine")' in info.traceback


def test_a_chain_of_a_users_own_errors_is_told_whole() -> None:
    def fail() -> None:
        try:
            pickle.loads(b"not a pickle")
        except Exception as error:
            raise RuntimeError("cannot read") from error

    info = describe_error(caught(fail))

    assert "UnpicklingError" in info.traceback
    assert "RuntimeError: cannot read" in info.traceback


def test_what_lies_behind_an_error_of_ours_is_left_out_when_the_user_has_no_part_in_it() -> None:
    def fail() -> None:
        decode_record(b"\xff not a record")  # the user's line

    info = describe_error(caught(fail))

    assert "DecodeError" not in info.traceback.splitlines()[0]
    assert "direct cause" not in info.traceback
    assert "the user's line" in info.traceback


def test_all_frames_are_there_when_they_are_asked_for() -> None:
    info = describe_error(caught(lambda: decode_record(b"\xff")), with_own_frames=True)

    assert "model/wire.py" in info.traceback


def test_a_traceback_without_any_frame_of_the_user_is_the_error_alone() -> None:
    info = describe_error(DataMissing("It is gone.", remedy="Look for it."))

    assert info.traceback == "swell.errors.DataMissing: It is gone. Look for it.\n"
