"""Limits the threads of numerical libraries in a process where they are already loaded.

Environment variables come too late there: each library is told by its own function.
"""

from __future__ import annotations

import os
import re
import sys

from swell.bootstrap.threads import thread_variables

__all__ = ["set_thread_count", "thread_variables"]

_LIBRARY = re.compile(rb"/lib(?:\w*openblas|[gi]?omp|mkl_rt|blis)[^/]*$")
# OpenBLAS is built with and without a prefix and a suffix for 64-bit integers.
_FUNCTIONS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
    "omp_set_num_threads",
    "MKL_Set_Num_Threads",
    "bli_thread_set_num_threads",
)
_MODULES = (
    ("torch", "set_num_threads"),
    ("pyarrow", "set_cpu_count"),
    ("cv2", "setNumThreads"),
    ("numexpr", "set_num_threads"),
)


def set_thread_count(count: int) -> None:
    """Let each numerical library of this process use ``count`` threads, from 1.

    Tells those that are loaded, and by the environment those that are loaded later and the
    programs started from here. A variable that is set already is left alone, and so is every
    library then: it says what the user wants.
    """
    variables = thread_variables(count, os.environ)
    if not variables:
        return
    os.environ.update(variables)
    for module_name, function_name in _MODULES:
        function = getattr(sys.modules.get(module_name), function_name, None)
        if function is not None:
            function(count)
    if sys.platform == "linux":
        _tell_libraries(count)


def _tell_libraries(count: int) -> None:
    with open("/proc/self/maps", "rb") as maps:
        mapped = {line[line.find(b"/") :].rstrip() for line in maps if b" r-xp " in line}
    paths = {path for path in mapped if _LIBRARY.search(path)}
    if not paths:
        return
    import ctypes

    for path in sorted(paths):
        try:
            library = ctypes.CDLL(os.fsdecode(path), mode=os.RTLD_NOW | os.RTLD_NOLOAD)
        except OSError:
            continue  # unloaded meanwhile
        for name in _FUNCTIONS:
            function = getattr(library, name, None)
            if function is not None:
                function(ctypes.c_int(count))
                break
