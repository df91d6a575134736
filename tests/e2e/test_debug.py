"""`debug`: one task of an earlier run again, in this process, with nothing stored."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from swell.metastore.sqlite import open_metastore
from swell.model.ids import RunId
from tests.e2e.flow_place import Place
from tests.e2e.looked_at import swell
from tests.e2e.test_terminal import Terminal

FLOW = """
import json, os

class FixFlow(FlowSpec):
    n = Parameter("n", default=2)

    @step
    def start(self):
        self.base = 100
        self.letters = ["a", "b"]
        self.next(self.outer, foreach="letters")

    @step
    def outer(self):
        self.numbers = range(self.n)
        self.next(self.fit, foreach="numbers")

    @retry(times=1, minutes_between_retries=0)
    @catch(var="failure")
    @step
    def fit(self):
        letters = "".join(str(value) for _, _, value in self.foreach_stack())
        self.got = f"{letters}-{self.base}-{current.retry_count}"
        print("fitting", self.got)
        open("ran", "a").write(self.got + " ")
        if letters == "b1" and not os.path.exists("mended"):
            json.loads("{bad")
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.gots = [getattr(one, "got", "?") for one in inputs]
        self.indices = [(one.index, one.input) for one in inputs]
        self.next(self.total)

    @step
    def total(self, inputs):
        self.gots = [one.gots for one in inputs]
        if current.run_id == "1":
            raise SystemExit(4)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Run 1: fit b1 failed twice and was caught, and `total` ended by itself."""
    place = Place(tmp_path_factory.mktemp("debug"))
    place.write(FLOW)
    place.call("run", code=1)
    return place


def task_of(place: Place, step: str, *indices: int) -> str:
    store = open_metastore(str(place.folder / ".swell" / "metadata.db"), read_only=True)
    facts = store.tasks(RunId("FixFlow", 1), step)
    store.close()
    (task,) = [fact.created.task for fact in facts if fact.created.indices == indices]
    return f"1/{step}/{task}"


def content(place: Place) -> dict[str, object]:
    """All that the store holds: rows of its database, and bytes of its other files."""
    found: dict[str, object] = {}
    for path in sorted((place.folder / ".swell").rglob("*")):
        if path.is_file() and not path.name.startswith("metadata.db"):
            found[str(path)] = path.read_bytes()
    with sqlite3.connect(place.folder / ".swell" / "metadata.db") as db:
        found["database"] = list(db.iterdump())
    return found


def test_a_failed_foreach_child_fails_again_here_with_its_items_and_attempt_and_exit_code_1(
    place: Place,
) -> None:
    before = content(place)

    done = place.call("debug", task_of(place, "fit", 1, 1), code=1)

    assert "fitting b1-100-1" in done.stdout
    assert "got  'b1-100-1'" in done.stdout
    assert "attempt 2 · letters[1] = b · numbers[1] = 1" in done.stderr
    assert done.stderr.count("JSONDecodeError") == 2
    assert 'json.loads("{bad")' in done.stderr
    assert content(place) == before


def test_an_earlier_attempt_is_named_by_its_number(place: Place) -> None:
    done = place.call("debug", task_of(place, "fit", 1, 1), "--attempt", "0", "--no-pdb", code=1)

    assert "fitting b1-100-0" in done.stdout

    missing = place.call("debug", task_of(place, "fit", 1, 1), "--attempt", "7", code=1)
    assert "has no attempt 7" in missing.stderr
    assert "Its attempts are 0, 1" in missing.stderr


def test_a_task_that_ended_well_is_replayed_and_what_it_sets_is_shown_not_kept(
    place: Place,
) -> None:
    before = content(place)

    done = place.call("debug", task_of(place, "fit", 0, 1))

    assert "got  'a1-100-0'" in done.stdout
    assert "It ended well. It goes on to gather." in done.stderr
    assert content(place) == before


def test_a_join_has_its_inputs_with_their_items(place: Place) -> None:
    done = place.call("debug", task_of(place, "gather", 0))

    assert "['a0-100-0', 'a1-100-0']" in done.stdout
    assert "[(0, 0), (1, 1)]" in done.stdout
    assert "2 inputs" in done.stderr


def test_a_step_that_ends_the_process_fails_without_taking_the_debugger_with_it(
    place: Place,
) -> None:
    done = place.call("debug", task_of(place, "total"), code=1)

    assert "SystemExit: 4" in done.stderr
    assert "gots" in done.stdout


def test_swell_debug_hands_over_to_the_script_that_the_run_remembers(
    place: Place,
) -> None:
    done = swell(place.folder, "debug", f"FixFlow/{task_of(place, 'fit', 0, 0)}")

    assert done.code == 0, done.stderr
    assert "got  'a0-100-0'" in done.stdout


def test_on_a_terminal_the_debugger_stands_at_the_users_own_line(place: Place) -> None:
    terminal = Terminal(place.script, "debug", task_of(place, "fit", 1, 1))
    terminal.read_until("(Pdb) ")
    terminal.type(b"p self.got + '!', self.base\n")
    terminal.read_until("('b1-100-1!', 100)")
    terminal.type(b"q\n")
    assert terminal.end() == 1
    assert '-> json.loads("{bad")\r\n(Pdb)' in terminal.sent


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("1/fit", 2, ("'1/fit' is 4 tasks", "The first that failed is: python")),
        ("1/fit/99", 1, ("has no task '99'",)),
        ("1/fti/2", 1, ("has no step 'fti'", "fit")),
        ("9/fit/2", 1, ("FixFlow", "9")),
        ("a/b/c/d/e", 1, ("not a path", "15/start/2")),
        ("1/_parameters/0", 1, ("no code to run",)),
    ],
)
def test_what_is_no_task_to_debug_is_told_in_a_sentence(
    place: Place, path: str, code: int, words: tuple[str, ...]
) -> None:
    done = place.call("debug", path, code=code)

    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr


def test_a_script_that_changed_since_is_told_and_runs_as_it_is_now(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write(FLOW)
    place.call("run", code=1)
    task = task_of(place, "fit", 1, 1)
    place.change('json.loads("{bad")', 'self.mended = json.loads("[7]")')

    done = place.call("debug", task)

    assert "The script has changed since run 1; it runs as it is now." in done.stderr
    assert "mended  [7]" in done.stdout

    place.change("self.fit, foreach", "self.fitted, foreach")
    place.change("def fit(self)", "def fitted(self)")
    gone = place.call("debug", task, code=1)
    assert "The script as it is now has no step 'fit'" in gone.stderr


def test_under_swell_a_run_whose_script_is_gone_says_so(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write(FLOW)
    place.call("run", code=1)
    task = f"FixFlow/{task_of(place, 'start')}"
    place.script.unlink()

    done = swell(place.folder, "debug", task)

    assert done.code == 1
    assert "is not there any more" in done.stderr
