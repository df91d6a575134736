"""Lines of a file that is being written come once each, whole."""

from __future__ import annotations

from pathlib import Path

from swell.programs.tail import LineTail


def test_a_line_comes_when_it_has_ended_and_only_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    tail = LineTail(str(path))
    assert list(tail.read()) == [(4, "one")]
    assert list(tail.read()) == []
    path.write_bytes(b"one\ntwo\r\nthr")
    assert list(tail.read()) == [(9, "two")]
    assert list(tail.read(is_whole=True)) == [(12, "thr")]
    assert list(tail.read(is_whole=True)) == []


def test_a_position_counts_bytes_and_is_where_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("é\nb\n", encoding="utf-8")
    ((position, _), *_) = LineTail(str(path)).read()
    assert position == 3
    assert list(LineTail(str(path), position).read()) == [(5, "b")]


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\n")
    assert [line for _, line in LineTail(str(path)).read()] == ["\ufffd"]


def test_a_file_that_was_removed_has_no_lines(tmp_path: Path) -> None:
    assert list(LineTail(str(tmp_path / "nothing")).read(is_whole=True)) == []
