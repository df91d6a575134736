"""Why an attempt ended, found from evidence alone: no I/O, one table for all backends."""

from __future__ import annotations

import enum
import math
import re
import signal
from typing import NamedTuple

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
    ``oom_kills`` counts kills by the memory controller in the attempt's own group,
    ``oom_kills_around`` those in the group of the driver or on the machine while it ran.
    ``was_oom_victim`` says what the kernel's log has of its process.
    ``reason`` and ``raw`` are the engine's own words.
    """

    exit_code: int | None = None
    signal: int | None = None
    ended_by: str | None = None
    oom_kills: int | None = None
    oom_kills_around: int | None = None
    was_oom_victim: bool | None = None
    memory_limit_mb: int | None = None
    peak_memory_mb: float | None = None
    time_limit_s: float | None = None
    host_lost: bool = False
    engine_cause: Cause | None = None
    reason: str = ""
    raw: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """A cause, the sentence that tells it, and what can be done about it ("" for nothing)."""

    cause: Cause
    sentence: str
    remedy: str = ""


_ENDED_BY = {
    "cancel": Finding(Cause.CANCELLED, "It was ended on request."),
    "lease": Finding(Cause.DRIVER_LOST, "No driver looked after its run any more, so it stopped."),
    "spot": Finding(Cause.SPOT, "Its spot machine was taken back."),
    "claimed": Finding(Cause.CANCELLED, "Another job runs this attempt, so it left."),
}


def find_cause(evidence: Evidence) -> Finding:
    """The cause of an end that left no outcome. Never OK: unknown is not success."""
    if evidence.ended_by == "timeout":
        return _timeout(evidence)
    if evidence.ended_by in _ENDED_BY:
        return _ENDED_BY[evidence.ended_by]
    if evidence.engine_cause is not None:
        return _engine_cause(evidence, evidence.engine_cause)
    if evidence.ended_by == "environment":
        words = evidence.reason or "The interpreter or its packages could not be prepared."
        return Finding(Cause.ENVIRONMENT, words)
    if evidence.host_lost:
        return Finding(Cause.HOST_LOST, evidence.reason or "The process that watched it is gone.")
    if evidence.oom_kills:
        words = f"Out of memory: the kernel ended it{memory_words(evidence)}."
        return Finding(Cause.OUT_OF_MEMORY, words, memory_remedy(evidence))
    if evidence.ended_by == "stop":
        return Finding(Cause.CANCELLED, evidence.reason or "The engine asked it to stop.")
    if evidence.signal is not None:
        return _signal(evidence, evidence.signal)
    if evidence.exit_code is not None:
        return Finding(
            Cause.EXIT,
            f"The process ended by itself with exit code {evidence.exit_code}, "
            "before its step was done.",
            "Look for os._exit() in the step, or a library that ends the process; the last "
            "lines of its log may tell.",
        )
    return Finding(Cause.UNKNOWN, evidence.reason or "Nothing is known about its end.")


def _timeout(evidence: Evidence) -> Finding:
    limit_s = evidence.time_limit_s
    limit = "its time limit" if limit_s is None else f"its time limit of {limit_s:,g} s"
    return Finding(
        Cause.TIMEOUT,
        f"It ran longer than {limit} and was ended.",
        "Raise the limit in @timeout, or make the step faster.",
    )


def _engine_cause(evidence: Evidence, cause: Cause) -> Finding:
    words = evidence.reason or f"The engine says: {cause.value}."
    if cause is not Cause.OUT_OF_MEMORY:
        return Finding(cause, words)
    words = words.rstrip(".") + f"{memory_words(evidence)}."
    return Finding(cause, words, memory_remedy(evidence))


def _signal(evidence: Evidence, number: int) -> Finding:
    words = signal_words(number)
    if number != signal.SIGKILL:
        who, remedy = _OF_SIGNAL.get(number, ("", ""))
        limits_allocation = evidence.memory_limit_mb is not None and evidence.oom_kills is None
        if who == _CRASH and limits_allocation:
            # Without a control group a limit shows as an allocation that fails, and native
            # code often does not look.
            who += f", under a memory limit of {evidence.memory_limit_mb:,} MB"
        return Finding(Cause.SIGNAL, f"Ended by {words}{who}.", remedy)
    if evidence.was_oom_victim:
        return Finding(
            Cause.OUT_OF_MEMORY,
            f"Out of memory: there was none left, and the kernel ended it{memory_words(evidence)}.",
            memory_remedy(evidence),
        )
    if evidence.oom_kills_around and evidence.was_oom_victim is None:
        return Finding(
            Cause.OUT_OF_MEMORY,
            f"Out of memory: it was ended by {words} while the kernel was ending processes for "
            f"want of memory{memory_words(evidence)}.",
            memory_remedy(evidence),
        )
    if evidence.was_oom_victim is False or evidence.oom_kills_around == 0:
        return Finding(
            Cause.SIGNAL,
            f"Ended by {words}, sent by something outside of swell; the kernel did not end it "
            f"for its memory{memory_words(evidence)}.",
            "Look who ends processes here: a person, a monitor, a batch system.",
        )
    return Finding(
        Cause.SIGNAL,
        f"Ended by {words}, sent from outside: often the kernel when memory runs out"
        f"{memory_words(evidence)}.",
        memory_remedy(evidence),
    )


class Killed(NamedTuple):
    """How an exception tells that a process which the step had started was killed."""

    type: re.Pattern[str]
    text: re.Pattern[str]


# What libraries raise when a process of theirs is gone. Those that end for another reason
# than a kill look the same in some of them, so it counts only beside a kill of the kernel's.
_KILLED_CHILD = (
    Killed(re.compile(r"CalledProcessError$"), re.compile(r"SIGKILL|exit status (137|247)\b")),
    Killed(re.compile(r"BrokenProcessPool$|TerminatedWorkerError$"), re.compile("")),
    Killed(re.compile(r"RuntimeError$"), re.compile(r"DataLoader worker .*(killed|exited)")),
    Killed(re.compile(r"ExternalCommandFailed$|ChildProcessError$|EOFError$"), re.compile("")),
)


def tells_of_killed_child(error_type: str, text: str) -> bool:
    """Whether an exception says that a process which the step had started is gone."""
    return any(one.type.search(error_type) and one.text.search(text) for one in _KILLED_CHILD)


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


_CRASH = ", a crash in compiled code"
_SEE_WHERE = "Set PYTHONFAULTHANDLER=1 and run again: the log then shows the line it was at."
_OUTSIDE = ", sent by something outside of swell"
_WHO = "Look who ends processes here: a person, a monitor, a machine that shuts down."
_OF_SIGNAL: dict[int, tuple[str, str]] = {
    signal.SIGSEGV: (_CRASH, _SEE_WHERE),
    signal.SIGFPE: (_CRASH, _SEE_WHERE),
    signal.SIGILL: (
        _CRASH,
        "Some package may be made for a newer processor than this one: install another build.",
    ),
    signal.SIGABRT: (
        ", raised by compiled code that gave up",
        "Its last words are in the log; PYTHONFAULTHANDLER=1 adds the line it was at.",
    ),
    signal.SIGBUS: (
        ", a page that could not be read or written",
        "Often /dev/shm is full ('df /dev/shm'), or a file was cut short while it was mapped.",
    ),
    signal.SIGTERM: (_OUTSIDE, _WHO),
    signal.SIGINT: (_OUTSIDE, _WHO),
    signal.SIGHUP: (_OUTSIDE, _WHO),
    signal.SIGQUIT: (_OUTSIDE, _WHO),
    signal.SIGXCPU: (
        ", which the limit on processor time sends",
        "Raise the limit: 'ulimit -t' shows it.",
    ),
    signal.SIGPIPE: (
        ", writing to something that had closed",
        "The step set SIGPIPE to end it: handle BrokenPipeError instead.",
    ),
    signal.SIGALRM: (
        ", an alarm that the step or a library set",
        "Look for signal.alarm or signal.setitimer in what the step calls.",
    ),
}


def memory_remedy(evidence: Evidence) -> str:
    """What to do about an end for want of memory."""
    limit = evidence.memory_limit_mb
    if limit is not None:
        return f"Ask for more, such as @resources(memory={2 * limit}), or handle less at once."
    if evidence.peak_memory_mb is not None:
        asked = math.ceil(evidence.peak_memory_mb * 1.2 / 100) * 100
        return (
            f"Say what it needs, such as @resources(memory={asked}), so that no more tasks run "
            "here at once than fit; or use a larger machine, such as by --with batch."
        )
    return "Ask for more memory with @resources(memory=…), or handle less at once."


def memory_words(evidence: Evidence) -> str:
    """' (peak 308 MB, limit 300 MB)', as far as it is known."""
    known = []
    if evidence.peak_memory_mb is not None:
        known.append(f"peak {evidence.peak_memory_mb:,.0f} MB")
    if evidence.memory_limit_mb is not None:
        known.append(f"limit {evidence.memory_limit_mb:,} MB")
    return f" ({', '.join(known)})" if known else ""
