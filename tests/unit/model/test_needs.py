"""From what attempts used to what to ask for: the rule of advice and of "auto"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swell.model.needs import LEAST_MEMORY_MB, cpu_to_ask, memory_to_ask, quantile


@given(st.floats(min_value=100, max_value=4_000_000))
def test_what_is_advised_is_above_the_peak_by_five_to_seven_percent(peak_mb: float) -> None:
    asked = memory_to_ask(peak_mb)
    assert peak_mb * 1.05 <= asked <= peak_mb * 1.071


@pytest.mark.parametrize(
    ("peak_mb", "asked"), [(7_112, 7_500), (310.5, 330), (950, 1_000), (60_000, 63_000), (20, 64)]
)
def test_advised_numbers_are_easily_read(peak_mb: float, asked: int) -> None:
    assert memory_to_ask(peak_mb) == asked


def test_less_than_a_python_process_is_never_advised() -> None:
    assert memory_to_ask(0.0) == LEAST_MEMORY_MB


@pytest.mark.parametrize(
    ("busy", "cores"), [(0.0, 1), (0.3, 1), (1.0, 1), (1.05, 1), (1.3, 2), (3.9, 4), (15.99, 16)]
)
def test_busy_cores_become_whole_ones(busy: float, cores: float) -> None:
    assert cpu_to_ask(busy) == cores


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(values, share) -> None:
    found = quantile(values, share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    smaller = [value for value in values if value < found]
    assert len(smaller) < share * len(values) + 1e-9
