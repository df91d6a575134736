"""Zip files that depend on names and contents alone: the same files give the same bytes."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable
from typing import NamedTuple

from swell.errors import FlowError

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # before it zip files know no time
_UNIX = 3
_LARGE = 1 << 30
_BLOCK = 1 << 20


class Member(NamedTuple):
    """A file of an archive: ``name`` in it, with ``/`` between folders, and ``source`` here,
    or its ``content``."""

    name: str
    source: str
    size: int
    is_executable: bool = False
    content: bytes | None = None


class Packed(NamedTuple):
    """A file in an archive and its size before compression, in bytes."""

    name: str
    size: int


def write_archive(path: str, members: Iterable[Member]) -> int:
    """Write a zip of ``members``, in the order of their names; returns how many.

    Raises FlowError for a file that cannot be read, or whose name no other system can hold.
    """
    count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in sorted(members):
            info = zipfile.ZipInfo(member.name, _EARLIEST)
            info.create_system = _UNIX
            info.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if member.is_executable else 0o644
            info.external_attr = (0o100000 | mode) << 16
            try:
                _write(archive, info, member)
            except UnicodeEncodeError as error:
                raise FlowError(
                    f"The name of {member.source!r} is not UTF-8, and other machines cannot "
                    "have it.",
                    remedy="Rename it, or name it in .swellignore.",
                ) from error
            count += 1
    return count


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, member: Member) -> None:
    if member.content is not None:
        archive.writestr(info, member.content)
        return
    try:
        source = open(member.source, "rb")  # noqa: SIM115  # the 'with' is below
    except OSError as error:
        raise FlowError(
            f"{member.source} would travel to remote tasks, and cannot be read: {error.strerror}.",
            remedy="Make it readable, or name it in .swellignore.",
        ) from error
    with source, archive.open(info, "w", force_zip64=member.size > _LARGE) as target:
        shutil.copyfileobj(source, target, _BLOCK)


def read_listing(path: str) -> list[Packed]:
    """What is in an archive that ``write_archive`` made."""
    with zipfile.ZipFile(path) as archive:
        return [Packed(info.filename, info.file_size) for info in archive.infolist()]
