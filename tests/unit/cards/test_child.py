"""Making bytes in a child of the process."""

import os
import signal

import pytest

from swell.cards.child import ChildFailed, make_in_child


def test_what_the_child_makes_comes_back_whole():
    assert make_in_child(lambda: b"x" * 3_000_000, 60) == b"x" * 3_000_000


def test_it_is_made_in_another_process_that_is_gone_afterwards():
    pid = int(make_in_child(lambda: str(os.getpid()).encode(), 60))
    assert pid != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_exception_is_told_with_its_traceback():
    def fail():
        raise ValueError("two\nlines")

    with pytest.raises(ChildFailed) as caught:
        make_in_child(fail, 60)
    assert caught.value.message == "ValueError: two lines"
    assert "in fail" in caught.value.trace


def test_a_child_that_is_late_is_killed():
    with pytest.raises(ChildFailed, match=r"not done after 0\.05 s"):
        make_in_child(lambda: signal.pause() or b"", 0.05)


def test_a_child_that_dies_is_told_by_its_signal():
    with pytest.raises(ChildFailed, match="SIGTERM"):
        make_in_child(lambda: os.kill(os.getpid(), signal.SIGTERM) or signal.pause(), 60)


def test_what_was_not_yet_written_by_the_parent_is_not_written_twice(capfd):
    print("once", end="")
    make_in_child(lambda: print("child") or b"", 60)
    assert capfd.readouterr().out.count("once") == 1
