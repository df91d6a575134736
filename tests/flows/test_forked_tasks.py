"""Every behaviour over every shape of graph, in forked tasks: half of them always, as on a
chessboard, so that each behaviour meets half of the shapes and each shape half of the
behaviours; the other half by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.behaviours import BEHAVIOURS
from tests.flows.pairs import named
from tests.flows.shapes import SHAPES, Shape
from tests.flows.writing import Behaviour, Where, try_out

BOARD = [
    [
        (behaviour, shape)
        for row, behaviour in enumerate(BEHAVIOURS)
        for column, shape in enumerate(SHAPES)
        if (row + column) % 2 == color
    ]
    for color in (0, 1)
]


@pytest.mark.parametrize(("behaviour", "shape"), named(BOARD[0]))
def test_forked_tasks(behaviour: Behaviour, shape: Shape, tmp_path: Path) -> None:
    try_out(behaviour, shape, tmp_path, Where("fork"))


@pytest.mark.slow
@pytest.mark.parametrize(("behaviour", "shape"), named(BOARD[1]))
def test_forked_tasks_on_the_other_half(behaviour: Behaviour, shape: Shape, tmp_path: Path) -> None:
    try_out(behaviour, shape, tmp_path, Where("fork"))
