"""A store with runs that went well, failed, were resumed, tagged, and those of somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swell.client.access import ACCESS
from swell.session.looking import open_stores, own_namespace
from tests.e2e.terminal import python, run

SCRIPTS = Path(__file__).parent / "scripts"


def make_story_store(folder: Path) -> Path:
    """Run the scripts in ``folder``; runs of StoryFlow are numbered as commented."""
    for script in SCRIPTS.glob("*.py"):
        shutil.copy(script, folder)
    (folder / "notes.txt").write_text("some notes\n")
    (folder / ".git" / "refs" / "heads").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".git" / "refs" / "heads" / "main").write_text("c0ffee" * 6 + "c0ff\n")
    (folder / ".git" / "config").write_text(
        '[remote "origin"]\n\turl = https://ann:secret@example.org/ann/story.git\n'
    )
    story = folder / "story.py"
    # 1: well, with tags
    run(story, "run", "--n", "3", "--tag", "red", "--tag", "blue", store=folder)
    # 2: fails at its end
    (folder / "broken").touch()
    assert python(story, "run", "--tag", "red", store=folder).code == 1
    (folder / "broken").unlink()
    # 3: resumes 2, and goes well
    run(story, "resume", store=folder)
    # 4: somebody else's
    run(story, "run", store=folder, SWELL_USER="somebody")
    run(folder / "gang.py", "run", store=folder)
    return folder


@contextmanager
def looked_at(folder: Path, *, user: str = "tester") -> Iterator[None]:
    """The client of this process looks at the store in ``folder``, as ``user``."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SWELL_")]:
            patch.delenv(name)
        patch.setenv("SWELL_ROOT", str(folder / ".swell"))
        patch.setenv("SWELL_USER", user)
        _look_anew()
        yield
    _look_anew()


def _look_anew() -> None:
    ACCESS.forget_namespace()
    ACCESS.install_opener(open_stores, default_namespace=own_namespace)


def in_other_process(
    code: str, cwd: Path, *, user: str = "tester"
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter that knows no setting but the user."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SWELL_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**environ, "SWELL_USER": user},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
