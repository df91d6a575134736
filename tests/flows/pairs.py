"""Every behaviour once and every shape once, where the full cross takes too long.

Here a task is an interpreter or a container, so the shapes are small: of nested foreaches the
one of 13 tasks; that of 30, and the widest foreach, are tried by hand.
"""

from __future__ import annotations

import pytest

from tests.flows import shapes
from tests.flows.behaviours import BEHAVIOURS
from tests.flows.failure_behaviours import ResumeFromAStep
from tests.flows.shapes import SHAPES, Shape
from tests.flows.writing import Behaviour

DATA, FACTS, MERGING, *REST = BEHAVIOURS
# A resume runs tasks twice: it is shown over the small one of these two.
(_RESUME,) = [behaviour for behaviour in REST if isinstance(behaviour, ResumeFromAStep)]
BUDGET, CANARIES = REST[-2:]
_CHOSEN = [
    (DATA, shapes.NESTED_BRANCHES),
    (FACTS, shapes.FOREACH),
    (MERGING, shapes.WIDE_FOREACH),
    (_RESUME, shapes.RECURSION),
    (MERGING, shapes.SWITCH_IN_FOREACH),
    (BUDGET, shapes.FOREACH),
    (CANARIES, shapes.FOREACH),
]
_BEHAVIOURS = [one for one in REST if one not in (_RESUME, BUDGET, CANARIES)]
SMALL_SHAPES = [shapes.NESTED_TWICE if one == shapes.NESTED_FOREACH else one for one in SHAPES]
_SHAPES = [shape for shape in SMALL_SHAPES if shape not in [chosen for _, chosen in _CHOSEN]]
PAIRS = [*_CHOSEN, *zip([*_BEHAVIOURS, MERGING], _SHAPES, strict=True)]
# 43 tasks are 43 processes or containers: these are tried by hand.
ALWAYS = [(behaviour, shape) for behaviour, shape in PAIRS if shape != shapes.WIDE_FOREACH]
BY_HAND = [
    (behaviour, shape)
    for behaviour in BEHAVIOURS
    for shape in SHAPES
    if behaviour.fits(shape) and (behaviour, shape) not in ALWAYS
]


def named(pairs: list[tuple[Behaviour, Shape]]) -> list[object]:
    """As parameters of a test."""
    return [pytest.param(b, shape, id=f"{shape.name}-{b}") for b, shape in pairs]
