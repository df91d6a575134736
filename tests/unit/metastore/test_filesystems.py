"""Which places SQLite must not use shared memory in."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell.metastore.filesystems import network_file_system

MOUNTS = r"""/dev/sda / ext4 rw 0 0
proc /proc proc rw 0 0
srv:/users /users nfs4 rw 0 0
/dev/sdb /users/ann/local xfs rw 0 0
mgs:/lustre /scratch lustre rw 0 0
srv:/x /mnt/my\040data nfs rw 0 0
tmpfs /cover tmpfs rw 0 0
srv:/y /cover nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/data", None),
        ("/users/bob/.swell", "nfs4"),
        ("/users/ann/local/.swell", None),
        ("/userspace", None),
        ("/scratch", "lustre"),
        ("/mnt/my data/x", "nfs"),
        ("/cover/x", "nfs"),
    ],
)
def test_the_innermost_mount_says_whether_a_place_is_on_a_network(
    place: str, kind: str | None
) -> None:
    assert network_file_system(Path(place), lambda: MOUNTS) == kind


def test_without_a_list_of_mounts_a_place_counts_as_local() -> None:
    assert network_file_system(Path("/users"), lambda: "") is None
