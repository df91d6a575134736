"""Previews: short, on one line, for anything, without running the user's code."""

from __future__ import annotations

import collections
import datetime
import enum
from dataclasses import dataclass
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.datastore.previews import preview
from swell.datastore.short_texts import LINE_CHARS, type_name


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


Pair = collections.namedtuple("Pair", "left right")


@dataclass
class Config:
    rate: float
    names: list[str]


class Hostile:
    def __init__(self) -> None:
        self.inner = self

    def __repr__(self) -> str:
        raise AssertionError("a preview must not call this")

    __str__ = __repr__


class BadShape:
    @property
    def shape(self) -> object:
        raise RuntimeError("broken")


CASES = [
    (1, "1"),
    (True, "True"),
    (None, "None"),
    (1.5, "1.5"),
    ("text\n", "'text\\n'"),
    (b"ab", "b'ab'"),
    ([], "[]"),
    ((), "()"),
    ((1,), "(1,)"),
    (set(), "set()"),
    ({"a": [1, 2]}, "{'a': [1, 2]}"),
    (list(range(1000)), "[0, 1, 2, 3, 4, 5, 6, 7, … 1,000 items]"),
    (Color.RED, "Color.RED"),
    (Level.HIGH, "Level.HIGH"),
    (Pair(1, "b"), "Pair(left=1, right='b')"),
    (Config(0.5, ["a"]), "Config(rate=0.5, names=['a'])"),
    (collections.Counter(a=2), "Counter({'a': 2})"),
    (Path("/tmp/x"), "PosixPath('/tmp/x')"),
    (datetime.date(2020, 1, 2), "datetime.date(2020, 1, 2)"),
    (ValueError("no"), "ValueError('no')"),
    (numpy.float64(1.5), "float64(1.5)"),
    (10**5000, "<int of 16,610 bits>"),
]


@pytest.mark.parametrize(("value", "text"), CASES, ids=[text for _, text in CASES])
def test_a_value_is_shown_as(value, text):
    assert preview(value) == text


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "int"),
        (None, "NoneType"),
        (numpy.zeros(1), "numpy.ndarray"),
        (Path(), "pathlib.PosixPath"),
        (collections.OrderedDict(), "collections.OrderedDict"),
        (Color.RED, f"{__name__}.Color"),
    ],
)
def test_a_type_has_its_dotted_name(value, name):
    assert type_name(value) == name


@given(
    st.recursive(
        st.integers() | st.text() | st.floats() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    )
)
def test_a_preview_is_short_and_on_one_line(value):
    text = preview(value)
    assert len(text) <= LINE_CHARS
    assert "\n" not in text


def test_code_of_the_user_is_not_run_and_cycles_end():
    cyclic: list[object] = []
    cyclic.append(cyclic)
    assert preview(cyclic) == "[[[[… 1 items]]]]"
    assert "Hostile" in preview(Hostile())
    assert preview(BadShape()) == f"<{__name__}.BadShape>"


def test_only_the_first_items_of_a_huge_container_are_looked_at():
    looked: list[int] = []

    class Watched(list):  # type: ignore[type-arg]  # a list that tells
        def __iter__(self):
            for number in range(10**9):
                looked.append(number)
                yield number

    assert "…" in preview({"x": Watched([1] * 100)})
    assert len(looked) < 20
