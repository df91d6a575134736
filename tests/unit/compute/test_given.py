"""An attempt is given what its Launch says, forked or fresh."""

from __future__ import annotations

import os

import pytest

from swell.compute.given import Given, given_to, take, variables
from swell.model.ids import JobId
from swell.model.job import Fallback, Inputs, Launch
from swell.model.resources import Resources

GPUS = ("GPU-aaaa", "GPU-bbbb")


def launch(fallback: Fallback | None = None) -> Launch:
    return Launch(
        JobId("1", 0),
        "fit",
        1,
        Inputs(),
        fallback=fallback,
        resources=Resources(memory_mb=200),
        threads=2,
        devices=GPUS,
    )


def test_memory_is_held_to_only_where_that_was_asked_for() -> None:
    assert given_to(launch(), enforces_memory=False) == Given(2, GPUS, None)
    assert given_to(launch(), enforces_memory=True) == Given(2, GPUS, 200)


def test_an_attempt_that_only_records_a_failure_is_held_to_nothing() -> None:
    dead = launch(Fallback(1, "out_of_memory", "Out of memory."))
    assert given_to(dead, enforces_memory=True) == Given()


def test_a_fresh_interpreter_is_started_with_its_devices_and_threads() -> None:
    found = variables(Given(2, GPUS), {})
    assert found["CUDA_VISIBLE_DEVICES"] == "GPU-aaaa,GPU-bbbb"
    assert found["OMP_NUM_THREADS"] == "2"
    assert variables(Given(2), {"OMP_NUM_THREADS": "5"}) == {}


def test_a_forked_attempt_has_them_before_its_step_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aaaa,GPU-bbbb,GPU-cccc")
    take(Given(2, ("GPU-cccc",)))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-cccc"
    assert os.environ["OMP_NUM_THREADS"] == "5"
