"""What is printed is gathered into segments, none lost and none too large."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from swell.bootstrap.log_feed import NOTICE, SEGMENT_BYTES, STREAMS, LogFeed

PIECES = st.lists(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(min_size=1, max_size=40)),
    max_size=20,
)


def frames(segments: list[bytes]) -> list[tuple[int, float, bytes]]:
    found = []
    for segment in segments:
        at = 0
        while at < len(segment):
            stream, when, length = struct.unpack_from("<BdI", segment, at)
            found.append((stream, when, segment[at + 13 : at + 13 + length]))
            at += 13 + length
    return found


@given(PIECES)
def test_every_byte_stands_in_a_frame_with_its_stream_and_time(
    pieces: list[tuple[str, bytes]],
) -> None:
    feed = LogFeed(1_000_000)
    for at, (stream, data) in enumerate(pieces):
        feed.add(stream, data, float(at))
    feed.end()

    assert frames(feed.take()) == [
        (STREAMS[stream], float(at), data) for at, (stream, data) in enumerate(pieces)
    ]
    assert feed.ends == {
        stream: sum(len(data) for name, data in pieces if name == stream)
        for stream in ("stdout", "stderr")
    }
    assert feed.take() == []


def test_a_segment_is_due_after_its_time_or_at_its_size() -> None:
    feed = LogFeed(1 << 30)
    assert feed.due_at(3.0) is None

    feed.add("stdout", b"x", 100.0)
    feed.add("stdout", b"x", 101.0)
    assert feed.due_at(3.0) == 103.0

    feed.add("stdout", b"x" * SEGMENT_BYTES, 102.0)
    assert feed.due_at(3.0) == 100.0


def test_much_output_makes_several_segments() -> None:
    feed = LogFeed(1 << 30)
    for _ in range(40):
        feed.add("stdout", b"x" * (1 << 16), 0.0)

    segments = feed.take()

    assert len(segments) == 3
    assert max(map(len, segments)) < SEGMENT_BYTES * 1.1


def test_what_is_left_out_is_told_by_a_notice_in_the_stream() -> None:
    feed = LogFeed(100)
    for number in range(100):
        feed.add("stderr", b"line %02d\n" % number, float(number))
    feed.end()

    found = frames(feed.take())

    notices = [data for stream, _, data in found if stream == STREAMS["stderr"] | NOTICE]
    assert [b"longer than" in notices[0], b"left out here" in notices[1]] == [True, True]
    assert found[-1][2] == b"line 99\n"
