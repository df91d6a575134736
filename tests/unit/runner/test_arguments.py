"""Keywords of a program become options of the command line, values keep their types."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy
import pytest

from swell.authoring.config import ConfigValue
from swell.errors import UsageError
from swell.programs.arguments import given_text, top_arguments, variables_of


@pytest.mark.parametrize(
    ("top", "arguments"),
    [
        ({}, []),
        ({"pylint": False}, ["--no-pylint"]),
        ({"pylint": True, "quiet": False}, ["--pylint", "--not-quiet"]),
        ({"production": True}, ["--production"]),
        ({"production": False, "branch": None}, []),
        ({"branch": "test"}, ["--branch", "test"]),
        (
            {"decospecs": ["retry", "timeout:seconds=5"]},
            "--with retry --with timeout:seconds=5".split(),
        ),
        ({"config": [("a", Path("a.json"))]}, ["--config", "a", "a.json"]),
        ({"config_value": [("a", {"b": 1})]}, ["--config-value", "a", '{"b": 1}']),
        ({"config_value": [("a", ConfigValue({"b": 1}))]}, ["--config-value", "a", '{"b": 1}']),
        ({"config_value": {"a": {"b": 1}}}, ["--config-value", "a", '{"b": 1}']),
        ({"datastore_root": Path("x y")}, ["--datastore-root", "x y"]),
    ],
)
def test_options_before_the_command(top: dict[str, Any], arguments: list[str]) -> None:
    assert top_arguments(top) == arguments


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1, 1),
        (True, True),
        (0.1, 0.1),
        ("é\n'\"", "é\n'\""),
        ((1, 2), [1, 2]),
        ({"a": [None]}, {"a": [None]}),
        ({2, 1}, [1, 2]),
        (Path("a"), "a"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (numpy.int64(3), 3),
        (numpy.arange(2), [0, 1]),
        (ConfigValue({"a": {"b": 1}}), {"a": {"b": 1}}),
    ],
)
def test_values_arrive_with_their_types(value: Any, read: Any) -> None:
    assert json.loads(given_text({"x": value})) == {"x": read}


def test_a_number_that_is_none_arrives_as_such() -> None:
    x = json.loads(given_text({"x": float("nan")}))["x"]
    assert x != x


@pytest.mark.parametrize("value", [object(), b"bytes", [len]])
def test_a_value_that_cannot_travel_is_named(value: Any) -> None:
    with pytest.raises(UsageError, match=r"^x="):
        given_text({"x": value})
    with pytest.raises(UsageError, match=r"^x="):
        top_arguments({"x": [value] if not isinstance(value, list) else value})


def test_variables_that_would_give_the_same_options() -> None:
    assert variables_of("run", ["n", "max_workers"]) == ["SWELL_RUN_N", "SWELL_RUN_MAX_WORKERS"]
