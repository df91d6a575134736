"""Whose output is whose in a process that many tasks share, and whose its end."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.compute.pack_in_flight import MarkedStream, PackInFlight
from swell.compute.packed import MemberEnd
from swell.model.cause import Evidence
from swell.model.ids import JobId
from swell.model.job import Inputs, JobState, JobUpdate, Launch, Member, Pack
from swell.model.record import Usage

MARK = b"\x00mark\x01"
KILLED = Evidence(signal=9)


def flight(members: int = 4) -> PackInFlight:
    jobs = [Member(JobId(str(n), 0), ()) for n in range(members)]
    common = Launch(jobs[0].job, "work", attempts=1, inputs=Inputs())
    return PackInFlight(Pack(common, (Inputs(),), tuple(jobs), 2.0), MARK)


def framed(end: MemberEnd) -> bytes:
    body = msgspec.msgpack.encode(end)
    return len(body).to_bytes(4, "little") + body


def end(number: int) -> bytes:
    used = Usage(peak_memory_mb=10.0, cpu_s=0.5)
    return framed(MemberEnd(float(number), number + 0.5, b"result %d" % number, used))


def states(updates: list[JobUpdate]) -> list[tuple[str, JobState]]:
    return [(one.job.task, one.state) for one in updates]


def by_member(pieces: list[tuple[int, bytes]]) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for member, data in pieces:
        found[member] = found.get(member, b"") + data
    return found


@given(
    st.lists(st.binary(max_size=12) | st.sampled_from([b"\x00", b"\x00ma", b"a\x00mark"])),
    st.data(),
)
def test_output_goes_to_the_member_that_printed_it_however_it_is_cut(
    outputs: list[bytes], data: st.DataObject
) -> None:
    outputs = [one for one in outputs if MARK not in one]
    whole = b"".join(one + MARK for one in outputs)
    if whole.count(MARK) != len(outputs):
        return  # two pieces happen to make a mark together
    stream = MarkedStream(MARK)
    pieces: list[tuple[int, bytes]] = []
    while whole:
        size = data.draw(st.integers(1, len(whole)))
        pieces += stream.take(whole[:size])
        whole = whole[size:]
    pieces += stream.rest()
    assert by_member(pieces) == {n: one for n, one in enumerate(outputs) if one}
    assert stream.member == len(outputs)


def test_what_a_crash_cut_off_in_a_mark_is_told_as_it_is() -> None:
    stream = MarkedStream(MARK)
    assert stream.take(b"half\x00ma") == [(0, b"half")]
    assert stream.rest() == [(0, b"\x00ma")]


def test_results_are_the_members_ends_in_their_order_however_they_are_cut() -> None:
    one = flight()
    data = end(0) + end(1)
    first = one.take_results(data[:-3], pid=7)
    second = one.take_results(data[-3:], pid=7)
    assert states(first) == [("0", JobState.EXITED)]
    assert states(second) == [("1", JobState.EXITED)]
    assert (second[0].result, second[0].began_at, second[0].pid) == (b"result 1", 1.0, 7)


def test_a_crash_costs_the_member_that_ran_and_returns_those_behind_it() -> None:
    one = flight()
    one.take_results(end(0), pid=7)
    left = one.leave(9.0, KILLED, Usage(cpu_s=2.0), begun=1, ended_well=False)
    assert states(left) == [
        ("1", JobState.EXITED),
        ("2", JobState.RETURNED),
        ("3", JobState.RETURNED),
    ]
    assert left[0].evidence == KILLED
    assert left[0].usage is not None
    assert left[0].usage.cpu_s == 1.5, "without what the others used"


def test_what_did_not_fit_into_the_time_is_returned() -> None:
    one = flight()
    one.take_results(end(0), pid=7)
    left = one.leave(9.0, Evidence(exit_code=0), Usage(), begun=0, ended_well=True)
    assert states(left) == [(str(n), JobState.RETURNED) for n in (1, 2, 3)]


def test_a_process_that_ended_before_anything_began_counts_against_the_first_member() -> None:
    """Else it would be tried again for ever."""
    left = flight(2).leave(9.0, KILLED, Usage(), begun=None, ended_well=False)
    assert states(left) == [("0", JobState.EXITED), ("1", JobState.RETURNED)]


def test_a_crash_between_two_members_costs_nobody() -> None:
    one = flight(3)
    one.take_results(end(0), pid=7)
    left = one.leave(9.0, KILLED, Usage(), begun=0, ended_well=False)
    assert states(left) == [("1", JobState.RETURNED), ("2", JobState.RETURNED)]


def test_a_member_that_began_as_another_one_was_timed_out_is_not_to_blame() -> None:
    one = flight(3)
    one.overdue = 0
    one.take_results(end(0), pid=7)
    left = one.leave(9.0, Evidence(ended_by="timeout"), Usage(), begun=1, ended_well=False)
    assert states(left) == [("1", JobState.RETURNED), ("2", JobState.RETURNED)]


@pytest.mark.parametrize(("asked", "state"), [("1", JobState.EXITED), ("2", JobState.RETURNED)])
def test_a_request_to_end_is_for_the_members_that_were_meant(asked: str, state: JobState) -> None:
    one = flight(3)
    one.take_results(end(0), pid=7)
    one.asked_to_end([JobId(asked, 0)])
    left = one.leave(9.0, Evidence(ended_by="cancel"), Usage(), begun=1, ended_well=False)
    assert states(left) == [("1", state), ("2", JobState.RETURNED)]


def test_a_member_is_announced_once() -> None:
    one = flight()
    assert states(one.announce(0, 1.0, 7)) == [("0", JobState.RUNNING)]
    assert one.announce(0, 1.0, 7) == []
