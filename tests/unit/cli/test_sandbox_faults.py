"""The words of `swell sandbox chaos`."""

from __future__ import annotations

import pytest

from swell.cli.sandbox_faults import parse_faults
from swell.errors import UsageError


def test_faults_are_read_with_their_units():
    words = "spot=0.1 oom=0.05 throttle capacity=0 host-loss api-down=20s within=500ms seed=7"
    assert parse_faults(words.split()) == {
        "spot": 0.1,
        "oom": 0.05,
        "throttle": 2.0,
        "capacity": 0,
        "host_loss": 1,
        "api_down_s": 20.0,
        "within_s": 0.5,
        "seed": 7,
    }


def test_off_clears_and_may_stand_beside_others():
    assert parse_faults(["off"]) == {"clear": True}
    assert parse_faults(["off", "spot=1"]) == {"clear": True, "spot": 1.0}
    assert parse_faults([]) == {}


def test_several_environments_may_be_broken():
    words = ["environment=a:invalid", "environment=b:never-join"]
    assert parse_faults(words) == {"environments": {"a": "invalid", "b": "never-join"}}


@pytest.mark.parametrize(
    "word", ["sopt=1", "spot", "spot=", "spot=much", "api-down=5x", "environment=a", "capacity=1.5"]
)
def test_a_word_that_is_no_fault_is_named(word):
    with pytest.raises(UsageError, match="is not a fault the sandbox knows"):
        parse_faults([word])
