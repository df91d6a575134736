"""Short texts without secrets: whole, cut, escaped; and what is not touched."""

from __future__ import annotations

import pytest

from swell.datastore.previews import preview
from swell.model.record import ArtifactRef
from swell.model.redaction import RUN_CHARS, credentials_in, previews_without

SECRET = "q7Xz-0pLmN4-vB2kTr9Y"


def told(value: object, *secrets: str) -> str:
    """The preview of ``value`` that is stored."""
    ref = ArtifactRef(b"", None, 1, type(value).__name__, preview(value))
    return previews_without({"x": ref}, secrets)["x"].preview


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (SECRET, "'***'"),
        (f"https://me:{SECRET}@host", "'https://me:***@host'"),
        ({"key": SECRET, "n": 1}, "{'key': '***', 'n': 1}"),
        (SECRET.encode(), "b'***'"),
        ([1, 2, 3], "[1, 2, 3]"),
    ],
)
def test_a_preview_shows_a_mark_where_the_secret_stood(value: object, shown: str) -> None:
    assert told(value, SECRET) == shown


def test_a_part_of_a_secret_that_a_preview_was_cut_in_is_taken_out_too() -> None:
    secret = "".join(f"{n:x}~{n * n}" for n in range(200))
    shown = told({"key": secret}, secret)
    assert "***" in shown
    assert not any(
        secret[at : at + RUN_CHARS] in shown for at in range(len(secret) - RUN_CHARS + 1)
    )


def test_a_secret_of_several_lines_is_found_as_a_preview_writes_it() -> None:
    assert told("a\nb'c\\dee", "a\nb'c\\dee") == '"***"'


def test_of_two_secrets_the_longer_one_goes_whole() -> None:
    assert told(f"{SECRET}-and-more", SECRET, f"{SECRET}-and-more") == "'***'"


def test_a_word_of_few_letters_is_no_secret() -> None:
    assert told("is it on or off", "on", "off") == "'is it on or off'"


def test_the_keys_of_aws_in_the_environment_are_secrets_but_placeholders_are_not() -> None:
    environ = {"AWS_SECRET_ACCESS_KEY": "k" * 40, "AWS_SESSION_TOKEN": "t" * 300}
    assert credentials_in(environ) == ("k" * 40, "t" * 300)
    assert credentials_in({"AWS_SECRET_ACCESS_KEY": "testing"}) == ()
