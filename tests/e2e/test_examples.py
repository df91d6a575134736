"""Every example runs from the command line and gives what its docstring promises."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.terminal import artifacts, python, run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_every_example_is_tested_here() -> None:
    tested = Path(__file__).read_text()
    assert [p.name for p in EXAMPLES.glob("*.py") if f'EXAMPLES / "{p.name}"' not in tested] == []


def test_bigsum_sums_a_matrix_and_hands_the_sum_on(tmp_path: Path) -> None:
    script = EXAMPLES / "bigsum.py"
    done = run(script, "run", "--n", "200", store=tmp_path)
    (end,) = artifacts("BigSumFlow/1/end", store=tmp_path)
    assert end["n"] == 200
    assert 0.9 < end["sum"] / 200**2 < 1.1
    assert f"sum is: {end['sum']}" in done.stdout


def test_flights_studies_every_carrier_and_reports(tmp_path: Path) -> None:
    script = EXAMPLES / "flights.py"
    run(script, "run", "--rows", "20000", store=tmp_path)
    (end,) = artifacts("FlightsFlow/1/end", store=tmp_path)
    assert len(end["table"]) == 16
    assert end["table"]["bad_day"].is_monotonic_increasing
    html = run(script, "--quiet", "card", "get", "1/end", store=tmp_path).stdout
    assert "Leaving New York" in html
    assert "made_up" in html


def test_search_keeps_the_settings_with_the_best_score(tmp_path: Path) -> None:
    script = EXAMPLES / "search.py"
    run(script, "run", "--trees", "8", "--folds", "2", "--metric", "accuracy", store=tmp_path)
    (end,) = artifacts("SearchFlow/1/end", store=tmp_path)
    scores = [score for score, _, _ in end["tried"]]
    assert len(scores) == 6
    assert end["best"] == max(end["tried"], key=lambda row: row[0])[2]
    assert end["accuracy"] > 0.8


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler g++ here")
def test_kernel_counts_the_area_with_compiled_code(tmp_path: Path) -> None:
    script = EXAMPLES / "kernel.py"
    run(script, "run", "--width", "150", "--limit", "100", store=tmp_path)
    (end,) = artifacts("KernelFlow/1/end", store=tmp_path)
    assert end["image"].shape == (120, 150)
    assert 1.4 < end["area"] < 1.8


def test_kernel_says_what_to_install_where_there_is_no_compiler(tmp_path: Path) -> None:
    done = python(EXAMPLES / "kernel.py", "run", "--compiler", "no-such-compiler", store=tmp_path)
    assert done.code == 1
    assert "no-such-compiler" in done.stdout + done.stderr
    assert "apt-get install g++" in done.stdout + done.stderr


def test_nested_gives_each_join_the_months_of_its_own_city(tmp_path: Path) -> None:
    script = EXAMPLES / "nested.py"
    run(script, "run", "--months", "3", store=tmp_path)
    (end,) = artifacts("NestedFlow/1/end", store=tmp_path)
    assert list(end["hottest"]) == ["Bergen", "Cairo", "Lima"]
    assert end["hottest"]["Cairo"] > end["hottest"]["Bergen"]
    assert len(artifacts("NestedFlow/1/month", store=tmp_path)) == 9


def test_newton_repeats_a_step_until_the_root_is_good_enough(tmp_path: Path) -> None:
    script = EXAMPLES / "newton.py"
    run(script, "run", "--number", "2", store=tmp_path)
    rounds = artifacts("NewtonFlow/1/improve", store=tmp_path)
    assert [r["rounds"] for r in rounds] == list(range(1, len(rounds) + 1))
    assert [r["good_enough"] for r in rounds] == [False] * (len(rounds) - 1) + [True]
    assert abs(rounds[-1]["root"] ** 2 - 2) < Decimal("1e-29")


def test_newton_refuses_what_has_no_root_by_another_branch(tmp_path: Path) -> None:
    script = EXAMPLES / "newton.py"
    done = run(script, "run", "--number=-4", store=tmp_path)
    (end,) = artifacts("NewtonFlow/1/end", store=tmp_path)
    assert end["root"] is None
    assert "-4 has no real root" in done.stdout
