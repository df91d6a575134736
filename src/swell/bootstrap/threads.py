"""The variables by which numerical libraries learn how many threads to compute in."""

from __future__ import annotations

from collections.abc import Mapping

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
"""Read by a library when it is loaded, or when it first computes."""


def thread_variables(count: int, environ: Mapping[str, str]) -> dict[str, str]:
    """What limits libraries to ``count`` threads; nothing where ``environ`` has one of the
    variables already: it says what the user wants."""
    if any(name in environ for name in THREAD_VARIABLES):
        return {}
    return dict.fromkeys(THREAD_VARIABLES, str(count))
