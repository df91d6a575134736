"""`diff` over runs of a script that changes between them, and what people do wrong with it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.looked_at import SWELL
from tests.e2e.terminal import Done, python, run

SCRIPT = """
from swell import FlowSpec, Parameter, step


class SalesFlow(FlowSpec):
    days = Parameter("days", default=2)
    fail = Parameter("fail", default=False, type=bool)
    factor = 1

    @step
    def start(self):
        self.sales = [3] * self.days
        self.unchanged = list(range(100))
        self.parts = [1, 2, 3]
        self.next(self.each, foreach="parts")

    @step
    def each(self):
        self.got = self.input * self.factor if self.input > 1 else 0
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(inputs.values("got"))
        if self.fail:
            raise ValueError("as asked")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SalesFlow()
"""

OTHER = """
from swell import FlowSpec, step


class OtherFlow(FlowSpec):
    @step
    def start(self):
        self.unchanged = 1
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    OtherFlow()
"""


FRAMES = """
import pandas
from swell import FlowSpec, Parameter, step


class FramesFlow(FlowSpec):
    days = Parameter("days", default=2)

    @step
    def start(self):
        self.sales = pandas.DataFrame({"shop": ["north"] * self.days, "sold": 3})
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    FramesFlow()
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs 1 and 2 are equal; 3 has another factor; 4 other days, and failed; 5 resumes it."""
    folder = tmp_path_factory.mktemp("diff")
    script = folder / "sales.py"
    script.write_text(SCRIPT)
    run(script, "run", store=folder)
    run(script, "run", store=folder)
    script.write_text(SCRIPT.replace("factor = 1", "factor = 2"))
    run(script, "run", store=folder)
    assert python(script, "run", "--days", "3", "--fail", "true", store=folder).code == 1
    script.write_text(script.read_text().replace("if self.fail", "if False"))
    run(script, "resume", store=folder)
    (folder / "other.py").write_text(OTHER)
    run(folder / "other.py", "run", store=folder)
    return folder


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs with a frame of two rows, and of three."""
    folder = tmp_path_factory.mktemp("frames")
    script = folder / "frames.py"
    script.write_text(FRAMES)
    run(script, "run", store=folder)
    run(script, "run", "--days", "3", store=folder)
    return folder


def diff(store: Path, *arguments: str) -> Done:
    return python(store / "sales.py", "diff", *arguments, store=store)


def told(store: Path, *arguments: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(diff(store, *arguments, "--json").stdout)
    return found


def test_runs_that_are_equal_are_said_to_be_and_their_times_are_shown(store: Path) -> None:
    done = diff(store, "1", "2")

    assert done.code == 0
    assert done.stdout.rstrip().endswith(
        "The two runs are the same in parameters, configs and constants, code, packages, steps "
        "and artifacts."
    )
    assert "\nartifacts" not in done.stdout
    assert "peak memory" in done.stdout


def test_a_constant_the_script_and_what_follows_from_them_are_told(store: Path) -> None:
    lines = [line.rstrip() for line in diff(store, "2", "3").stdout.splitlines()]

    assert "  factor  1  2" in lines
    assert "    -    factor = 1" in lines
    assert "    +    factor = 2" in lines
    assert "  each · got (2 of 3 tasks, the first at [1])" in lines
    assert lines[lines.index("  join · total") :][:3] == ["  join · total", "    - 5", "    + 10"]
    assert not [line for line in lines if "unchanged" in line or "sales" in line]


def test_a_frame_that_differs_is_shown_with_its_columns(frames: Path) -> None:
    lines = python(frames / "frames.py", "diff", "1", "2", store=frames).stdout.splitlines()

    place = lines.index("  start · sales")
    assert lines[place + 1] == "    - DataFrame: 2 rows × 2 columns: shop, sold"
    assert "    +   sold  int64  no nulls  3, 3, 3" in lines


def test_steps_that_one_run_alone_came_to_are_told(store: Path) -> None:
    lines = diff(store, "3", "4").stdout.splitlines()

    assert lines[lines.index("  start · sales") + 1].startswith("    - ")
    assert "  end  1 task  0 tasks" in lines


def test_a_resumed_run_has_the_artifacts_of_its_origin(store: Path) -> None:
    found = told(store, "4", "5")

    assert found["artifacts"] == []
    assert found["steps"]["end"]["tasks"] == [0, 1]  # type: ignore[index]  # plain JSON
    assert found["steps"]["start"]["typical_s"][1] is None  # type: ignore[index]  # plain JSON


def test_runs_of_two_flows_are_compared_by_names_and_that_is_said(store: Path) -> None:
    done = python(SWELL, "diff", "SalesFlow/1", "OtherFlow/1", store=store)

    assert done.code == 0
    assert "different flows" in done.stderr
    assert "start · unchanged" in done.stdout


def test_as_json_everything_is_told_by_name(store: Path) -> None:
    found = told(store, "2", "3")

    assert found["runs"] == ["SalesFlow/2", "SalesFlow/3"]
    assert found["parameters"] == {"factor": ["1", "2"]}
    assert found["same_in"] == ["packages", "steps"]
    assert found["packages"] == {}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "none was given"),
        (["1"], 2, "one was given"),
        (["1", "2", "3"], 2, "3 were given"),
        (["1", "1"], 2, "are the same run"),
        (["1", "99"], 1, "no run '99'"),
        (["1", "2/start"], 1, "is not a run"),
        (["1", "latest"], 1, "is not the number of a run"),
        (["1", "a/b/c/d/e"], 1, "is not a path"),
    ],
)
def test_what_cannot_be_compared_is_told_with_what_to_type(
    store: Path, arguments: list[str], code: int, words: str
) -> None:
    done = diff(store, *arguments)

    assert (done.code, done.stdout) == (code, "")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2


def test_a_damaged_record_is_told_without_our_own_stack(store: Path, tmp_path: Path) -> None:
    (tmp_path / "sales.py").write_text(SCRIPT)
    run(tmp_path / "sales.py", "run", store=tmp_path)
    run(tmp_path / "sales.py", "run", store=tmp_path)
    (database,) = (tmp_path / ".swell").glob("*.db")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE attempts SET record = x'00ff' WHERE run = 1")
    connection.close()

    done = diff(tmp_path, "1", "2")

    assert done.code == 1
    assert "Traceback" not in done.stderr
    assert "A record of run SalesFlow/1 is damaged" in done.stderr


def test_details_of_a_preview_stand_with_the_step_that_made_the_artifact(frames: Path) -> None:
    made = python(SWELL, "artifacts", "FramesFlow/1/start", store=frames).stdout
    assert "DataFrame: 2 rows × 2 columns: shop, sold" in made
    assert "  sold  int64  no nulls  3, 3" in made.splitlines()

    handed_on = python(SWELL, "artifacts", "FramesFlow/1/end", store=frames).stdout
    assert "DataFrame: 2 rows × 2 columns: shop, sold" in handed_on
    assert "no nulls" not in handed_on
