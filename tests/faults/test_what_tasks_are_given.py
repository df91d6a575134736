"""Tasks get threads and devices of their own, and leave alone what the user has set."""

from __future__ import annotations

import pytest

from tests.faults.driving import Place

GIVEN = """
import ctypes, json, os, re
import numpy
from swell import environment

numpy.ones((300, 300)) @ numpy.ones((300, 300))

def blas_threads():
    path = re.search("/[^ ]*openblas[^ \\n]*", open("/proc/self/maps").read())[0]
    library = ctypes.CDLL(path)
    for name in ("scipy_openblas_get_num_threads64_", "openblas_get_num_threads64_",
                 "openblas_get_num_threads"):
        if hasattr(library, name):
            return getattr(library, name)()

def tell(step):
    numpy.ones((300, 300)) @ numpy.ones((300, 300))
    print(step, os.environ.get("OMP_NUM_THREADS"), blas_threads(), flush=True)

class GivenFlow(FlowSpec):
    @resources(cpu=1)
    @step
    def start(self):
        tell("declared")
        self.next(self.plain)

    @step
    def plain(self):
        tell("undeclared")
        self.next(self.end)

    @environment(vars={"OMP_NUM_THREADS": "1"})
    @resources(cpu=1)
    @step
    def end(self):
        own = os.environ["OMP_NUM_THREADS"], os.environ.get("MKL_NUM_THREADS")
        print("own", *own, "blas", blas_threads())

if __name__ == "__main__":
    GivenFlow()
"""


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
def test_a_step_that_declared_processors_computes_in_as_many_threads(
    place: Place, isolation: str
) -> None:
    pytest.importorskip("numpy")
    script = place.script(GIVEN)
    environ = {k: v for k, v in place.environ().items() if not k.endswith("_THREADS")}

    driver = place.run(script, "run", "--isolation", isolation, env=environ)

    assert driver.code == 0, driver.text
    assert "declared 1 1" in driver.text
    assert "undeclared None" in driver.text
    assert "own 1 None blas 1" in driver.text


def test_thread_counts_of_the_users_environment_stay(place: Place) -> None:
    pytest.importorskip("numpy")
    script = place.script(GIVEN)
    environ = {k: v for k, v in place.environ().items() if not k.endswith("_THREADS")}

    driver = place.run(script, "run", env={**environ, "OMP_NUM_THREADS": "2"})

    assert driver.code == 0, driver.text
    assert "\ndeclared 2" in driver.text.replace("] declared", "\ndeclared")
