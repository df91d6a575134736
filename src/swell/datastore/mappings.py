"""Which memory of this process still shows a stored file as it is.

A page of a private mapping that was written to is no longer the file's: the kernel counts it
as anonymous. So a look at those counts tells what hashing every byte would.
"""

from __future__ import annotations

from swell.seams.storage import Mapped

_SMAPS = "/proc/self/smaps"
_WRITTEN = (b"Anonymous:", b"Swap:")
# The last line of a mapping's paragraph.
_END = b"\nVmFlags:"


def untouched_mappings(inode: int, name: str) -> list[Mapped]:
    """Mappings of the file ``name`` (without folder) that were never written to. OSError where
    the system does not tell."""
    with open(_SMAPS, "rb") as file:
        return read_untouched(file.read(), inode, name)


def read_untouched(text: bytes, inode: int, name: str) -> list[Mapped]:
    """The same from the text of ``/proc/PID/smaps`` (see proc_pid_smaps(5)). A mapping whose
    counts are missing counts as written to."""
    found = []
    wanted = b"/" + name.encode()
    at = text.find(wanted)
    while at >= 0:
        start, end = text.rfind(b"\n", 0, at) + 1, text.find(_END, at)
        head, *lines = text[start : end if end >= 0 else len(text)].split(b"\n")
        mapped = _mapped(head, inode, wanted)
        counts = [words[1] for line in lines if (words := line.split())[0] in _WRITTEN]
        if mapped is not None and counts == [b"0"] * len(_WRITTEN):
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
