"""Tasks that share a process are what they are alone, as far as they can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows import shapes
from tests.flows.behaviours import BEHAVIOURS
from tests.flows.pairs import BUDGET, CANARIES, DATA, FACTS, MERGING, REST, named
from tests.flows.shapes import SHAPES, Shape
from tests.flows.writing import Behaviour, Where, try_out

BY_NAME = {str(behaviour): behaviour for behaviour in REST}
ALWAYS = [
    (FACTS, shapes.FOREACH),
    (DATA, shapes.SWITCH_IN_FOREACH),
    (MERGING, shapes.WIDE_FOREACH),
    (BY_NAME["DeathsAreCaught"], shapes.FOREACH),
    (BY_NAME["ResumeRunsOnlyWhatIsNeeded"], shapes.NESTED_FOREACH),
    (BUDGET, shapes.WIDE_FOREACH),
    (CANARIES, shapes.NESTED_FOREACH),
]
BY_HAND = [
    (behaviour, shape)
    for behaviour in BEHAVIOURS
    for shape in SHAPES
    if any(step.kind == "foreach" for step in shape.steps)
    and behaviour.fits(shape)
    and (behaviour, shape) not in ALWAYS
]
PACKED = Where("fork", ("--pack",))


@pytest.mark.parametrize(("behaviour", "shape"), named(ALWAYS))
def test_packed_tasks(behaviour: Behaviour, shape: Shape, tmp_path: Path) -> None:
    try_out(behaviour, shape, tmp_path, PACKED)


@pytest.mark.slow
@pytest.mark.parametrize(("behaviour", "shape"), named(BY_HAND))
def test_packed_tasks_in_full(behaviour: Behaviour, shape: Shape, tmp_path: Path) -> None:
    try_out(behaviour, shape, tmp_path, PACKED)
