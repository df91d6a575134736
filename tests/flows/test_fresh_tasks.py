"""Every behaviour once and every shape but the widest in fresh interpreters; the rest by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.behaviours import BEHAVIOURS
from tests.flows.pairs import ALWAYS, BY_HAND, PAIRS, SMALL_SHAPES, named
from tests.flows.shapes import Shape
from tests.flows.writing import Behaviour, Where, try_out


def test_every_behaviour_and_every_shape_is_among_the_pairs() -> None:
    assert {behaviour for behaviour, _ in PAIRS} == set(BEHAVIOURS)
    assert {shape for _, shape in PAIRS} == set(SMALL_SHAPES)


@pytest.mark.parametrize(("behaviour", "shape"), named(ALWAYS))
def test_fresh_tasks(behaviour: Behaviour, shape: Shape, tmp_path: Path) -> None:
    try_out(behaviour, shape, tmp_path, Where("fresh"))


@pytest.mark.slow
@pytest.mark.parametrize(("behaviour", "shape"), named(BY_HAND))
def test_fresh_tasks_in_full(behaviour: Behaviour, shape: Shape, tmp_path: Path) -> None:
    try_out(behaviour, shape, tmp_path, Where("fresh"))
