"""Tables on narrow and wide terminals."""

from __future__ import annotations

from swell.cli.tables import WIDE, Cell, Column, cut, one_line, shown_width, table_lines

COLUMNS = [Column("name", may_be_cut=True), Column("size", is_number=True), Column("value")]


def test_numbers_stand_to_the_right_and_text_to_the_left() -> None:
    lines = table_lines(COLUMNS, [["a", "5 B", "1"], ["long name", "12.0 kB", "2"]], WIDE)

    assert lines == [
        "name          size  value",
        "a              5 B  1",
        "long name  12.0 kB  2",
    ]


def test_a_line_that_is_too_long_is_cut_where_a_column_allows_it() -> None:
    lines = table_lines(COLUMNS, [["a rather long name", "5 B", "abc"]], 25)

    assert lines[1] == "a rather lo…   5 B  abc"
    assert all(shown_width(line) <= 25 for line in lines)


def test_no_column_is_cut_below_its_title_or_what_can_be_recognised() -> None:
    lines = table_lines(COLUMNS, [["a rather long name", "5 B", "abc"]], 3)

    assert lines[1].startswith("a rathe…")


def test_wide_characters_take_two_columns_and_accents_none() -> None:
    lines = table_lines(COLUMNS, [["日本", "1 B", "x"], ["e\u0301", "2 B", "y"]], WIDE)

    assert shown_width("日本") == 4
    assert [line.index(value) for line, value in zip(lines[1:], "xy", strict=True)] == [10, 13]


def test_colours_do_not_move_columns() -> None:
    def red(text: str) -> str:
        return f"\033[31m{text}\033[0m"

    plain = table_lines(COLUMNS, [["a", "5 B", "1"]], WIDE)
    coloured = table_lines(COLUMNS, [[Cell("a", red), Cell("5 B", red), "1"]], WIDE)

    assert coloured[1].replace("\033[31m", "").replace("\033[0m", "") == plain[1]
    assert coloured[1].count("\033[31m") == 2


def test_control_characters_of_a_value_never_reach_the_terminal() -> None:
    assert one_line("a\nb\x1b[31mc") == "a b\N{REPLACEMENT CHARACTER}[31mc"
    assert table_lines([Column("x")], [["a\x1b[2J"]], WIDE)[1] == "a\N{REPLACEMENT CHARACTER}[2J"


def test_text_is_cut_by_what_it_shows() -> None:
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 4) == "abc…"
    assert cut("日本語日本語", 6) == "日本…"
