"""`profile` over a run with a retry and a failure, and what people do wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swell.client.time_spent import PHASES
from tests.e2e.looked_at import SWELL
from tests.e2e.terminal import Done, python, run

SCRIPT = """
from swell import FlowSpec, current, retry, step


class WavesFlow(FlowSpec):
    @step
    def start(self):
        self.waves = [1, 2, 3]
        self.next(self.measure, foreach="waves")

    @retry(times=1, minutes_between_retries=0)
    @step
    def measure(self):
        if self.input == 2 and current.retry_count == 0:
            raise ValueError("once")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    WavesFlow()
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    (folder / "waves.py").write_text(SCRIPT)
    run(folder / "waves.py", "run", store=folder)
    return folder


def profile(store: Path, *arguments: str) -> Done:
    return python(store / "waves.py", "profile", *arguments, store=store)


def test_the_latest_run_is_told_by_its_critical_path_and_its_steps(store: Path) -> None:
    done = profile(store)

    assert done.code == 0
    assert done.stdout.startswith("Run 1 took ")
    assert ": 6 tasks in 7 attempts." in done.stdout
    lines = done.stdout.splitlines()
    steps = lines[next(number for number, line in enumerate(lines) if line.startswith("steps")) :]
    assert [line.split()[:2] for line in steps[2:6]] == [
        ["start", "1"], ["measure", "3"], ["join", "1"], ["end", "1"],
    ]  # fmt: skip


def test_the_seconds_of_the_critical_path_are_those_of_the_run(store: Path) -> None:
    told = json.loads(profile(store, "1", "--json").stdout)

    path = told["critical_path"]
    assert sum(path["seconds"].values()) == pytest.approx(told["seconds"])
    assert [one["step"] for one in path["attempts"] if one["attempt"] == 0] == [
        "start", "measure", "join", "end",
    ]  # fmt: skip
    assert told["steps"]["measure"]["attempts"] == 4
    assert set(told["steps"]["start"]["typical"]) == set(PHASES)


def test_a_page_shows_it_as_a_picture(store: Path) -> None:
    done = profile(store, "1", "--html", str(store / "page.html"))

    assert done.code == 0
    assert "page.html" in done.stderr
    page = (store / "page.html").read_text()
    assert 'class="times"' in page
    assert "critical path" in page
    file = str(store / "card.html")
    as_card = python(
        store / "waves.py", "card", "get", "1", file, "--type", "timeline", store=store
    )
    assert as_card.code == 0, as_card.stderr
    assert (store / "card.html").read_text() == page
    of_step = python(
        store / "waves.py", "card", "get", "1/start", "--type", "timeline", store=store
    )
    assert of_step.code == 1
    assert "has no card with type 'timeline'" in of_step.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["1/start"], 1, "'1/start' is not a run"),
        (["7"], 1, "has no run '7'"),
        (["1", "--html", "/no/such/folder/page.html"], 1, "page.html cannot be written"),
    ],
)
def test_what_cannot_be_told_is_said_in_a_sentence(
    store: Path, arguments: list[str], code: int, words: str
) -> None:
    done = profile(store, *arguments)

    assert done.code == code
    assert words in done.stderr


def test_under_the_swell_command_the_flow_is_named(store: Path) -> None:
    done = python(SWELL, "profile", "WavesFlow/1", store=store)

    assert done.code == 0
    assert done.stdout.startswith("Run WavesFlow/1 took ")
