"""A server that the sandbox starts sees nothing of the folder the user stands in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from swell.sandbox.server_process import ServerProcess


def test_a_users_script_named_like_a_module_does_not_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, users = tmp_path / "own", tmp_path / "users"
    own.mkdir()
    users.mkdir()
    (users / "cmd.py").write_text("raise SystemExit('the user meant something else')")
    monkeypatch.chdir(users)
    server = ServerProcess("example", own / "log")
    # As `python -m`, whose first place to look for modules is the working directory.
    server.launch([sys.executable, "-m", "pdb", "--help"])
    assert server.process is not None
    server.process.wait(60)
    assert (own / "log").read_text().startswith("usage: pdb")
