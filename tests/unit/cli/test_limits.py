"""What may be given with ``--limit``."""

from __future__ import annotations

import pytest

from swell.cli.limits import parse_limits
from swell.errors import UsageError


def test_limits_are_names_and_numbers_the_last_of_a_name_counts():
    assert parse_limits(["api=5", "db=0.5, api=2"]) == {"api": 2.0, "db": 0.5}


@pytest.mark.parametrize(
    "text",
    ["api", "=5", "two words=1", "api=", "api=many", "api=0", "api=-1", "api=inf", "gpu=1.5"],
)
def test_what_is_no_limit_is_refused_with_an_example(text: str):
    with pytest.raises(UsageError) as raised:
        parse_limits([text])
    assert raised.value.remedy
