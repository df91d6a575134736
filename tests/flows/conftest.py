"""Lets pytest explain failed asserts in the behaviours."""

import pytest

pytest.register_assert_rewrite("tests.flows.behaviours")
