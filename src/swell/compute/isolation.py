"""Decides whether a run's tasks are forked from this process or start as fresh interpreters.

Forking costs milliseconds, and is right only where a child can use everything it
inherits. Each rule below was tried on the real library, with a child that used it again.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Requested = Literal["auto", "fork", "fresh"]
Kind = Literal["fork", "fresh"]


class ProcessFacts(msgspec.Struct, frozen=True):
    """What a process holds after it imported the user's script.

    ``python_threads`` are names of live threads besides the main one. ``native_threads``
    counts the other threads by their owner (see ``os_threads``). ``devices`` are open
    accelerators. ``unseeded`` names module-level random generators that took their seed
    from the system. ``handles`` names open files and connections that siblings would share.
    """

    platform: str = "linux"
    python_threads: tuple[str, ...] = ()
    native_threads: dict[str, int] = {}
    devices: tuple[str, ...] = ()
    unseeded: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()


class Isolation(msgspec.Struct, frozen=True):
    """How tasks are started, and why, in words for the user.

    ``risk`` says what may go wrong where the user insists on forking, else it is empty.
    """

    kind: Kind
    why: str
    risk: str = ""


THREADS_THAT_FORK = frozenset(
    {
        "openblas",  # its own fork handlers end the threads before, and start them again
        "mkl",  # as OpenBLAS
        "arrow",  # a child notices that it was forked and makes a new pool
        "jemalloc",  # restarted by its fork handlers
        "polars-idle",  # imported and not used: its pool is made on first use
    }
)

THREADS_THAT_DO_NOT = {
    "polars": "Polars has started its thread pool, which does not survive a fork",
    "openmp": "OpenMP threads are running that this version of the library cannot put to rest",
    "grpc": "gRPC is running, and its connections do not survive a fork",
    "duckdb": "a DuckDB connection is open, and its threads do not survive a fork",
    "opencv": "OpenCV has started its thread pool, which does not survive a fork",
    "torch": "PyTorch has started threads, which do not survive a fork",
    "tensorflow": "TensorFlow has started threads, which do not survive a fork",
    "jax": "JAX has started threads, which do not survive a fork",
    "cuda": "CUDA is initialised, and cannot be used again after a fork",
    "python": "a thread is running that Python does not list, and it does not survive a fork",
    "unknown": "a thread of unknown origin is running, and would not survive a fork",
}

_FORK = "nothing that the script loaded stands against it"


def choose_isolation(requested: Requested, facts: ProcessFacts) -> Isolation:
    """Fork or fresh for this run; pure.

    ``auto`` forks unless something was found that a forked task would not survive, or
    that would let it differ from a fresh process. ``fork`` is obeyed where the platform
    has it.
    """
    if requested == "fresh":
        return Isolation("fresh", "asked for by --isolation fresh")
    if facts.platform != "linux":
        return Isolation("fresh", f"tasks are forked on Linux only, and this is {facts.platform}")
    obstacle = find_obstacle(facts)
    if requested == "fork":
        return Isolation("fork", "asked for by --isolation fork", risk=obstacle)
    if obstacle:
        return Isolation("fresh", obstacle)
    return Isolation("fork", _FORK)


def find_obstacle(facts: ProcessFacts) -> str:
    """The first thing that stands against forking, as a clause for the user; "" if none."""
    if facts.python_threads:
        names = _few(facts.python_threads)
        return f"the script started threads that still run ({names}), which do not survive a fork"
    if facts.devices:
        return f"an accelerator is in use ({_few(facts.devices)}), which does not survive a fork"
    for owner, count in facts.native_threads.items():
        if count and owner not in THREADS_THAT_FORK:
            return THREADS_THAT_DO_NOT.get(owner) or (
                f"threads of {owner} are running ({count}), and may not survive a fork"
            )
    if facts.unseeded:
        return (
            f"{_few(facts.unseeded)} was made at module level without a seed, "
            "so that forked tasks would all draw the same numbers from it"
        )
    if facts.handles:
        return f"the script holds {_few(facts.handles)} open, which forked tasks would share"
    return ""


def _few(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
