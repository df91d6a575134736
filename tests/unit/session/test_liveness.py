"""A run whose driver was killed is not taken for one that runs."""

from __future__ import annotations

import os

import msgspec

from swell.model.facts import RunFact, RunStatus
from swell.model.ids import RunId
from swell.session.liveness import SILENCE_S, is_lost, process_start

RUN = RunFact(
    RunId("SumFlow", 1),
    user="ann",
    created_at=1000.0,
    script="",
    system_tags=frozenset(),
    user_tags=frozenset(),
    status=RunStatus.RUNNING,
    heartbeat_at=1010.0,
    host="here",
    pid=77,
)


def test_a_driver_whose_process_is_there_works_however_silent_it_is() -> None:
    assert not is_lost(RUN, now=9e9, host="here", start_of=lambda pid: 999.0)


def test_a_driver_without_a_process_is_lost_at_once() -> None:
    assert is_lost(RUN, now=1011.0, host="here", start_of=lambda pid: None)


def test_a_younger_process_of_the_same_number_is_not_the_driver() -> None:
    assert is_lost(RUN, now=1011.0, host="here", start_of=lambda pid: 1500.0)


def test_a_driver_on_another_machine_is_lost_when_it_is_silent_for_long() -> None:
    def unseen(pid: int) -> float | None:
        raise AssertionError("a process of another machine cannot be looked at")

    assert not is_lost(RUN, now=1010.0 + SILENCE_S, host="there", start_of=unseen)
    assert is_lost(RUN, now=1011.0 + SILENCE_S, host="there", start_of=unseen)


def test_a_run_that_ended_is_never_lost() -> None:
    for status in (RunStatus.DONE, RunStatus.FAILED, RunStatus.INTERRUPTED):
        ended = msgspec.structs.replace(RUN, status=status)
        assert not is_lost(ended, now=9e9, host="here", start_of=lambda pid: None)


def test_the_start_of_a_process_is_read_from_the_system() -> None:
    own = process_start(os.getpid())

    assert own is not None
    assert own > 1_000_000_000
    assert process_start(2**22 + 1) is None
