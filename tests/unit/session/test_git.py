"""A repository's branch, commit and address are read from its files, secrets left out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from swell.session.git import git_info

SHA = "0123456789" * 4


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git = tmp_path / "repository" / ".git"
    (git / "refs/heads/topic").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/topic/new\n")
    (git / "refs/heads/topic/new").write_text(SHA + "\n")
    (git / "config").write_text("[core]\n\tbare = false\n")
    return git.parent


def facts(folder: Path) -> dict[str, str]:
    text = git_info(str(folder))
    assert text is not None
    found: dict[str, str] = json.loads(text)
    return found


def test_a_branch_is_found_from_a_folder_below(repository: Path) -> None:
    (repository / "a" / "b").mkdir(parents=True)
    assert facts(repository / "a" / "b") == {"branch_name": "topic/new", "commit_sha": SHA}


def test_a_branch_may_be_packed_away(repository: Path) -> None:
    (repository / ".git/refs/heads/topic/new").unlink()
    (repository / ".git/packed-refs").write_text(f"# pack-refs\n{SHA} refs/heads/topic/new\n")
    assert facts(repository)["commit_sha"] == SHA


def test_a_commit_without_a_branch(repository: Path) -> None:
    (repository / ".git/HEAD").write_text(SHA + "\n")
    assert facts(repository) == {"commit_sha": SHA}


def test_a_branch_without_a_commit_yet(repository: Path) -> None:
    (repository / ".git/refs/heads/topic/new").unlink()
    assert facts(repository) == {"branch_name": "topic/new"}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("https://example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://ann:token@example.org/a/b@c.git", "https://example.org/a/b@c.git"),
        ("ssh://git@example.org:22/a.git", "ssh://example.org:22/a.git"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
    ],
)
def test_the_address_of_origin_without_user_and_token(
    repository: Path, written: str, told: str
) -> None:
    (repository / ".git/config").write_text(
        '[remote "fork"]\n\turl = https://other.org\n[remote "origin"]\n'
        f'\tfetch = +refs/*\n\turl = {written}\n[branch "x"]\n\turl = no\n'
    )
    assert facts(repository)["repo_url"] == told


def test_outside_of_a_repository_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert git_info(str(tmp_path)) is None


@pytest.mark.parametrize("damage", ["HEAD", "config"])
def test_a_damaged_repository_is_no_reason_to_fail(repository: Path, damage: str) -> None:
    (repository / ".git" / damage).unlink()
    assert git_info(str(repository)) is None


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_it_agrees_with_git_in_a_worktree(tmp_path: Path) -> None:
    def git(*arguments: str, cwd: Path) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    main, other = tmp_path / "main", tmp_path / "other"
    main.mkdir()
    git("init", "-q", cwd=main)
    git("commit", "-q", "--allow-empty", "-m", "one", cwd=main)
    git("worktree", "add", "-q", "-b", "side", str(other), cwd=main)
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=other)
    assert facts(main)["commit_sha"] == git("rev-parse", "HEAD", cwd=main)
    expected = {"branch_name": "side", "commit_sha": git("rev-parse", "HEAD", cwd=other)}
    assert facts(other) == expected
