"""Tags, cards, and the command `swell` on a store of a few runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.looked_at import look, make_runs, swell
from tests.e2e.terminal import run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("looking"))


# --- tags --------------------------------------------------------------------------------


def test_tags_are_added_removed_and_replaced(store: Path) -> None:
    added = look(store, "tag", "add", "x", "y", "--run-id", "2")
    assert added.stdout.split() == ["x", "y"]
    look(store, "tag", "replace", "--remove", "x", "--add", "z", "--run-id", "2")
    look(store, "tag", "remove", "y", "absent", "--run-id", "2")
    listed = look(store, "tag", "list", "2", "--hide-system-tags")
    assert listed.stdout == "  * z\n"


def test_flat_tags_stand_on_stderr_behind_one_line(store: Path) -> None:
    done = look(store, "tag", "list", "--flat", "--hide-system-tags", "--run-id", "1")

    assert done.stdout == ""
    assert done.stderr.splitlines()[1:] == ["good"]
    quiet = look(store, "--quiet", "tag", "list", "1", "--hide-system-tags")
    assert (quiet.stdout, quiet.stderr) == ("", "  * good\n")


def test_tags_are_grouped_by_tag_or_by_run(store: Path) -> None:
    assert "* good: 1\n" in look(store, "tag", "list", "--group-by-tag").stdout
    by_run = look(store, "tag", "list", "--group-by-run", "--hide-system-tags").stdout
    assert by_run.splitlines()[-2:] == ["1", "  * good"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["add", "x"], 1, "--run-id 3"),
        (["add", "x", "--run-id", "99"], 1, "no run '99'"),
        (["add", "x", "--run-id", "1"], 1, "not in the namespace"),
        (["remove", "user:tester", "--run-id", "1"], 1, "system tag"),
        (["add", "x" * 501, "--run-id", "1"], 1, "1 to 500 characters"),
        (["replace", "--remove", "x", "--run-id", "1"], 2, "--add"),
        (["list", "1", "--all"], 2, "together"),
        (["list", "--group-by-tag", "--group-by-run"], 2, "together"),
    ],
)
def test_tags_that_cannot_be_changed_say_why(
    store: Path, arguments: list[str], code: int, words: str
) -> None:
    user = "somebody" if "namespace" in words else "tester"

    done = look(store, "tag", *arguments, SWELL_USER=user)

    assert (done.code, words in done.stderr) == (code, True), done.stderr


# --- cards -------------------------------------------------------------------------------


def test_cards_are_listed_and_got(store: Path, tmp_path: Path) -> None:
    assert look(store, "card", "list", "1").stdout.count("1/start/1") == 2
    listed = json.loads(look(store, "card", "list", "1/start", "--as-json").stdout)
    assert listed["pathspec"] == "SumFlow/1/start/1"
    first = listed["cards"][0]
    html = look(store, "card", "get", "1/start", "--hash", first["hash"][:6]).stdout
    assert html.startswith("<!doctype html>")
    file = tmp_path / "card.html"
    assert look(store, "card", "get", "1/start/1", str(file), "--id", "second").code == 0
    assert file.read_text().startswith("<!doctype html>")


def test_a_bare_step_is_that_of_the_latest_run_whose_cards_come_from_its_origin(
    store: Path,
) -> None:
    assert "3/start/1" in look(store, "card", "list", "start").stdout
    none = look(store, "card", "list", "start", "--no-follow-resumed")
    assert (none.code, none.stdout) == (0, "")


def test_view_without_a_screen_says_where_the_file_is(store: Path) -> None:
    done = look(store, "card", "view", "1/start", "--id", "second", DISPLAY="", WAYLAND_DISPLAY="")

    assert Path(done.stdout.strip()).read_text().startswith("<!doctype html>")


def test_several_cards_and_none_are_told_with_how_to_choose(store: Path) -> None:
    several = look(store, "card", "get", "1/start")
    assert several.code == 1
    assert several.stderr.count("1/start/1") == 2
    assert "--id or --hash" in several.stderr
    none = look(store, "card", "get", "1/square")
    assert none.code == 1
    assert "has no card" in none.stderr


# --- swell -------------------------------------------------------------------------------


def test_swell_lists_runs_with_what_became_of_them(store: Path) -> None:
    listed = swell(store, "runs").stdout.splitlines()
    assert listed[0].split() == ["run", "status", "started", "took", "tasks", "tags"]
    assert [line.split()[:2] for line in listed[1:]] == [
        ["SumFlow/3", "failed"],
        ["SumFlow/2", "failed"],
        ["SumFlow/1", "done"],
    ]
    assert (
        swell(store, "runs", "SumFlow", "--status", "done", "--tag", "good").stdout.count(
            "SumFlow/"
        )
        == 1
    )
    assert swell(store, "runs", "SimFlow").code == 1
    assert "SumFlow" in swell(store, "runs", "SimFlow").stderr


def test_swell_shows_a_run_its_failure_and_how_to_go_on(store: Path) -> None:
    text = swell(store, "show", "2").stdout

    assert "SumFlow/2 · failed" in text
    assert "2/square/3 failed (2 attempts): user error: ValueError: no ones here" in text
    assert 'raise ValueError("no ones here")' in text
    assert "python sums.py resume --origin-run-id 2" in text
    assert "taken over" in swell(store, "show", "SumFlow/3").stdout


def test_swell_lists_artifacts_without_loading_them(store: Path) -> None:
    run_wide = swell(store, "artifacts", "1").stdout
    assert "0 · 1 · 4" in run_wide
    one = swell(store, "artifacts", "SumFlow/1/join").stdout.splitlines()
    assert one[0].split() == ["name", "type", "size", "value"]
    assert any(line.split() == ["total", "int", "5", "B", "5"] for line in one)


def test_swell_shows_logs_of_any_flow(store: Path) -> None:
    assert swell(store, "logs", "SumFlow/1/start", "--stdout").stdout == "made the list\n"


def test_a_new_script_runs_as_it_is_and_is_never_overwritten(tmp_path: Path) -> None:
    assert swell(tmp_path, "new", "train").code == 0

    done = run(tmp_path / "train.py", "run", store=tmp_path)

    assert "The sum of 5 squares is 55." in done.stdout
    again = swell(tmp_path, "new", "train")
    assert again.code == 1
    assert "train.py is there already" in again.stderr


def test_swell_without_a_store_says_how_to_begin(tmp_path: Path) -> None:
    done = swell(tmp_path, "runs")
    assert (done.code, done.stdout) == (0, "")
    assert "swell new" in done.stderr
    assert swell(tmp_path, "show").code == 1


def test_the_doctor_tells_machine_store_and_settings_with_their_source(store: Path) -> None:
    text = swell(store, "doctor").stdout

    for words in ("cores", "memory", "3 runs of 1 flow", "isolation", "pylint"):
        assert words in text
    (root,) = [line for line in text.splitlines() if "SWELL_ROOT" in line]
    assert root.endswith("(environment)")


def test_wrong_commands_and_options_exit_2_with_what_was_meant(store: Path) -> None:
    for done, words in (
        (look(store, "dmup", "1/start"), "'dump'"),
        (look(store, "dump"), "PATH"),
        (look(store, "logs", "1/start", "--attempt", "x"), "attempt"),
        (swell(store, "rnus"), "'runs'"),
        (swell(store, "runs", "--status", "odd"), "odd"),
    ):
        assert done.code == 2
        assert words in done.stderr


def test_a_store_can_be_named_before_the_command(store: Path, tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    assert look(store, "--datastore-root", elsewhere, "run", "--n", "1").code == 0

    done = look(store, "--datastore-root", elsewhere, "logs", "1/square")

    assert done.stdout == "100 %\n"
    assert look(store, "logs", "1/square").stdout.count("100 %") == 3
