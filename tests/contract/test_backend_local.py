"""This machine's processes keep the promises of a backend, forked and fresh."""

from __future__ import annotations

import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from swell.compute.channel import SetUp
from swell.compute.keeper import fork_keeper
from swell.compute.keeper_link import KeeperEnds, KeeperLink, open_link, spawn_cold_keeper
from swell.compute.local import LocalBackend
from swell.compute.packed import RunLaunch
from swell.model.cause import Cause, find_cause
from swell.model.job import Inputs, JobState, Launch, Member, Pack
from swell.seams.backend import Backend
from swell.testing.backend_contract import DEADLINE_S, ENDS, BackendContract, Reports, launch
from swell.testing.contract_attempt import act

ATTEMPT = Path(__file__).with_name("backend_attempt.py")


def prepare(context: bytes) -> RunLaunch:
    def attempt(launch: Launch, alive: Callable[[], None]) -> bytes:
        alive()
        return act(launch.step)

    return attempt


def fork(ends: KeeperEnds) -> int:
    return fork_keeper(
        ends.control,
        ends.lanes,
        ends.life,
        prepare,
        attempt_variable="SWELL_ATTEMPT",
        driver_ends=ends.driver_ends,
    )


def open_cold() -> KeeperLink:
    return open_link(lambda ends: spawn_cold_keeper(ends, attempt_variable="SWELL_ATTEMPT"))


class HeldPoll:
    """As ``select.poll``; once ``hold`` is called the next ``poll`` waits for ``let_go``, and
    then tells of what is ready among all that was registered when it began."""

    def __init__(self) -> None:
        self._real = _poll()
        self._fds: set[int] = set()
        self._is_held = False
        self._is_let_go = threading.Event()
        self.began: list[int] = []
        self.has_begun = threading.Event()

    def register(self, fd: int, events: int) -> None:
        self._fds.add(fd)
        self._real.register(fd, events)

    def modify(self, fd: int, events: int) -> None:
        self._real.modify(fd, events)

    def unregister(self, fd: int) -> None:
        self._fds.discard(fd)
        self._real.unregister(fd)

    def poll(self, timeout_ms: float) -> list[tuple[int, int]]:
        if not self._is_held:
            return self._real.poll(timeout_ms)
        self._is_held = False
        self.began = sorted(self._fds)
        self.has_begun.set()
        assert self._is_let_go.wait(DEADLINE_S)
        ready = _poll()
        for fd in self.began:
            ready.register(fd, select.POLLIN)
        return ready.poll(0)

    def hold(self) -> None:
        self._is_held = True
        assert self.has_begun.wait(DEADLINE_S)

    def let_go(self) -> None:
        self._is_let_go.set()


_poll = select.poll


class TestLocalBackend(BackendContract):
    @pytest.fixture(params=["fork", "fresh"])
    def backend(self, request: pytest.FixtureRequest) -> Backend:
        is_fresh = request.param == "fresh"
        return LocalBackend(
            open_cold() if is_fresh else open_link(fork),
            SetUp(b"", (sys.executable, str(ATTEMPT))),
            lambda output: None,
            fresh=is_fresh,
            open_cold_keeper=open_cold,
        )

    @pytest.mark.parametrize("turn", range(5))
    def test_an_attempt_hears_a_polite_request_however_early_it_comes(
        self, backend: Backend, reports: Reports, turn: int
    ) -> None:
        one = launch(1, "hang")
        backend.submit([one])
        reports.wait_for(one.job, JobState.RUNNING)
        backend.cancel([one.job], "a test")

        end = reports.wait_for(one.job, *ENDS)

        backend.close()
        assert end.evidence is not None
        assert end.evidence.signal == signal.SIGTERM

    def test_a_forked_attempt_that_gives_no_sign_of_life_is_run_afresh(self) -> None:
        """A child may hang in a lock it inherited; nothing of the step has run then."""

        def never_alive(context: bytes) -> RunLaunch:
            return lambda launch, alive: act("hang")

        def fork_hanging(ends: KeeperEnds) -> int:
            return fork_keeper(
                ends.control,
                ends.lanes,
                ends.life,
                never_alive,
                attempt_variable="SWELL_ATTEMPT",
                driver_ends=ends.driver_ends,
            )

        backend = LocalBackend(
            open_link(fork_hanging),
            SetUp(b"", (sys.executable, str(ATTEMPT))),
            lambda output: None,
            fresh=False,
            open_cold_keeper=open_cold,
        )
        reports = Reports()
        backend.start(reports.take)
        one = launch(1, "ok")
        backend.submit([one])

        end = reports.wait_for(one.job, *ENDS)

        backend.close()
        assert end.result is not None

    def test_a_step_that_needs_a_fresh_interpreter_where_there_is_no_script_says_so(self) -> None:
        backend = LocalBackend(
            open_cold(), SetUp(b"", ()), lambda output: None, fresh=True, open_cold_keeper=open_cold
        )
        reports = Reports()
        backend.start(reports.take)
        one = launch(1, "ok")
        backend.submit([one])

        end = reports.wait_for(one.job, *ENDS)

        backend.close()
        assert end.evidence is not None
        finding = find_cause(end.evidence)
        assert finding.cause is Cause.UNKNOWN
        assert "fresh interpreter" in finding.sentence

    def test_a_poll_that_began_before_a_pack_does_not_take_what_the_pack_leaves(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A lane that was free is in the kernel's list of a poll that still waits."""
        link = open_link(fork)
        monkeypatch.setattr(select, "poll", HeldPoll)
        backend = LocalBackend(
            link, SetUp(b"", ()), lambda output: None, fresh=False, open_cold_keeper=open_cold
        )
        monkeypatch.undo()
        poll = backend._poller
        assert isinstance(poll, HeldPoll)
        reports = Reports()
        backend.start(reports.take)
        before = launch(1, "ok")
        backend.submit([before])
        reports.wait_for(before.job, *ENDS)
        poll.hold()
        members = [launch(number, "ok").job for number in (2, 3, 4)]
        pack = Pack(before, (Inputs(),), tuple(Member(job, ()) for job in members), 60.0)

        backend.submit_pack(pack)
        for fd in backend._flights[0].lane.fds:
            assert select.select([fd], [], [], DEADLINE_S)[0], "the pack has left something"
            assert fd in poll.began
        poll.let_go()

        ends = [reports.wait_for(job, *ENDS) for job in members]
        backend.close()
        assert [end.result is not None for end in ends] == [True, True, True]
