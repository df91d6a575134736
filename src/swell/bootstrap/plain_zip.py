"""Reads zip files of plain files, as code packages are: ``zipfile`` takes 20 ms to load.

Where anything is out of the ordinary it says so, and ``zipfile`` has to do it.
"""

from __future__ import annotations

import os
import struct
import zlib

_ENTRY = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_END = struct.Struct("<4sHHHHIIH")
_STORED, _DEFLATED = 0, 8
_UTF8, _OTHER_FLAGS = 0x800, 0xF7F1
_FILE = 0o100000
_NONE_OF_64_BITS = 0xFFFFFFFF


class PlainFile:
    """A file of an archive, with its content and its permissions."""

    def __init__(self, name: str, content: bytes, is_executable: bool) -> None:
        self.name = name
        self.content = content
        self.is_executable = is_executable


def plain_files(data: bytes) -> list[PlainFile] | None:
    """The files of an archive; None where it is damaged, or holds anything but plain files with
    plain names.

    Checksums are not looked at: the hash of the whole was.
    https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
    """
    try:
        return _files(data)
    except (struct.error, zlib.error, UnicodeDecodeError):
        return None


def _files(data: bytes) -> list[PlainFile] | None:
    magic, disk, _, here, count, size, start, comment = _END.unpack(data[-_END.size :])
    if magic != b"PK\5\6" or disk or comment or here != count or count == 0xFFFF:
        return None
    if start + size + _END.size != len(data):
        return None
    found = []
    for _ in range(count):
        (magic, _, _, flags, method, _, _, _, packed, length, name_size, extra, remark, _, _,
         mode, at) = _ENTRY.unpack_from(data, start)  # fmt: skip
        name = data[start + _ENTRY.size :][:name_size].decode("utf-8" if flags & _UTF8 else "ascii")
        if magic != b"PK\1\2" or flags & _OTHER_FLAGS or not _is_plain(name):
            return None
        if mode >> 16 & 0o170000 not in (0, _FILE) or at == _NONE_OF_64_BITS:
            return None
        content = _content(data, at, packed, method)
        if content is None or len(content) != length:
            return None
        found.append(PlainFile(name, content, bool(mode >> 16 & 0o111)))
        start += _ENTRY.size + name_size + extra + remark
    return found


def _content(data: bytes, at: int, packed: int, method: int) -> bytes | None:
    head = _LOCAL.unpack_from(data, at)
    begin = at + _LOCAL.size + head[-2] + head[-1]
    content = data[begin : begin + packed]
    if head[0] != b"PK\3\4" or len(content) != packed:
        return None
    if method == _DEFLATED:
        return zlib.decompress(content, -zlib.MAX_WBITS)
    return content if method == _STORED else None


def _is_plain(name: str) -> bool:
    parts = name.split("/")
    return not {"", ".", ".."} & set(parts) and "\\" not in name and "\0" not in name


def write_files(files: list[PlainFile], folder: str) -> None:
    """Write them into a new ``folder``."""
    os.makedirs(folder)
    made = {folder}
    for one in files:
        path = os.path.join(folder, one.name)
        parent = os.path.dirname(path)
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        with open(path, "wb") as file:
            file.write(one.content)
            if one.is_executable:
                os.fchmod(file.fileno(), os.fstat(file.fileno()).st_mode & 0o777 | 0o111)
