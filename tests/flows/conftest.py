"""Lets pytest explain failed asserts in the behaviours."""

import pytest

pytest.register_assert_rewrite(
    "tests.flows.data_behaviours",
    "tests.flows.fact_behaviours",
    "tests.flows.failure_behaviours",
    "tests.flows.foreach_behaviours",
)
