"""Folders with files in them, and git repositories."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from swell.package.code import CodePackage, PackageRules, make_code_package

LONG_AGO = 1_600_000_000


def fill(folder: Path, files: Mapping[str, str]) -> Path:
    """Write ``files`` (path → text), long ago."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


Pack = Callable[..., CodePackage]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Packs the folder of a script, without imports unless they are given."""

    def make(script: Path, modules: Mapping[str, object] | None = None, **rules) -> CodePackage:
        return make_code_package(
            str(script),
            PackageRules(**rules),
            modules=modules or {},
            cache_folder=str(tmp_path / "cache"),
        )

    return make
