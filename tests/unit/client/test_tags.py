"""Rules on tags."""

from __future__ import annotations

import pytest

from swell.client.tags import checked_tags, tags_to_add, tags_to_remove
from swell.errors import TaggingError

SYSTEM = frozenset({"user:ann"})


def test_one_tag_and_several_are_taken() -> None:
    assert checked_tags("a") == ("a",)
    assert checked_tags(iter(["a", "größe", "x" * 500])) == ("a", "größe", "x" * 500)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("", "this one has 0"),
        ("x" * 501, "this one has 501"),
        ("\ud800", r"\\ud800.*UTF-8"),
        (7, "of type int"),
    ],
)
def test_a_tag_that_breaks_a_rule_is_refused_with_the_rule(tag: object, words: str) -> None:
    with pytest.raises(TaggingError, match=words):
        checked_tags([tag])  # type: ignore[list-item]


def test_adding_a_system_tag_is_no_change() -> None:
    assert tags_to_add(["user:ann", "a"], SYSTEM) == ("a",)


def test_removing_a_system_tag_is_an_error() -> None:
    assert tags_to_remove(["a"], SYSTEM) == ("a",)
    with pytest.raises(TaggingError, match="'user:ann' is a system tag"):
        tags_to_remove(["a", "user:ann"], SYSTEM)
