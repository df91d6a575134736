"""Looks at this process once, after the user's script was imported and before any fork."""

from __future__ import annotations

import os
import sys

from swell.compute import os_threads, random_state
from swell.compute.isolation import ProcessFacts

_ACCELERATORS = ("/dev/nvidia", "/dev/kfd", "/dev/accel", "/dev/dri/render")
_FONTS = (".ttf", ".otf", ".ttc", ".afm")


def inspect_process() -> ProcessFacts:
    """The facts that ``choose_isolation`` judges.

    Puts idle OpenMP threads to rest first (see ``os_threads.rest_openmp``), which changes
    nothing for the script. Under a millisecond for a plain script; imports nothing heavy.
    """
    if sys.platform != "linux":
        return ProcessFacts(platform=sys.platform)
    os_threads.rest_openmp()
    python = python_threads()
    devices, handles = open_devices_and_handles()
    return ProcessFacts(
        platform=sys.platform,
        python_threads=python,
        # A Python thread stands on the interpreter's code: it is not counted twice.
        native_threads={} if python else os_threads.count_by_owner(),
        devices=devices,
        unseeded=random_state.find_unseeded(sys.modules.get("__main__")),
        handles=handles,
    )


def python_threads() -> tuple[str, ...]:
    """Names of live Python threads besides the main one."""
    threading = sys.modules.get("threading")
    if threading is not None:
        main = threading.main_thread()
        return tuple(thread.name for thread in threading.enumerate() if thread is not main)
    import _thread

    count = _thread._count()
    return ("a thread of _thread",) * max(0, count)


def open_devices_and_handles() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Accelerators, and files and connections, that were opened in this process.

    A descriptor that was inherited from the process's starter lacks close-on-exec, which
    Python sets on all that it opens itself; those are left out. So are files opened for
    appending, which siblings may share, and fonts, which Matplotlib opens again after a fork.
    """
    devices: dict[str, None] = {}
    handles: dict[str, None] = {}
    for number in os.listdir("/proc/self/fd"):
        if int(number) <= 2:
            continue
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue  # the descriptor of the listing itself
        if target.startswith(_ACCELERATORS):
            devices[os.path.basename(target)] = None
        elif target.startswith("socket:"):
            if _flags(number) & os.O_CLOEXEC:
                handles["a network connection or socket"] = None
        elif target.startswith("/") and not (
            target.startswith(("/dev/", "/proc/", "/memfd:")) or target.endswith(_FONTS)
        ):
            flags = _flags(number)
            if flags & os.O_CLOEXEC and not flags & (os.O_APPEND | os.O_DIRECTORY):
                handles[f"'{os.path.basename(target)}'"] = None
    return tuple(devices), tuple(handles)


def _flags(number: str) -> int:
    try:
        with open(f"/proc/self/fdinfo/{number}", "rb") as file:
            for line in file:
                if line.startswith(b"flags:"):
                    return int(line[6:], 8)
    except OSError:
        pass
    return 0
