"""Who ends an attempt, by which signal, and what the engine is told."""

from __future__ import annotations

import signal

import pytest

from swell.bootstrap.ends import Ends, exit_code_of, has_expired
from swell.bootstrap.place import Ending, Place
from swell.bootstrap.supervisor import is_taken_back


def test_an_end_begins_with_a_sigterm_and_goes_on_with_a_sigkill() -> None:
    ends = Ends()
    assert ends.due(0.0) is None

    ends.ask("timeout", "too long", kill_at=15.0)

    assert [ends.due(at) for at in (10.0, 11.0, 15.0, 16.0)] == [
        signal.SIGTERM, None, signal.SIGKILL, None,
    ]  # fmt: skip
    assert (ends.ended_by, ends.sentence) == ("timeout", "too long")


def test_the_first_reason_stays_and_a_later_one_only_hastens_the_end() -> None:
    ends = Ends()
    ends.ask("stop", "by the engine", kill_at=20.0)
    ends.ask("lease", "no driver", kill_at=5.0)

    assert ends.ended_by == "stop"
    assert ends.due_at() == 5.0
    ends.ask("lease", "no driver", kill_at=50.0)
    assert ends.due_at() == 5.0


@pytest.mark.parametrize(
    ("word", "age_s", "expired"),
    [
        ("driver", 601.0, True),
        ("driver", 599.0, False),
        ("detached", 1e9, False),
        ("detached\n", 1e9, False),
    ],
)
def test_a_lease_of_a_driver_runs_out_and_that_of_a_detached_run_never(
    word: str, age_s: float, expired: bool
) -> None:
    assert has_expired(word, age_s, 600.0) == expired


@pytest.mark.parametrize(
    ("child", "ended_by", "is_signalled", "code"),
    [
        (0, None, False, 0),
        (3, None, False, 3),
        (None, None, True, 1),
        (None, "timeout", True, 1),
        (0, "stop", False, 0),
        (None, "claimed", False, 0),
        (None, "environment", False, 78),
        (None, "spot", True, 75),
        (75, None, False, 1),
        (78, None, False, 1),
        (None, "stop", False, 1),
    ],
)
def test_the_engine_is_told(
    child: int | None, ended_by: str | None, is_signalled: bool, code: int
) -> None:
    assert exit_code_of(child, ended_by, is_signalled) == code


@pytest.mark.parametrize(
    ("ended_by", "number", "oom_kills", "taken_back"),
    [
        ("stop", None, 0, True),
        (None, signal.SIGKILL, 0, True),
        (None, signal.SIGKILL, 1, False),
        (None, signal.SIGSEGV, 0, False),
        (None, None, 0, False),
        ("timeout", signal.SIGTERM, 0, False),
    ],
)
def test_after_a_spot_notice_only_an_end_from_outside_is_put_down_to_it(
    ended_by: str | None, number: int | None, oom_kills: int, taken_back: bool
) -> None:
    ending = Ending(Place("job", 0, 1), {})
    ending.ended_by, ending.signal, ending.oom_kills = ended_by, number, oom_kills

    assert is_taken_back(ending) == taken_back
