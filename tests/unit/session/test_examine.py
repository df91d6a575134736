"""What the doctor finds on a machine, and what it advises."""

from __future__ import annotations

from pathlib import Path

from swell.session.examine import Finding, examine
from swell.session.place import Place
from swell.settings import Settings, load_settings


def findings(settings: Settings, place: Place) -> dict[str, Finding]:
    return {
        finding.label: finding
        for section in examine(settings, place)
        for finding in section.findings
    }


def test_a_place_that_is_no_store_yet_is_said_and_not_made(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "sub" / ".swell"))

    found = findings(load_settings({}), place)

    assert "not there yet" in found["folder"].text
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_store_is_told_with_what_to_do(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    Path(place.database).write_bytes(b"no database at all, " * 100)

    found = findings(load_settings({}), place)

    assert "damaged" in found["folder"].text
    assert found["folder"].advice


def test_settings_are_shown_with_their_source(tmp_path: Path) -> None:
    found = findings(load_settings({"SWELL_ISOLATION": "fresh"}), Place(str(tmp_path)))

    assert found["SWELL_ISOLATION"].text == "fresh (environment)"
    assert found["SWELL_HOME"].text.endswith("(default)")
    assert found["SWELL_ROOT"].text == "not set"


def test_a_setting_that_means_nothing_is_told_with_what_would_do(tmp_path: Path) -> None:
    found = findings(load_settings({"SWELL_ISOLATION": "thread"}), Place(str(tmp_path)))

    assert found["isolation"].advice == "Set it to auto, fork or fresh."
