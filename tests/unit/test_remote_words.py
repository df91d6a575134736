"""Packs, keys and notes between a driver and attempts elsewhere."""

from __future__ import annotations

import struct

import pytest

from swell.errors import InternalError
from swell.model.ids import JobId
from swell.model.job import Inputs, Launch
from swell.model.record import Usage
from swell.model.remote import (
    EndNote,
    News,
    RunKeys,
    join_member,
    pack_submission,
    parse_end,
    parse_log,
    parse_news,
    unpack_submission,
)


def launches(count: int) -> list[Launch]:
    one, other = Inputs(("start/1",), (b"x" * 5000,)), Inputs(("start/2",), (b"y",))
    return [
        Launch(JobId(str(n), 0), "work", 1, one if n % 2 else other, rounds=(n,))
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_a_pack_gives_back_its_launches_and_holds_shared_inputs_once(count):
    packed = b"".join(pack_submission(launches(count)))
    assert unpack_submission(packed) == launches(count)
    assert packed.count(b"x" * 5000) == (1 if count > 1 else 0)


def test_a_member_is_read_with_two_ranges_of_the_pack():
    packed = b"".join(pack_submission(launches(10)))
    _, version, members, shared = struct.unpack_from("<8sIII", packed)
    offsets = struct.unpack_from(f"<{members + shared + 1}Q", packed, 20)
    assert (version, members, shared) == (1, 10, 2)
    member = packed[offsets[3] : offsets[4]]
    part = members + struct.unpack_from("<I", member)[0]
    assert join_member(member, packed[offsets[part] : offsets[part + 1]]) == launches(10)[3]


@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: b"other---" + p[8:], lambda p: b""])
def test_a_damaged_pack_is_refused(change):
    with pytest.raises(InternalError, match="pack of a submission"):
        unpack_submission(change(b"".join(pack_submission(launches(2)))))


def test_news_are_read_from_their_keys_and_other_keys_are_passed_over():
    keys = RunKeys("runs/BigSum/15")
    key = f"{keys.news}0000000001500/log/swell-a-b/7/2/3"
    assert parse_news(key) == News(key, 1500, "log", "swell-a-b", 7, 2, 3)
    assert keys.news_since(1.0) < key < keys.news_since(2.0)
    assert keys.news_since(-5.0) == f"{keys.news}0000000000000"
    assert parse_news("runs/BigSum/15/news/x") is None
    assert parse_news(f"{keys.news}abc/log/name/7/2/3") is None


def test_an_end_has_a_note_and_perhaps_a_result():
    note, result = parse_end(b'{"exit_code": 1, "later": true}\n\x93binary\n')
    assert (note, result) == (EndNote(exit_code=1), b"\x93binary\n")
    assert parse_end(b'{"signal": 9}\n').result is None
    assert parse_end(b'{"started_at": null, "ended_at": 2.0}\n').note.started_at is None
    with pytest.raises(InternalError, match="the end of an attempt"):
        parse_end(b"not json")


def test_an_end_tells_what_the_attempt_used():
    line = b'{"peak_memory_mb": 81.5, "cpu_s": 2.5, "how": "largest process", "read_mb": 1.5, '
    line += b'"written_mb": 0.5, "memory_limit_mb": 4000.0}\n'
    assert parse_end(line).note.usage() == Usage(
        81.5, 2.5, "largest process", 1.5, 0.5, memory_limit_mb=4000
    )
    assert parse_end(b'{"ended_by": "claimed"}\n').note.usage() == Usage()


def test_log_frames_are_read_up_to_one_that_is_cut_off():
    frame = struct.pack("<BdI", 2, 1.5, 5) + b"hello"
    assert [tuple(one) for one in parse_log(frame + frame[:-1])] == [("stderr", 1.5, b"hello")]
