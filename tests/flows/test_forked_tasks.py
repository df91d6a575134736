"""Every behaviour over every shape of graph that has it, in forked tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.behaviours import BEHAVIOURS
from tests.flows.shapes import SHAPES, Shape
from tests.flows.writing import Behaviour, Where, try_out

CROSS = [
    pytest.param(behaviour, shape, id=f"{shape.name}-{behaviour}")
    for behaviour in BEHAVIOURS
    for shape in SHAPES
    if behaviour.fits(shape)
]


@pytest.mark.parametrize(("behaviour", "shape"), CROSS)
def test_forked_tasks(behaviour: Behaviour, shape: Shape, tmp_path: Path) -> None:
    try_out(behaviour, shape, tmp_path, Where("fork"))
