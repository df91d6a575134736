"""Writing settings into a file that may hold others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swell.errors import UsageError
from swell.settings import parse_settings
from swell.settings_file import file_text, with_values, write_settings


def parse(data: bytes) -> dict[str, str]:
    return parse_settings(data, "f.toml")


def test_lines_of_others_and_comments_stay_as_they_are() -> None:
    text = '# mine\nuser = "ada"\n\n  "batch_queue"="old" # for now\n'

    written = with_values(text, {"batch_queue": "new", "aws_region": "eu-west-1"}, parse, "f.toml")

    assert written == ('# mine\nuser = "ada"\n\nbatch_queue = "new"\naws_region = "eu-west-1"\n')


def test_values_with_odd_characters_are_read_back_as_they_were() -> None:
    values = {"user": 'Åsa "x" \\ y\t'}

    assert (
        with_values(with_values("", values, parse, "f.toml"), values, parse, "f.toml").count("user")
        == 1
    )


def test_a_value_over_several_lines_is_left_alone_and_said() -> None:
    with pytest.raises(UsageError, match="cannot be changed here") as caught:
        with_values('user = """a\nb"""\n', {"user": "c"}, parse, "f.toml")

    assert caught.value.remedy


def test_a_file_keeps_its_rights_and_the_link_that_leads_to_it(tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.toml"
    target.write_text('user = "ada"\n')
    target.chmod(0o600)
    link = tmp_path / "home" / "config.toml"
    link.parent.mkdir()
    link.symlink_to(target)

    write_settings(str(link), 'user = "bob"\n')

    assert link.is_symlink()
    assert target.read_text() == 'user = "bob"\n'
    assert target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(link.parent) == ["config.toml"]


def test_a_file_that_is_not_there_is_empty_and_its_folder_is_made(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "team.toml")

    assert file_text(path) == ""
    write_settings(path, 'user = "ada"\n')

    assert file_text(path) == 'user = "ada"\n'


def test_a_folder_where_one_may_not_write_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="cannot be written"):
        write_settings(str(tmp_path / "file" / "team.toml"), "")
