"""What the README and the tutorial tell people to type works, and shows what they show.

A Python block that begins with ``# name.py`` is that file. In a console block, lines that
begin with ``$`` are typed; the lines under one must each be found in what it prints. A
command that is to fail says so: ``# fails with code 1``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "docs/tutorial.md", "docs/data.md", "docs/coming-from-metaflow.md",
         "docs/scaling.md", "docs/failures.md"]  # fmt: skip
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FAILS = re.compile(r"\s+# fails with code (\d+)$")


class Typed(NamedTuple):
    """A command, the code it must end with, and what it must show."""

    command: str
    code: int
    shows: list[str]


def typed(block: str) -> list[Typed]:
    """The commands of a console block."""
    found: list[Typed] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            fails = FAILS.search(line)
            command = FAILS.sub("", line[2:])
            found.append(Typed(command, int(fails.group(1)) if fails else 0, []))
        elif line.strip() not in ("", "…"):
            found[-1].shows.append(line.strip())
    return found


def type_in(command: str, folder: Path) -> tuple[int, str]:
    """Run one line in a shell, with this Python first on the path; code and all output."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SWELL_")}
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={
            **environ,
            "SWELL_USER": "tester",
            "SWELL_HOME": str(folder / ".home"),
            "SWELL_SANDBOX": str(folder / ".sandbox"),
            "SWELL_SANDBOX_RUNNER": "process",
            "SWELL_REMOTE_POLL_S": "0.2",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a page is tried; a sandbox that it leaves up ends with the test."""
    yield tmp_path
    if (tmp_path / ".sandbox" / "sandbox.json").exists():
        type_in("swell sandbox down", tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_to_type_works_and_shows_what_it_shows(page: str, folder: Path) -> None:
    if "swell sandbox up" in (ROOT / page).read_text():
        pytest.importorskip("moto")
    for kind, block in BLOCK.findall((ROOT / page).read_text()):
        if kind == "python":
            named = re.match(r"# (\w+\.py)\n", block)
            if named:
                (folder / named.group(1)).write_text(block)
            continue
        for command, code, shows in typed(block):
            ended, output = type_in(command, folder)
            assert ended == code, f"$ {command}\n{output}"
            for line in shows:
                assert line in output, f"$ {command}\n{output}"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_every_page_with_commands_is_tested_here() -> None:
    written = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {str(p.relative_to(ROOT)) for p in written if "```console" in p.read_text()}
    assert shown <= set(PAGES)
