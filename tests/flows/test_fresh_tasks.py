"""Every behaviour once and every shape once in fresh interpreters; all of them by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows import shapes
from tests.flows.behaviours import BEHAVIOURS
from tests.flows.shapes import SHAPES, Shape
from tests.flows.writing import Behaviour, try_out

DATA, FACTS, MERGING, *REST = BEHAVIOURS
_LARGE = [(DATA, shapes.NESTED_BRANCHES), (FACTS, shapes.FOREACH), (MERGING, shapes.WIDE_FOREACH)]
_SMALL = [shape for shape in SHAPES if shape not in [large for _, large in _LARGE]]
PAIRS = [*_LARGE, *zip([*REST, MERGING], _SMALL, strict=True)]
OTHERS = [(b, shape) for b in BEHAVIOURS for shape in SHAPES if (b, shape) not in PAIRS]


def named(pairs: list[tuple[Behaviour, Shape]]) -> list[object]:
    return [pytest.param(b, shape, id=f"{shape.name}-{b}") for b, shape in pairs]


def test_every_behaviour_and_every_shape_is_among_the_pairs() -> None:
    assert {behaviour for behaviour, _ in PAIRS} == set(BEHAVIOURS)
    assert {shape for _, shape in PAIRS} == set(SHAPES)


@pytest.mark.parametrize(("behaviour", "shape"), named(PAIRS))
def test_fresh_tasks(behaviour: Behaviour, shape: Shape, tmp_path: Path) -> None:
    try_out(behaviour, shape, tmp_path, "fresh")


@pytest.mark.slow
@pytest.mark.parametrize(("behaviour", "shape"), named(OTHERS))
def test_fresh_tasks_in_full(behaviour: Behaviour, shape: Shape, tmp_path: Path) -> None:
    try_out(behaviour, shape, tmp_path, "fresh")
