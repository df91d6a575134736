"""SWELL_UNPICKLE over whole runs: what is refused, in which words, and where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.driving import Driver, Place

FLOW = """
import enum
from fractions import Fraction

import numpy

class Color(enum.Enum):
    RED = 1

class Model:
    def __init__(self, weights):
        self.weights = weights

class ModelFlow(FlowSpec):
    alpha = Parameter("alpha", default=0.5)

    @step
    def start(self):
        self.model = Model(numpy.arange(50_000.0))
        self.parts = [(Color.RED, n) for n in range(2)]
        self.next(self.work, foreach="parts")

    @catch(var="failure")
    @step
    def work(self):
        self.color, self.number = self.input
        self.same = self.color is Color.RED
        self.next(self.join)

    @step
    def join(self, inputs):
        self.sums = [numpy.sum(i.model.weights) for i in inputs]
        self.merge_artifacts(inputs, exclude=["number"])
        self.next(self.end)

    @step
    def end(self):
        print("same", self.same, Fraction(1, 2), len(self.sums), self.alpha)

if __name__ == "__main__":
    ModelFlow()
"""

LIBRARY = """
class Estimator:
    def __repr__(self):
        return "Estimator()"


class Line(Estimator):
    pass
"""

FOREIGN_FLOW = """
import {library}
from {module} import {name}

class ForeignFlow(FlowSpec):
    @step
    def start(self):
        self.model = {name}()
        self.double = lambda x: 2 * x
        self.models = [{name}(), 7]
        self.next(self.work, foreach="models")

    @step
    def work(self):
        {body}
        self.next(self.join)

    @step
    def join(self, inputs):
        {joined}
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    ForeignFlow()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def environ(place: Place, **settings: str) -> dict[str, str]:
    """With a library that is installed elsewhere than the script."""
    library = place.folder.parent / f"{place.folder.name}-installed" / "estimators"
    library.mkdir(parents=True, exist_ok=True)
    (library / "__init__.py").write_text(LIBRARY)
    paths = [str(library.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return place.environ(PYTHONPATH=os.pathsep.join(paths), **settings)


def foreign(
    place: Place,
    body: str = "pass",
    joined: str = "pass",
    of: tuple[str, str] = ("estimators", "Line"),
    **settings: str,
) -> Driver:
    module, name = of
    library = module.partition(".")[0]
    script = place.script(
        FOREIGN_FLOW.format(body=body, joined=joined, library=library, module=module, name=name)
    )
    return place.run(script, "run", env=environ(place, **settings))


def assert_refused(driver: Driver, *told: str) -> None:
    assert driver.code == 1
    for text in told:
        assert text in driver.text, driver.text
    assert "Internal error" not in driver.text
    assert "swell/datastore" not in driver.text


@pytest.mark.parametrize("isolation", ["fork", "fresh"])
def test_a_flow_with_classes_of_its_own_runs_and_is_read_under_own(place, isolation):
    own = place.environ(SWELL_UNPICKLE="own")
    script = place.script(FLOW)
    ended = place.run(script, "run", "--isolation", isolation, env=own)
    assert ended.code == 0, ended.text
    assert "same True 1/2 2 0.5" in ended.text
    written = place.run(script, "dump", "1", "--file", "all.pickle", env=own)
    assert written.code == 0, written.text


def test_a_class_that_is_not_on_the_list_fails_the_task_that_reads_it(place):
    ended = foreign(
        place,
        body="print(self.model)",
        of=("sklearn.linear_model", "LinearRegression"),
        SWELL_UNPICKLE="own",
    )
    assert_refused(
        ended,
        "Artifact start/1/model needs 'sklearn.linear_model._base.LinearRegression', which "
        "SWELL_UNPICKLE=own does not load.",
        "SWELL_UNPICKLE_ALLOW=sklearn.linear_model._base.LinearRegression",
    )


@pytest.mark.parametrize(
    ("body", "joined", "told"),
    [
        ("self.input", "pass", "Item 0 of the foreach over 'models' in step 'start' needs"),
        ("self.double(2)", "pass", "Artifact start/1/double carries code of its own"),
        ("self.mine = self.model = estimators.Estimator()",
         "inputs[1].mine", "/mine needs 'estimators.Estimator'"),
        ("self.mine = estimators.Estimator()",
         "inputs.values('mine')", "/mine needs 'estimators.Estimator'"),
    ],
)  # fmt: skip
def test_items_code_and_inputs_are_refused_by_their_place(place, body, joined, told):
    assert_refused(foreign(place, body, joined, SWELL_UNPICKLE="own"), told)


def test_an_allow_list_lets_it_through_and_the_client_refuses_without(place):
    settings = {"SWELL_UNPICKLE": "allow-list", "SWELL_UNPICKLE_ALLOW": "estimators,cloudpickle"}
    ended = foreign(place, body="print(self.model, self.double(2), self.input)", **settings)
    assert ended.code == 0, ended.text
    reader = place.script(
        """
        import sys
        from swell import Task, namespace
        namespace(None)
        task = Task("ForeignFlow/1/start/1")
        read = {"artifact": lambda: task["model"].data, "data": lambda: task.data.model}
        print(read[sys.argv[1]]())
        """,
        "read.py",
    )
    for way in ("artifact", "data"):
        assert "Estimator()" in place.run(reader, way, env=environ(place)).text
        refused = place.run(reader, way, env=environ(place, SWELL_UNPICKLE="own"))
        assert refused.code == 1
        assert "Artifact ForeignFlow/1/start/1/model needs 'estimators." in refused.text
    script = place.folder / "flow.py"
    shown = place.run(script, "dump", "1/start", env=environ(place, SWELL_UNPICKLE="own"))
    assert "not loaded: A stored value needs 'estimators." in shown.text
    to_file = ("dump", "1/start", "--file", "out.pickle")
    written = place.run(script, *to_file, env=environ(place, SWELL_UNPICKLE="own"))
    assert_refused(written, "Artifact 1/start/1/", "SWELL_UNPICKLE=own")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"SWELL_UNPICKLE": "all"}, "SWELL_UNPICKLE is 'all'."),
        ({"SWELL_UNPICKLE": "allow-list", "SWELL_UNPICKLE_ALLOW": "os"}, "names 'os'"),
        ({"SWELL_UNPICKLE": "own", "SWELL_UNPICKLE_ALLOW": "estimators"}, "takes none"),
    ],
)
def test_a_setting_that_cannot_be_is_told_before_anything_starts(place, settings, told):
    ended = foreign(place, **settings)
    assert ended.code == 2
    assert told in ended.text
    assert "Traceback" not in ended.text
    assert "Task starts" not in ended.text
    assert foreign(place).code == 0
    for command in (["dump", "1/start"], ["resume", "--origin-run-id", "1"]):
        read = place.run(place.folder / "flow.py", *command, env=environ(place, **settings))
        assert (read.code, "Traceback" in read.text) == (2, False), read.text
        assert told in read.text
