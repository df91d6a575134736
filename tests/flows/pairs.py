"""Every behaviour once and every shape once, where the full cross takes too long."""

from __future__ import annotations

import pytest

from tests.flows import shapes
from tests.flows.behaviours import BEHAVIOURS
from tests.flows.shapes import SHAPES, Shape
from tests.flows.writing import Behaviour

DATA, FACTS, MERGING, *REST = BEHAVIOURS
_LARGE = [(DATA, shapes.NESTED_BRANCHES), (FACTS, shapes.FOREACH), (MERGING, shapes.WIDE_FOREACH)]
_SMALL = [shape for shape in SHAPES if shape not in [large for _, large in _LARGE]]
PAIRS = [*_LARGE, *zip([*REST, MERGING], _SMALL, strict=True)]
OTHERS = [(b, shape) for b in BEHAVIOURS for shape in SHAPES if (b, shape) not in PAIRS]


def named(pairs: list[tuple[Behaviour, Shape]]) -> list[object]:
    """As parameters of a test."""
    return [pytest.param(b, shape, id=f"{shape.name}-{b}") for b, shape in pairs]
