"""Names of submissions: deterministic, allowed, and telling flows, runs and stores apart."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.model.ids import JobId
from swell.model.submission_name import name_prefix, read_name, submission_name

STORE = "3f2a9c0d11"
JOBS = [JobId("7", 0), JobId("8", 0)]


def test_a_name_is_the_same_in_whatever_order_the_jobs_are_given():
    one = submission_name(STORE, "BigSum", "15", "work", JOBS)
    assert one == submission_name(STORE, "BigSum", "15", "work", reversed(JOBS))
    assert re.fullmatch(r"swell-3f2a9c0d-BigSum-15-work-[0-9a-f]{16}", one)


@pytest.mark.parametrize(
    "other",
    [
        ("0000000000", "BigSum", "15", "work", JOBS),
        (STORE, "bigsum", "15", "work", JOBS),
        (STORE, "BigSum", "16", "work", JOBS),
        (STORE, "BigSum", "15", "train", JOBS),
        (STORE, "BigSum", "15", "work", JOBS[:1]),
        (STORE, "BigSum", "15", "work", [JobId("7", 1), JobId("8", 0)]),
    ],
)
def test_other_work_has_another_name(other):
    assert submission_name(*other) != submission_name(STORE, "BigSum", "15", "work", JOBS)


def test_the_name_says_what_it_stands_for():
    name = submission_name(STORE, "BigSum", "15", "my_step", JOBS)
    assert read_name(name) == ("3f2a9c0d", "BigSum", "15", "my_step")
    assert read_name("nightly-report") is None


def test_letters_that_names_may_not_have_are_replaced_and_marked():
    accents = name_prefix(STORE, "Größe")
    assert accents.isascii()
    assert accents != name_prefix(STORE, "Gr__e")
    assert accents != name_prefix(STORE, "Grüße")


words = st.text(min_size=1, max_size=200)


@given(words, words, words, words)
def test_every_name_is_allowed_and_begins_with_its_prefixes(store, flow, run, step):
    name = submission_name(f"a{store}", flow, run, step, JOBS)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", name)
    assert name.startswith(name_prefix(f"a{store}", flow, run))
    assert name.startswith(name_prefix(f"a{store}", flow))
    assert read_name(name) is not None


@given(words, words)
def test_prefixes_of_two_flows_never_begin_with_each_other(one, other):
    if one != other:
        assert not name_prefix(STORE, one).startswith(name_prefix(STORE, other))
