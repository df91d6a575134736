"""What the attempts of a run asked for and what they used, by step; pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import msgspec

from swell.model.cause import Cause
from swell.model.facts import ASKED_FACT, MEMORY_FACT, AttemptFact
from swell.model.needs import cpu_to_ask, memory_to_ask, quantile
from swell.model.resources import Resources

_WORTH_ASKING_MB = 1_000
"""A step that asks for nothing here need not ask for less than that."""
_TELLING_S = 0.1
"""In less time the start of a process is most of what it computes."""
_WORTH_SAVING = 1.2
"""Asking for so many times what would do is worth a word."""


class Spread(msgspec.Struct, frozen=True):
    """Some measured values in three numbers."""

    median: float
    p95: float
    max: float


class StepNeeds(msgspec.Struct, frozen=True):
    """One step: how many of its ``attempts`` were measured, what they asked for, what they used.

    ``asked`` is the step's own wish; None where the run did not keep it. ``cores`` are those
    busy in the mean of an attempt. ``wasted_memory`` is the share of the memory asked for, times
    how long, that was not used; ``wasted_cpu`` the same of cores. ``out_of_memory`` counts
    attempts that ended for want of memory: ``enough_mb`` is the largest peak of the others.
    """

    step: str
    attempts: int
    asked: Resources | None = None
    memory_mb: Spread | None = None
    cpu_s: Spread | None = None
    cores: Spread | None = None
    wasted_memory: float | None = None
    wasted_cpu: float | None = None
    out_of_memory: int = 0
    enough_mb: float | None = None
    read_mb: float = 0.0
    written_mb: float = 0.0
    gpu_memory_mb: float | None = None
    measured_by: tuple[str, ...] = ()


class Advice(msgspec.Struct, frozen=True):
    """What to write in ``@resources`` instead; None: leave it."""

    memory_mb: int | None = None
    cpu: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether all may stay as it is."""
        return self.memory_mb is None and self.cpu is None


def asked_by_step(metadata: Mapping[str, tuple[str, str]]) -> dict[str, Resources]:
    """What the steps of a run asked for, as its parameters' task kept it; empty for runs of
    versions that did not."""
    if ASKED_FACT not in metadata:
        return {}
    return msgspec.json.decode(metadata[ASKED_FACT][1], type=dict[str, Resources])


def step_needs(
    step: str, attempts: Sequence[AttemptFact], asked: Resources | None
) -> StepNeeds | None:
    """Of the attempts of ``step`` those that ended and were measured; None if there are none."""
    ended = [one for one in attempts if one.outcome is not None and _was_measured(one)]
    if not ended:
        return None
    peaks = [peak for one in ended if (peak := one.usage.peak_memory_mb) is not None]
    fitting = [
        one.usage.peak_memory_mb
        for one in ended
        if one.usage.peak_memory_mb is not None and _cause(one) is not Cause.OUT_OF_MEMORY
    ]
    gpu = [mb for one in ended if (mb := one.usage.gpu_memory_mb) is not None]
    return StepNeeds(
        step=step,
        attempts=len(ended),
        asked=asked,
        memory_mb=_spread(peaks),
        cpu_s=_spread([one.usage.cpu_s for one in ended if one.usage.cpu_s is not None]),
        cores=_spread([cores for one in ended if (cores := busy_cores(one)) is not None]),
        wasted_memory=_wasted([_memory_use(one, asked) for one in ended]),
        wasted_cpu=_wasted([_cpu_use(one, asked) for one in ended]),
        out_of_memory=sum(_cause(one) is Cause.OUT_OF_MEMORY for one in ended),
        enough_mb=max(fitting, default=None),
        read_mb=sum(one.usage.read_mb or 0.0 for one in ended),
        written_mb=sum(one.usage.written_mb or 0.0 for one in ended),
        gpu_memory_mb=max(gpu, default=None),
        measured_by=tuple(dict.fromkeys(one.usage.how for one in ended if one.usage.how)),
    )


def busy_cores(attempt: AttemptFact) -> float | None:
    """Processor seconds of an attempt by its seconds; None where they are not known, or where
    it was too short to tell."""
    seconds = _seconds(attempt)
    if attempt.usage.cpu_s is None or seconds is None or seconds < _TELLING_S:
        return None
    return attempt.usage.cpu_s / seconds


def advice_on(needs: StepNeeds) -> Advice:
    """What would do, where that is worth a change: less than was asked, or more than was."""
    asked = needs.asked or Resources()
    return Advice(_memory_advice(needs, asked), _cpu_advice(needs, asked))


def _memory_advice(needs: StepNeeds, asked: Resources) -> int | None:
    if needs.enough_mb is None or "memory" in asked.auto:
        return None
    enough = memory_to_ask(needs.enough_mb)
    if asked.memory_mb is None:
        return enough if needs.enough_mb >= _WORTH_ASKING_MB else None
    if needs.enough_mb > asked.memory_mb or asked.memory_mb > enough * _WORTH_SAVING:
        return enough
    return None


def _cpu_advice(needs: StepNeeds, asked: Resources) -> float | None:
    if needs.cores is None or asked.cpu is None or "cpu" in asked.auto:
        return None
    enough = cpu_to_ask(needs.cores.max)
    return enough if asked.cpu >= 2 and asked.cpu > enough * _WORTH_SAVING else None


class _Use(msgspec.Struct, frozen=True):
    """What one attempt had and what of it it used, each times how long."""

    had: float
    used: float


def _memory_use(attempt: AttemptFact, asked: Resources | None) -> _Use | None:
    had = asked.memory_mb if asked is not None else None
    if MEMORY_FACT in attempt.metadata:
        had = int(attempt.metadata[MEMORY_FACT][1])
    used, seconds = attempt.usage.peak_memory_mb, _seconds(attempt)
    if had is None or used is None or seconds is None:
        return None
    return _Use(had * seconds, min(used, had) * seconds)


def _cpu_use(attempt: AttemptFact, asked: Resources | None) -> _Use | None:
    had = asked.cpu if asked is not None else None
    used, seconds = attempt.usage.cpu_s, _seconds(attempt)
    if had is None or used is None or seconds is None:
        return None
    return _Use(had * seconds, min(used, had * seconds))


def _wasted(uses: Sequence[_Use | None]) -> float | None:
    had = sum(use.had for use in uses if use is not None)
    used = sum(use.used for use in uses if use is not None)
    return None if not had else 1 - used / had


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    return Spread(statistics.median(values), quantile(values, 0.95), max(values))


def _was_measured(attempt: AttemptFact) -> bool:
    return attempt.usage.peak_memory_mb is not None or attempt.usage.cpu_s is not None


def _cause(attempt: AttemptFact) -> Cause | None:
    return attempt.outcome.cause if attempt.outcome is not None else None


def _seconds(attempt: AttemptFact) -> float | None:
    if attempt.started_at is None or attempt.ended_at is None:
        return None
    return max(0.0, attempt.ended_at - attempt.started_at)
