"""Why an attempt ended, found from evidence alone: no I/O, one table for all backends."""

from __future__ import annotations

import enum
import signal

import msgspec


class Cause(enum.Enum):
    """Why an attempt ended (the value is what is stored)."""

    OK = "ok"
    """The step's code ended well."""
    USER_ERROR = "user_error"
    """The step's code raised."""
    OUT_OF_MEMORY = "out_of_memory"
    """The kernel or the engine ended it for its memory, or it raised MemoryError."""
    TIMEOUT = "timeout"
    """It ran longer than ``@timeout`` allows."""
    SIGNAL = "signal"
    """A signal that nobody here sent ended it."""
    EXIT = "exit"
    """The process ended by itself without leaving an outcome."""
    DISK_FULL = "disk_full"
    """No space was left where artifacts or temporary files go."""
    ENVIRONMENT = "environment"
    """The interpreter or its packages could not be prepared."""
    HOST_LOST = "host_lost"
    """The machine, or the process that watches the task, went away."""
    SPOT = "spot"
    """A spot machine was taken back."""
    IMAGE = "image"
    """The container image could not be started."""
    PLACEMENT = "placement"
    """No place could be found for it."""
    DRIVER_LOST = "driver_lost"
    """The driver went away, so the attempt stopped by itself."""
    CANCELLED = "cancelled"
    """It was ended on request: an interrupt, a kill, or another task's failure."""
    UNKNOWN = "unknown"
    """The evidence does not say; the raw facts are kept."""


class Evidence(msgspec.Struct, frozen=True):
    """What a backend knows of a process that ended. None means not known.

    ``ended_by`` is set when swell itself ended it: 'timeout', 'cancel' or 'log pipe'; in a
    remote attempt also 'lease', 'stop', 'spot', 'claimed' or 'environment'.
    ``engine_cause`` is set when the engine's own words name the cause; ``reason`` is then
    the sentence that tells it.
    ``oom_kills`` counts kills by the memory controller in the attempt's own group.
    ``reason`` and ``raw`` are the engine's own words.
    """

    exit_code: int | None = None
    signal: int | None = None
    ended_by: str | None = None
    oom_kills: int | None = None
    memory_limit_mb: int | None = None
    peak_memory_mb: float | None = None
    host_lost: bool = False
    engine_cause: Cause | None = None
    reason: str = ""
    raw: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """A cause, and the sentence that tells it."""

    cause: Cause
    sentence: str


_ENDED_BY = {
    "timeout": Finding(Cause.TIMEOUT, "It ran longer than its time limit and was ended."),
    "cancel": Finding(Cause.CANCELLED, "It was ended on request."),
    "lease": Finding(Cause.DRIVER_LOST, "No driver looked after its run any more, so it stopped."),
    "spot": Finding(Cause.SPOT, "Its spot machine was taken back."),
    "claimed": Finding(Cause.CANCELLED, "Another job runs this attempt, so it left."),
}


def find_cause(evidence: Evidence) -> Finding:
    """The cause of an end that left no outcome. Never OK: unknown is not success."""
    if evidence.ended_by in _ENDED_BY:
        return _ENDED_BY[evidence.ended_by]
    if evidence.engine_cause is not None:
        words = evidence.reason or f"The engine says: {evidence.engine_cause.value}."
        if evidence.engine_cause is Cause.OUT_OF_MEMORY:
            words = words.rstrip(".") + f"{_memory_words(evidence)}."
        return Finding(evidence.engine_cause, words)
    if evidence.ended_by == "environment":
        words = evidence.reason or "The interpreter or its packages could not be prepared."
        return Finding(Cause.ENVIRONMENT, words)
    if evidence.host_lost:
        return Finding(Cause.HOST_LOST, evidence.reason or "The process that watched it is gone.")
    if evidence.oom_kills:
        return Finding(Cause.OUT_OF_MEMORY, f"Out of memory{_memory_words(evidence)}.")
    if evidence.ended_by == "stop":
        return Finding(Cause.CANCELLED, evidence.reason or "The engine asked it to stop.")
    if evidence.signal is not None:
        return Finding(Cause.SIGNAL, f"Ended by {signal_words(evidence.signal)}{_hint(evidence)}.")
    if evidence.exit_code is not None:
        return Finding(
            Cause.EXIT,
            f"The process ended by itself with exit code {evidence.exit_code}, "
            "before its step was done.",
        )
    return Finding(Cause.UNKNOWN, evidence.reason or "Nothing is known about its end.")


_SIGNAL_WORDS = {
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "abort",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "arithmetic error",
    signal.SIGILL: "illegal instruction",
    signal.SIGKILL: "kill",
    signal.SIGTERM: "termination",
    signal.SIGINT: "interrupt",
    signal.SIGPIPE: "broken pipe",
    signal.SIGXCPU: "processor time limit",
}


def signal_words(number: int) -> str:
    """'SIGSEGV (segmentation fault)' for 11; the bare number where it has no name."""
    try:
        known = signal.Signals(number)
    except ValueError:
        return f"signal {number}"
    words = _SIGNAL_WORDS.get(known)
    return f"{known.name} ({words})" if words else known.name


def _memory_words(evidence: Evidence) -> str:
    known = []
    if evidence.peak_memory_mb is not None:
        known.append(f"peak {evidence.peak_memory_mb:,.0f} MB")
    if evidence.memory_limit_mb is not None:
        known.append(f"limit {evidence.memory_limit_mb:,} MB")
    return f" ({', '.join(known)})" if known else ""


def _hint(evidence: Evidence) -> str:
    if evidence.signal != signal.SIGKILL:
        return ""
    return ", sent from outside: often the kernel when memory runs out" + _memory_words(evidence)
