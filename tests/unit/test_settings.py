"""Settings come from the environment, else from a file of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell.errors import UsageError
from swell.settings import load_settings


def in_home(home: Path, **variables: str) -> dict[str, str]:
    return {"SWELL_HOME": str(home), **variables}


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings(in_home(tmp_path))
    assert (settings.isolation, settings.user) == ("auto", None)


def test_the_settings_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('user = "ada"\nisolation = "fresh"\n')
    settings = load_settings(in_home(tmp_path))
    assert (settings.user, settings.isolation) == ("ada", "fresh")


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('user = "ada"\n')
    assert load_settings(in_home(tmp_path, SWELL_USER="grace")).user == "grace"


def test_a_profile_is_read_instead_of_the_common_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('user = "ada"\n')
    (tmp_path / "team.toml").write_text('isolation = "fork"\n')
    settings = load_settings(in_home(tmp_path, SWELL_PROFILE="team"))
    assert (settings.user, settings.isolation) == (None, "fork")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user = ", "is not TOML"),
        ('usr = "ada"', "'usr', which is not a setting"),
        ("user = [1]", "gives 'user' [1]"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(UsageError, match="config") as raised:
        load_settings(in_home(tmp_path))
    assert told in str(raised.value)


def test_a_profile_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text("")
    with pytest.raises(UsageError, match=r"no profile 'tema'.*Profiles there: team"):
        load_settings(in_home(tmp_path, SWELL_PROFILE="tema"))


def test_the_profile_of_the_sandbox_says_how_to_start_it(tmp_path):
    with pytest.raises(UsageError, match="swell sandbox up"):
        load_settings({"SWELL_HOME": str(tmp_path), "SWELL_PROFILE": "sandbox"})
