"""The log of a run: what was appended is read back, whatever happened to its writer."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.datastore.log_format import SEGMENT_HEAD, segment_numbers, segment_path
from swell.datastore.logs import LogReader, LogWriter, log_folder


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return log_folder(str(tmp_path), "Flow", "1")


def texts(reader: LogReader, *wanted: object) -> list[bytes]:
    return [line.text for line in reader.lines(*wanted)]  # type: ignore[arg-type]  # test shorthand


def test_lines_come_back_with_their_time_and_stream(folder):
    writer = LogWriter(folder)
    writer.append("1", 0, "stdout", b"hello\nwor", 10.0)
    writer.append("1", 0, "stderr", b"careful\n", 11.0)
    writer.append("1", 0, "stdout", b"ld\n", 12.0)
    lines = list(LogReader(folder).lines("1"))
    assert [(x.at, x.stream, x.text) for x in lines] == [
        (10.0, "stdout", b"hello"),
        (11.0, "stderr", b"careful"),
        (12.0, "stdout", b"world"),
    ]


def test_a_task_attempt_or_stream_is_read_alone(folder):
    writer = LogWriter(folder)
    for task in ("1", "2"):
        for attempt in (0, 1):
            for stream in ("stdout", "stderr", "system"):
                text = f"{task} {attempt} {stream}\n".encode()
                writer.append(task, attempt, stream, text, 1.0)
    reader = LogReader(folder)
    assert texts(reader, "2", 1, "stderr") == [b"2 1 stderr"]
    assert texts(reader, "1", 0) == [b"1 0 stdout", b"1 0 stderr", b"1 0 system"]
    assert len(texts(reader)) == 12
    assert reader.tasks() == ["1", "2"]
    assert reader.attempts("2") == [0, 1]
    assert reader.size("2", 1, "stderr") == len(b"2 1 stderr\n")


def test_nothing_is_written_while_no_task_prints(folder):
    writer = LogWriter(folder)
    writer.append("1", 0, "stdout", b"", 1.0)
    writer.end("1", 0)
    writer.close()
    assert not os.path.exists(folder)
    assert texts(LogReader(folder), "1") == []


def test_carriage_returns_stay_in_the_store(folder):
    writer = LogWriter(folder)
    writer.append("1", 0, "stderr", b"10%\r20%\r100%\n", 1.0)
    assert texts(LogReader(folder), "1") == [b"10%\r20%\r100%"]
    assert LogReader(folder).read("1") == b"10%\r20%\r100%\n"


def test_a_last_line_without_a_newline_is_given_before_the_end_of_its_attempt(folder):
    writer = LogWriter(folder)
    writer.append("1", 0, "stdout", b"no newline", 1.0)
    writer.append("1", 0, "system", b"failed\n", 2.0)
    writer.append("1", 1, "stdout", b"again", 3.0)
    assert texts(LogReader(folder), "1") == [b"no newline", b"failed", b"again"]


@given(
    pieces=st.lists(
        st.tuples(
            st.sampled_from(["1", "2", "10_node_1"]),
            st.integers(0, 2),
            st.sampled_from(["stdout", "stderr"]),
            st.binary(max_size=200),
        ),
        max_size=60,
    ),
    segment_bytes=st.sampled_from([64, 500, 1 << 20]),
    closed=st.booleans(),
)
def test_every_stream_is_read_byte_for_byte_over_any_number_of_segments(
    tmp_path_factory, pieces, segment_bytes, closed
):
    folder = str(tmp_path_factory.mktemp("log"))
    writer = LogWriter(folder, segment_bytes=segment_bytes)
    expected: dict[tuple[str, int, str], bytes] = {}
    for at, (task, attempt, stream, data) in enumerate(pieces):
        writer.append(task, attempt, stream, data, float(at))
        key = (task, attempt, stream)
        expected[key] = expected.get(key, b"") + data
    if closed:
        writer.close()
    reader = LogReader(folder)
    for key, data in expected.items():
        assert reader.read(*key) == data
        assert reader.size(*key) == len(data)
        lines = data.split(b"\n")
        assert texts(reader, *key) == (lines if lines[-1] else lines[:-1])
    assert reader.is_closed() == (closed and any(expected.values()))
    writer.close()


def test_a_torn_last_frame_is_ignored_and_what_was_before_it_is_read(folder):
    writer = LogWriter(folder)
    writer.append("1", 0, "stdout", b"whole\n", 1.0)
    whole = os.path.getsize(segment_path(folder, 1))
    writer.append("1", 0, "stdout", b"torn\n", 2.0)
    full = os.path.getsize(segment_path(folder, 1))
    for size in range(whole, full):
        os.truncate(segment_path(folder, 1), size)
        assert texts(LogReader(folder), "1") == [b"whole"]
        with open(segment_path(folder, 1), "ab") as file:
            file.write(bytes(full - size))
        assert texts(LogReader(folder), "1") == [b"whole"]


def test_a_segment_whose_index_was_torn_is_still_read(folder):
    writer = LogWriter(folder)
    writer.append("1", 0, "stdout", b"line\n", 1.0)
    writer.close()
    path = segment_path(folder, 1)
    os.truncate(path, os.path.getsize(path) - 3)
    reader = LogReader(folder)
    assert texts(reader, "1") == [b"line"]
    assert not reader.is_closed()


def test_a_segment_that_holds_only_its_head_or_less_is_empty(folder):
    os.makedirs(folder)
    for number, size in enumerate((0, 5, len(SEGMENT_HEAD)), start=1):
        Path(segment_path(folder, number)).write_bytes(SEGMENT_HEAD[:size])
    assert texts(LogReader(folder)) == []


def test_what_a_killed_writer_appended_is_there_and_a_new_writer_goes_on_behind_it(folder):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        writer = LogWriter(folder)
        for number in range(100):
            writer.append("1", 0, "stdout", b"line %d\n" % number, 1.0)
        os.write(writing, b"x")
        signal.pause()
    assert os.read(reading, 1) == b"x"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reading)
    os.close(writing)
    assert texts(LogReader(folder), "1") == [b"line %d" % n for n in range(100)]
    writer = LogWriter(folder)
    writer.append("1", 1, "stdout", b"next\n", 2.0)
    assert texts(LogReader(folder), "1", 1) == [b"next"]
    assert len(segment_numbers(folder)) == 2


def test_a_reader_follows_a_writer_over_segments(folder):
    writer = LogWriter(folder, segment_bytes=300)
    tail = LogReader(folder).follow("1")
    seen: list[bytes] = []
    for number in range(50):
        writer.append("1", 0, "stdout", b"line %d\nbegun" % number, 1.0)
        writer.append("2", 0, "stdout", b"other\n", 1.0)
        seen += [line.text for line in tail.poll()]
        assert len(seen) == number + 1
    assert not tail.closed
    writer.close()
    assert list(tail.poll()) == []
    assert tail.closed
    assert [line.text for line in tail.rest()] == [b"begun"]
    assert seen == [b"line 0"] + [b"begunline %d" % n for n in range(1, 50)]


def test_over_the_limit_head_and_tail_stay_with_words_between(folder):
    writer = LogWriter(folder, max_bytes=10_000)
    for number in range(5000):
        writer.append("1", 0, "stdout", b"%07d\n" % number, number / 100)
    writer.append("1", 0, "stderr", b"short\n", 60.0)
    writer.end("1", 0)
    lines = texts(LogReader(folder), "1", 0, "stdout")
    numbers = [int(text) for text in lines if text.isdigit()]
    notices = [text.decode() for text in lines if not text.isdigit()]
    head = [n for n in numbers if n < 2500]
    tail = [n for n in numbers if n >= 2500]
    assert head == list(range(9_000 // 8))
    assert tail == list(range(5000 - len(tail), 5000))
    assert 100 <= len(tail) <= 125
    assert lines[: len(head)] == [b"%07d" % n for n in head]
    assert len(notices) == 2
    assert "--max-log-size" in notices[0]
    assert "left out here" in notices[1]
    assert texts(LogReader(folder), "1", 0, "stderr") == [b"short"]


def test_a_stream_just_under_the_limit_is_kept_whole(folder):
    writer = LogWriter(folder, max_bytes=1000)
    data = b"".join(b"%03d\n" % n for n in range(250))
    writer.append("1", 0, "stdout", data, 1.0)
    writer.end("1", 0)
    assert LogReader(folder).read("1") == data


def test_one_endless_line_is_cut_too(folder):
    writer = LogWriter(folder, max_bytes=1000)
    for _ in range(100):
        writer.append("1", 0, "stdout", b"x" * 100, 1.0)
    writer.end("1", 0)
    assert LogReader(folder).size("1") < 1400


def test_the_held_back_tail_of_a_killed_writer_is_lost_and_the_head_is_not(folder):
    writer = LogWriter(folder, max_bytes=1000)
    for number in range(1000):
        writer.append("1", 0, "stdout", b"%03d\n" % number, 1.0)
    lines = texts(LogReader(folder), "1")
    assert lines[:225] == [b"%03d" % n for n in range(225)]
    assert b"left out" in lines[225]


@pytest.mark.parametrize("closed", [True, False])
def test_scrubbing_removes_one_stream_of_one_attempt_and_nothing_else(folder, closed):
    writer = LogWriter(folder, segment_bytes=200)
    for number in range(20):
        writer.append("1", 0, "stdout", b"secret %d\n" % number, 1.0)
        writer.append("1", 0, "stderr", b"open %d\n" % number, 1.0)
        writer.append("2", 0, "stdout", b"other %d\n" % number, 1.0)
    writer.append("1", 0, "system", b"ended\n", 2.0)
    if closed:
        writer.close()
    reader = LogReader(folder)
    assert reader.scrub("1", 0, "stdout") == 20
    assert texts(reader, "1", 0, "stdout") == [b"[scrubbed]"]
    assert LogReader(folder).read("1", 0, "stdout") == b"[scrubbed]\n"
    assert texts(reader, "1", 0, "stderr") == [b"open %d" % n for n in range(20)]
    assert texts(reader, "2") == [b"other %d" % n for n in range(20)]
    assert texts(reader, "1", 0, "system") == [b"ended"]
    stored = b"".join(Path(folder, name).read_bytes() for name in os.listdir(folder))
    assert b"secret" not in stored


def test_a_writer_goes_on_after_its_open_segment_was_scrubbed(folder):
    writer = LogWriter(folder)
    writer.append("1", 0, "stdout", b"secret\n", 1.0)
    LogReader(folder).scrub("1")
    writer.append("1", 0, "stdout", b"later\n", 2.0)
    writer.close()
    assert texts(LogReader(folder), "1") == [b"[scrubbed]", b"later"]


def test_one_task_of_many_is_read_from_its_own_segments_alone(folder):
    writer = LogWriter(folder, segment_bytes=2000)
    for task in range(500):
        writer.append(str(task), 0, "stdout", b"%090d\n" % task, 1.0)
    writer.close()
    for number in segment_numbers(folder):
        path = Path(segment_path(folder, number))
        data = path.read_bytes()
        if b"%090d" % 77 not in data:
            # Whoever read a frame here would read zeros.
            path.write_bytes(data[:16] + bytes(1900) + data[1916:])
    assert texts(LogReader(folder), "77") == [b"%090d" % 77]
