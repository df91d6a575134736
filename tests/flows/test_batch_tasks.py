"""The same flow everywhere: on AWS Batch, in the sandbox, it leaves what it leaves here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.pairs import ALWAYS, BUDGET, BY_HAND, CANARIES, named
from tests.flows.shapes import Shape
from tests.flows.telling import tell
from tests.flows.writing import Behaviour, Where, try_out
from tests.servers.sandbox import Sandbox

pytest.importorskip("boto3")


# What foreaches lose and try first is always tried in tests/e2e/test_batch_budget.py.
ELSEWHERE = [(behaviour, shape) for behaviour, shape in ALWAYS if behaviour in (BUDGET, CANARIES)]
HERE = [pair for pair in ALWAYS if pair not in ELSEWHERE]


def try_both(behaviour: Behaviour, shape: Shape, folder: Path, sandbox: Sandbox) -> None:
    places = {
        "here": Where("fork"),
        "away": Where("fork", ("--with", "batch"), sandbox.variables),
    }
    told = {}
    for name, where in places.items():
        (folder / name).mkdir()
        told[name] = tell(try_out(behaviour, shape, folder / name, where))
    assert [one.place for one in told["away"]] == [one.place for one in told["here"]]
    for away, here in zip(told["away"], told["here"], strict=True):
        assert away._asdict() == here._asdict()


@pytest.mark.parametrize(("behaviour", "shape"), named(HERE))
def test_tasks_on_batch(
    behaviour: Behaviour, shape: Shape, tmp_path: Path, sandbox: Sandbox
) -> None:
    try_both(behaviour, shape, tmp_path, sandbox)


@pytest.mark.slow
@pytest.mark.parametrize(("behaviour", "shape"), named([*ELSEWHERE, *BY_HAND]))
def test_tasks_on_batch_in_full(
    behaviour: Behaviour, shape: Shape, tmp_path: Path, sandbox: Sandbox
) -> None:
    try_both(behaviour, shape, tmp_path, sandbox)
