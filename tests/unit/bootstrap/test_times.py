"""Times are read as the standard library reads them."""

from __future__ import annotations

import datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.bootstrap.times import from_http, from_iso

MOMENTS = st.datetimes(
    datetime.datetime(1970, 1, 1),
    datetime.datetime(2200, 1, 1),
    timezones=st.just(datetime.timezone.utc),
)


@given(MOMENTS)
def test_the_date_of_an_answer_is_read(moment: datetime.datetime) -> None:
    assert from_http(format_datetime(moment, usegmt=True)) == int(moment.timestamp())


@given(MOMENTS)
def test_a_time_of_iso_8601_is_read(moment: datetime.datetime) -> None:
    text = moment.isoformat().replace("+00:00", "Z")
    assert from_iso(text) == pytest.approx(moment.timestamp(), abs=1e-4)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "2026-11-22 16:10:00"])
def test_another_form_of_time_is_an_error_of_its_value(text: str) -> None:
    with pytest.raises(ValueError):
        from_iso(text)
