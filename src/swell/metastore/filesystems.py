"""Which file systems do not share memory between machines, so that SQLite's WAL fails there."""

from __future__ import annotations

import os
from collections.abc import Callable

# sqlite.org/wal.html: all processes must be on one machine, "WAL does not work over a
# network filesystem". Names as Linux prints them in /proc/self/mounts.
_NETWORK = frozenset(
    "nfs nfs4 lustre cifs smb3 smbfs beegfs gpfs ceph afs panfs wekafs pvfs2 orangefs "
    "fuse.sshfs fuse.glusterfs fuse.ceph fuse.juicefs".split()
)


def read_mounts() -> str:
    """The kernel's list of mounts; empty where there is none to read."""
    try:
        with open("/proc/self/mounts", errors="surrogateescape") as mounts:
            return mounts.read()
    except OSError:
        return ""


def network_file_system(path: str, mounts: Callable[[], str] = read_mounts) -> str | None:
    """The name of the network file system that holds ``path``, None if it is local."""
    place = os.path.realpath(path)
    best, kind = "", ""
    for line in mounts().splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = _unescape(fields[1])
        # Later mounts cover earlier ones on the same folder, hence >=.
        if len(mount) >= len(best) and _is_under(place, mount):
            best, kind = mount, fields[2]
    return kind if kind in _NETWORK else None


def _is_under(place: str, mount: str) -> bool:
    return mount == "/" or place == mount or place.startswith(mount + "/")


def _unescape(text: str) -> str:
    """Undo the kernel's octal escapes of blank, tab, newline and backslash."""
    for code, character in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        text = text.replace("\\" + code, character)
    return text
