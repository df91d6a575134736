"""Finds out which libraries the threads of this process belong to.

Most libraries do not name their threads, and a count alone says nothing. A sleeping
thread's stack does: the first code on it that is not the C or C++ runtime's is its owner's.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from typing import NamedTuple

_BY_NAME = (
    # Names as the kernel cuts them: 15 characters.
    ("jemalloc_bg_thd", "jemalloc"),
    ("polars-ooc-clea", "polars-idle"),
    ("polars-", "polars"),
    ("grpc_global_tim", "grpc"),
    ("event_engine", "grpc"),
    ("lifeguard", "grpc"),
    ("cuda-", "cuda"),
    ("tf_", "tensorflow"),
)
_BY_LIBRARY = (
    ("openblas", "openblas"),
    ("libmkl", "mkl"),
    ("libarrow", "arrow"),
    ("libgomp", "openmp"),
    ("libiomp", "openmp"),
    ("libomp", "openmp"),
    ("_polars", "polars"),
    ("_duckdb", "duckdb"),
    ("cv2.", "opencv"),
    ("libtorch", "torch"),
    ("libc10", "torch"),
    ("libtensorflow", "tensorflow"),
    ("_pywrap_tensorflow", "tensorflow"),
    ("libjax", "jax"),
    ("xla_extension", "jax"),
    ("libcuda", "cuda"),
    ("libpython", "python"),
    ("python", "python"),
)
_RUNTIME = ("libc.", "libc-", "ld-", "libstdc++", "libgcc", "libpthread", "libm.", "libm-")
_STACK_BYTES = 8192
_WORDS_WITH_STACK = 3  # "running" is one word
# OpenBLAS lets its threads spin for some 30 ms after work before they sleep.
_LOOKS, _LOOK_EVERY_S = 40, 0.005
_OPENMP = ("libgomp", "libiomp5", "libomp")


class Code(NamedTuple):
    """The executable mappings of this process, sorted by address."""

    starts: list[int]
    ends: list[int]
    names: list[str]

    def file_at(self, address: int) -> str:
        """The file name of the library whose code is at ``address``, or ""."""
        at = bisect_right(self.starts, address) - 1
        return self.names[at] if at >= 0 and address < self.ends[at] else ""


def count_by_owner() -> dict[str, int]:
    """How many threads besides the main one each library runs; Linux only.

    Owners are the words of ``isolation``, or the file name of a library that is not
    known there, or ``unknown``. A process with one thread costs one directory listing.
    """
    main = str(os.getpid())
    threads = [tid for tid in os.listdir("/proc/self/task") if tid != main]
    if not threads:
        return {}
    owners: dict[str, int] = {}
    unnamed = []
    for tid in threads:
        name = _read(f"/proc/self/task/{tid}/comm").decode(errors="replace").strip()
        owner = owner_of_name(name)
        if owner:
            owners[owner] = owners.get(owner, 0) + 1
        else:
            unnamed.append(tid)
    if unnamed:
        code = _executable_code()
        memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            for tid in unnamed:
                owner = _owner_of_stack(tid, code, memory)
                if owner:
                    owners[owner] = owners.get(owner, 0) + 1
        finally:
            os.close(memory)
    return owners


def owner_of_name(name: str) -> str:
    """Whose threads bear ``name``; "" where the name says nothing."""
    return next((owner for start, owner in _BY_NAME if name.startswith(start)), "")


def owner_of_library(library: str) -> str:
    """Whose code is in the file ``library``; the file's own name where that is not known."""
    name = library.lower()
    return next((owner for part, owner in _BY_LIBRARY if part in name), library)


def rest_openmp() -> None:
    """End the idle threads of loaded OpenMP runtimes; they start again when next needed.

    GNU's runtime has no fork handler: a child of a process that once ran a parallel region
    waits for ever in its first one. After ``omp_pause_resource_all`` (OpenMP 5.0) there is
    nothing left to wait for. Runtimes without it are left as they are.
    """
    if len(os.listdir("/proc/self/task")) == 1:
        return
    paths = {path for _span, path in _code_mappings() if _file_name(path).startswith(_OPENMP)}
    if not paths:
        return
    import ctypes

    for path in sorted(paths):
        try:
            library = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_NOLOAD)
            library.omp_pause_resource_all(_OMP_PAUSE_HARD)
        except (OSError, AttributeError):
            continue


_OMP_PAUSE_HARD = 2


def _owner_of_stack(tid: str, code: Code, memory: int) -> str:
    """The owner of a sleeping thread; "" if it has ended meanwhile."""
    try:
        call = _wait_for_sleep(tid)
        if len(call) < _WORDS_WITH_STACK:
            return "unknown"
        stack, instruction = int(call[-2], 16), int(call[-1], 16)
        data = os.pread(memory, _STACK_BYTES, stack)
    except FileNotFoundError:
        return ""
    except OSError:
        return "unknown"
    return find_owner([instruction, *memoryview(data[: len(data) // 8 * 8]).cast("Q")], code)


def find_owner(addresses: list[int], code: Code) -> str:
    """Whose thread has ``addresses`` on its stack, innermost first.

    The interpreter counts only if nothing else is found: it may lie so low in memory that
    plain numbers look like its addresses, and it may have called the library.
    """
    owner = "unknown"
    for address in addresses:
        library = code.file_at(address)
        if library and not library.startswith(_RUNTIME):
            owner = owner_of_library(library)
            if owner != "python":
                return owner
    return owner


def _wait_for_sleep(tid: str) -> list[bytes]:
    """The fields of the system call that the thread sleeps in; fewer if it does not sleep."""
    for _ in range(_LOOKS):
        call = _read(f"/proc/self/task/{tid}/syscall").split()
        if len(call) >= _WORDS_WITH_STACK:
            break
        time.sleep(_LOOK_EVERY_S)
    return call


def _executable_code() -> Code:
    code = Code([], [], [])
    for span, path in _code_mappings():
        start, _, end = span.partition(b"-")
        code.starts.append(int(start, 16))
        code.ends.append(int(end, 16))
        code.names.append(_file_name(path))
    return code


def _code_mappings() -> list[tuple[bytes, str]]:
    """Addresses and file of each executable mapping, by address (proc_pid_maps(5))."""
    found = []
    for line in _read("/proc/self/maps").splitlines():
        if b" r-xp " in line:
            fields = line.split(maxsplit=5)
            if len(fields) == 6 and fields[5].startswith(b"/"):
                found.append((fields[0], os.fsdecode(fields[5])))
    return found


def _file_name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
