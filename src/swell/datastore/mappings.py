"""Which memory of this process still shows a stored file as it is.

A page of a private mapping that was written to is no longer the file's: the kernel counts it
as anonymous. So a look at the page table tells what hashing every byte would.
"""

from __future__ import annotations

import os

from swell.seams.storage import Mapped

_MAPS = "/proc/self/maps"
_PAGEMAP = "/proc/self/pagemap"
_READ_BYTES = 1 << 20
# The highest byte of an entry of pagemap (Documentation/admin-guide/mm/pagemap.rst).
_PRESENT, _SWAPPED, _FILE = 0x80, 0x40, 0x20
_UNWRITTEN = bytes(
    byte for byte in range(256) if not byte & _SWAPPED and (byte & _FILE or not byte & _PRESENT)
)
# The same question as one request, from Linux 6.7 on: struct pm_scan_arg in linux/fs.h.
_SCAN = 3 << 30 | 96 << 16 | ord("f") << 8 | 16
_SCAN_FILE, _SCAN_PRESENT, _SCAN_SWAPPED = 1 << 2, 1 << 3, 1 << 4


def untouched_mappings(inode: int, name: str) -> list[Mapped]:
    """Mappings of the file ``name`` (without folder) that were never written to. OSError where
    the system does not tell."""
    with open(_MAPS, "rb") as file:
        mapped = read_mapped(file.read(), inode, name)
    if not mapped:
        return []
    pagemap = os.open(_PAGEMAP, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return [one for one in mapped if not _was_written(pagemap, one)]
    finally:
        os.close(pagemap)


def read_mapped(text: bytes, inode: int, name: str) -> list[Mapped]:
    """Where a file is mapped, from the text of ``/proc/PID/maps`` (see proc_pid_maps(5))."""
    found = []
    wanted = b"/" + name.encode()
    at = text.find(wanted)
    while at >= 0:
        end = text.find(b"\n", at)
        line = text[text.rfind(b"\n", 0, at) + 1 : end if end >= 0 else len(text)]
        mapped = _mapped(line, inode, wanted)
        if mapped is not None:
            found.append(mapped)
        at = text.find(wanted, at + len(wanted))
    return found


def _mapped(line: bytes, inode: int, ending: bytes) -> Mapped | None:
    # 7f2c00000000-7f2c40000000 rw-p 00000000 fd:00 131 /store/blobs/ab/abcd… (deleted)
    fields = line.split(None, 5)
    if len(fields) < 6 or int(fields[4]) != inode:
        return None
    if not fields[5].removesuffix(b" (deleted)").endswith(ending):
        return None
    start, _, end = fields[0].partition(b"-")
    return Mapped(int(start, 16), int(end, 16), int(fields[2], 16))


def _was_written(pagemap: int, mapped: Mapped) -> bool:
    try:
        return scan_finds_written(pagemap, mapped)
    except OSError:
        return entries_show_written(pagemap, mapped)


def scan_finds_written(pagemap: int, mapped: Mapped) -> bool:
    """Ask the kernel for a page that is not the file's any more. OSError before Linux 6.7."""
    import ctypes
    import fcntl
    import struct

    region = (ctypes.c_uint64 * 3)()
    asked = struct.pack(
        "12Q",
        *(96, 0, mapped.start, mapped.end, 0, ctypes.addressof(region), 1, 1),
        *(_SCAN_FILE, _SCAN_FILE, _SCAN_PRESENT | _SCAN_SWAPPED, _SCAN_PRESENT),
    )
    found: int = fcntl.ioctl(pagemap, _SCAN, bytearray(asked))
    return found > 0


def entries_show_written(pagemap: int, mapped: Mapped) -> bool:
    """The same from the entries of the page table, eight bytes a page."""
    page = os.sysconf("SC_PAGE_SIZE")
    at, end = mapped.start // page * 8, mapped.end // page * 8
    while at < end:
        entries = os.pread(pagemap, min(_READ_BYTES, end - at), at)
        if not entries:
            raise OSError(f"{_PAGEMAP} ends at {at}")
        if entries[7::8].translate(None, _UNWRITTEN):
            return True
        at += len(entries)
    return False


def address_of(view: memoryview) -> int:
    """Where the bytes of a contiguous ``view`` are."""
    import ctypes

    class Buffer(ctypes.Structure):
        # The head of Py_buffer, and room for the rest of it: PEP 3118.
        _fields_ = [("buf", ctypes.c_void_p), ("rest", ctypes.c_void_p * 15)]

    buffer = Buffer()
    # Our own handle: argument types set on ctypes.pythonapi would be everybody's.
    python = ctypes.PyDLL(None)
    get, release = python.PyObject_GetBuffer, python.PyBuffer_Release
    get.argtypes = [ctypes.py_object, ctypes.POINTER(Buffer), ctypes.c_int]
    release.argtypes = [ctypes.POINTER(Buffer)]
    get(view, ctypes.byref(buffer), 0)
    try:
        return buffer.buf or 0
    finally:
        release(ctypes.byref(buffer))
