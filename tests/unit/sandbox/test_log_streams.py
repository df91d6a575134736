"""What jobs print is kept line by line until it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell.sandbox.log_streams import LogEvent, LogStreams, StreamName, in_batches

NAME = StreamName("/aws/batch/job", "definition/default/1a2b")


@pytest.fixture
def streams(tmp_path: Path) -> LogStreams:
    return LogStreams(tmp_path)


def test_a_line_counts_when_it_is_whole_and_has_the_time_at_which_it_was(streams):
    streams.write(NAME, b"one\ntw", 1_000)
    assert streams.take(NAME) == [LogEvent(1_000, "one")]
    assert streams.take(NAME) == []
    streams.write(NAME, b"o\r\n\nthree", 2_000)
    assert streams.take(NAME) == [LogEvent(2_000, "two")]
    streams.close(NAME, 3_000)
    assert streams.take(NAME) == [LogEvent(3_000, "three")]


def test_a_container_that_prints_nothing_has_an_empty_stream(streams):
    assert streams.take(NAME) is None
    streams.open(NAME)
    streams.close(NAME, 1)
    assert streams.take(NAME) == []


def test_pieces_of_lines_of_two_sources_are_not_mixed(streams):
    streams.write(NAME, b"out one\nout t", 1, source=0)
    streams.write(NAME, b"error o", 2, source=1)
    streams.write(NAME, b"wo\n", 3, source=0)
    streams.write(NAME, b"ne\nend of error", 4, source=1)
    streams.write(NAME, b"end of out", 5, source=0)
    streams.close(NAME, 6)
    assert [event.text for event in streams.take(NAME)] == [
        "out one", "out two", "error one", "end of out", "end of error"
    ]  # fmt: skip


def test_a_stream_that_is_dropped_is_as_if_it_never_was(streams):
    streams.write(NAME, b"said by the engine\n", 1)
    streams.drop(NAME)
    assert streams.take(NAME) is None
    assert streams.names(NAME.group) == []


def test_much_output_waits_on_the_disk_and_comes_whole(streams, tmp_path):
    for n in range(3_000):
        streams.write(NAME, b"line number %d\n" % n, n)
    assert any(path.stat().st_size for path in tmp_path.iterdir())
    streams.write(NAME, b"last\n", 9_999)
    events = streams.take(NAME)
    assert events[:-1] == [LogEvent(n, f"line number {n}") for n in range(3_000)]
    assert events[-1] == LogEvent(9_999, "last")
    streams.write(NAME, b"x" * 20_000 + b"\n", 10_000)
    assert [len(event.text) for event in streams.take(NAME)] == [20_000]


def test_a_line_without_an_end_is_split_where_docker_splits_it(streams):
    streams.write(NAME, b"y" * 600_000, 5)
    streams.write(NAME, b"z\n", 6)
    texts = [event.text for event in streams.take(NAME)]
    assert [len(text) for text in texts] == [262_118, 262_118, 600_001 - 2 * 262_118]
    assert "".join(texts) == "y" * 600_000 + "z"


def test_bytes_that_are_no_text_are_shown_as_far_as_they_are(streams):
    streams.write(NAME, b"caf\xe9 \xc3\xa9\n", 5)
    assert streams.take(NAME) == [LogEvent(5, "caf\ufffd é")]


def test_streams_are_found_by_group_and_prefix(streams):
    for name in (NAME, StreamName("/aws/batch/job", "other/1"), StreamName("mine", "other/1")):
        streams.open(name)
    assert streams.names("/aws/batch/job", "definition/") == [NAME]
    assert streams.names("mine") == [StreamName("mine", "other/1")]
    assert streams.groups() == ["/aws/batch/job", "mine"]


def test_batches_keep_to_the_limits_of_the_service():
    many = [LogEvent(1, "a")] * 10_001
    assert [len(batch) for batch in in_batches(many)] == [10_000, 1]
    large = [LogEvent(1, "é" * 100_000)] * 6
    assert [len(batch) for batch in in_batches(large)] == [5, 1]
    assert list(in_batches([])) == []
