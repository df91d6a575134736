"""From a notebook cell to a script: the flow and what stands before it, nothing behind it."""

from __future__ import annotations

import ast

import pytest

from swell.errors import FlowError
from swell.programs.cells import flow_script

CELL = """import os
get_ipython().run_line_magic('matplotlib', 'inline')
get_ipython().system('pip install x \\\\\\n y')
n = 1

@decorated
class First(FlowSpec):
    shell = get_ipython

class Second(FlowSpec):
    pass

NBRunner(First).nbrun()
"""


def test_the_script_ends_with_the_class_and_the_lines_that_run_it() -> None:
    script = flow_script(CELL, "First")
    assert script.endswith('    shell = get_ipython\n\n\nif __name__ == "__main__":\n    First()\n')
    assert "import os\n" in script
    assert "n = 1\n" in script
    assert "@decorated\nclass First" in script
    assert "Second" not in script
    assert "NBRunner" not in script


def test_magics_are_left_out_and_lines_keep_their_numbers() -> None:
    script = flow_script(CELL, "Second")
    assert "run_line_magic" not in script
    assert "system" not in script
    before, after = (
        next(n.lineno for n in ast.parse(text).body if isinstance(n, ast.ClassDef))
        for text in (CELL, script)
    )
    assert before == after


def test_of_a_class_defined_twice_the_last_is_meant() -> None:
    assert "x = 2" in flow_script("class F:\n    x = 1\nclass F:\n    x = 2\n", "F")


def test_a_cell_without_the_class_is_told_with_the_classes_it_has() -> None:
    with pytest.raises(FlowError, match="classes in it: First, Second"):
        flow_script(CELL, "Third")
    with pytest.raises(FlowError, match="classes in it: none"):
        flow_script("x = 1", "Third")
