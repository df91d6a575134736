"""From a notebook cell that defines a flow to a script that runs it."""

from __future__ import annotations

import ast

from swell.errors import FlowError


def flow_script(cell: str, flow: str) -> str:
    """``cell`` up to the end of the class ``flow``, and the lines that run it.

    ``cell`` is Python as IPython made it of what was typed: its magics are calls of
    ``get_ipython()``, which are left out. Raises FlowError where the class is not there.
    """
    tree = ast.parse(cell)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    found = [node for node in classes if node.name == flow]
    if not found:
        there = ", ".join(node.name for node in classes) or "none"
        raise FlowError(
            f"Flow {flow} is not defined in this notebook cell (classes in it: {there}).",
            remedy="Call NBRunner in the cell that defines the flow and all it uses.",
        )
    end = found[-1].end_lineno
    lines = cell.splitlines()[:end]
    for node in tree.body:
        if node.lineno <= len(lines) and _is_magic(node):
            for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[number - 1] = ""
    return "\n".join([*lines, "", "", 'if __name__ == "__main__":', f"    {flow}()", ""])


def _is_magic(node: ast.stmt) -> bool:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    return any(isinstance(n, ast.Name) and n.id == "get_ipython" for n in ast.walk(node))
