"""Which images the sandbox has where jobs are processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from swell.sandbox.images import ImageMissing, Images, find_interpreter, python_version

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("python:3.12", "3.12"),
        ("python:3.12.4", "3.12"),
        ("python:3.12-slim-bookworm", "3.12"),
        ("docker.io/library/python:3.10", "3.10"),
        ("public.ecr.aws/docker/library/python:3.13.1-alpine", "3.13"),
        ("localhost:5000/python:3.11@sha256:0abc", "3.11"),
        ("python", OWN),
        ("python:3", OWN),
        ("python:latest", OWN),
        ("mypython:3.11", None),
        ("python/app:3.11", None),
        ("ubuntu", None),
        ("", None),
    ],
)
def test_official_python_images_are_known_by_their_names(image, version):
    assert python_version(image) == version


def test_an_interpreter_of_a_virtual_environment_is_not_taken(tmp_path: Path) -> None:
    for name in ("venv", "system"):
        program = tmp_path / name / "bin" / "python3.99"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    search = f"{tmp_path}/venv/bin:{tmp_path}/system/bin"
    assert find_interpreter("3.99", search) == tmp_path / "system/bin/python3.99"
    assert find_interpreter("3.98", search) is None


def test_an_image_is_made_once(tmp_path: Path) -> None:
    images = Images(tmp_path)
    assert images.search_path(f"python:{OWN}") == images.search_path(f"python:{OWN}-slim")
    assert [place.name for place in tmp_path.iterdir()] == [f"python-{OWN}"]


def test_a_missing_image_is_missing_the_second_time_too(tmp_path: Path) -> None:
    images = Images(tmp_path, search_path=str(tmp_path))
    for _ in range(2):
        with pytest.raises(ImageMissing, match=r"manifest for python:2\.7 not found"):
            images.search_path("python:2.7")
