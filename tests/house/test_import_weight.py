"""Importing swell loads little: no module that a flow script may never need."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = set(
    "inspect ast dataclasses click rich cloudpickle sqlite3 asyncio subprocess tempfile shutil"
    " logging json numpy pandas matplotlib altair zstandard blake3 multiprocessing"
    " concurrent.futures socket selectors urllib.request http.client email unittest".split()
)


def modules_after(statement: str) -> set[str]:
    """Names of all modules a fresh interpreter has loaded, bare Python's own left out."""
    code = f"import sys; bare = set(sys.modules)\n{statement}\nprint(*set(sys.modules) - bare)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement", ["import swell", "from swell import FlowSpec, Parameter, step"]
)
def test_no_heavy_module_is_loaded_by(statement: str) -> None:
    assert modules_after(statement) & HEAVY == set()


def test_import_swell_alone_loads_the_package_and_nothing_else() -> None:
    assert {name for name in modules_after("import swell") if "." in name} == set()
