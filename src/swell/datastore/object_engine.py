"""The obstore package, loaded when first used, and made new in a forked process.

obstore keeps one runtime of threads a process. A process forked after its first use has
the runtime without its threads, and every call would wait for ever. There a second copy of
the extension is loaded, which brings a runtime of its own (0.1 s).
"""

from __future__ import annotations

import os
import sys
from typing import Any

from swell.errors import StoreError


class _Owner:
    """Which process the loaded runtime belongs to; it is one a process, as is this fact."""

    pid: int | None = None


_OWNER = _Owner()


def engine() -> Any:
    """The package ``obstore``. Raises StoreError when it is not installed."""
    pid = os.getpid()
    if _OWNER.pid is not None and _OWNER.pid != pid:
        _load_second_copy()
    try:
        import obstore
        import obstore.store  # an attribute of the package from here on
    except ImportError as error:
        raise StoreError(
            "Object stores need the package 'obstore', which is not installed.",
            remedy="Install it: pip install 'swell[s3]'.",
        ) from error
    _OWNER.pid = pid
    return obstore


def _load_second_copy() -> None:
    import importlib.machinery
    import importlib.util

    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        del sys.modules[name]
    found = importlib.util.find_spec("obstore._obstore")
    if found is None or found.origin is None or not hasattr(os, "memfd_create"):
        raise StoreError(
            "This process was forked from one that had already used an object store.",
            remedy="Use the object store in the forked processes only, or start them with "
            "multiprocessing's 'spawn'.",
        )
    # find_spec has imported the package, and with it the extension that must not be used.
    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        del sys.modules[name]
    # The loader knows files by their inode: the same bytes in another file are a new library.
    copy = os.memfd_create("obstore", os.MFD_CLOEXEC)
    with open(found.origin, "rb") as library:
        size = os.fstat(library.fileno()).st_size
        at = 0
        while at < size:
            at += os.sendfile(copy, library.fileno(), at, size - at)
    path = f"/proc/self/fd/{copy}"
    loader = importlib.machinery.ExtensionFileLoader("obstore._obstore", path)
    spec = importlib.util.spec_from_file_location("obstore._obstore", path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    os.close(copy)
    sys.modules["obstore._obstore"] = module
