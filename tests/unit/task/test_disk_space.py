"""A full disk is named with its free space, however the error came."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from swell.errors import StoreError
from swell.model.cause import Cause
from swell.task.causes import cause_of
from swell.task.disk_space import advice, full_disk_error, full_disk_words


def raised_by_a_real_write() -> OSError:
    try:
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(b"x")
    except OSError as error:
        return error
    raise AssertionError("/dev/full took a byte")


def behind(inner: BaseException, outer: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


FULL = OSError(errno.ENOSPC, "No space left on device", "/tmp/x/out.bin")
QUOTA = OSError(errno.EDQUOT, "Disk quota exceeded", "/tmp/x/out.bin")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (FULL, Cause.DISK_FULL),
        (QUOTA, Cause.DISK_FULL),
        (behind(FULL, StoreError("Writing '/s' failed.")), Cause.DISK_FULL),
        (behind(FULL, ValueError("cannot save")), Cause.DISK_FULL),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Cause.OUT_OF_MEMORY),
        (MemoryError(), Cause.OUT_OF_MEMORY),
        (behind(MemoryError(), RuntimeError("the solver failed")), Cause.OUT_OF_MEMORY),
        (OSError(errno.EFBIG, "File too large"), Cause.USER_ERROR),
        (OSError(errno.ENOENT, "No such file"), Cause.USER_ERROR),
    ],
)
def test_errors_that_tell_of_the_machine_have_its_cause(error: BaseException, cause: Cause) -> None:
    assert cause_of(error) is cause


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_write_that_found_no_room_is_a_full_disk() -> None:
    assert full_disk_error(raised_by_a_real_write()) is not None


def test_the_path_is_named_with_what_is_free_there(tmp_path: Path) -> None:
    words = full_disk_words(OSError(errno.ENOSPC, "full", str(tmp_path / "not" / "made.bin")))
    assert words.startswith(f"the disk of {tmp_path}/not/made.bin has ")
    assert " MB free of " in words
    assert "TMPDIR" in advice(words)


def test_a_quota_is_told_as_one(tmp_path: Path) -> None:
    words = full_disk_words(OSError(errno.EDQUOT, "quota", str(tmp_path)))
    assert words == f"the quota of this user on the disk of {tmp_path} is used up"


def test_an_error_without_a_path_where_no_disk_is_full_names_none() -> None:
    assert full_disk_words(OSError(errno.ENOSPC, "full"), ("/nowhere/at/all",)) == ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "swell-test", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True, timeout=30)


def fill(path: Path) -> None:
    with open(path, "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 18))


def test_an_error_without_a_path_names_the_disk_that_is_full(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        fill(small_disk / "big")
    assert caught.value.filename is None
    words = full_disk_words(caught.value, (str(small_disk),))
    assert words == f"the disk of {small_disk} has 0 MB free of 1 MB"
