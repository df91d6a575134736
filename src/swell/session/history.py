"""Sizes for ``"auto"``, from what earlier attempts of the same flow and step used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from swell.client.step_needs import asked_by_step, busy_cores
from swell.model.facts import AttemptFact, RunFact
from swell.model.ids import PARAMETERS_STEP, RunId
from swell.model.job import StepPlan
from swell.model.needs import QUANTILE, cpu_to_ask, memory_to_ask, quantile
from swell.model.resources import Resources
from swell.seams.metastore import Metastore

MOST_RUNS = 20
"""So many runs are looked at, latest first…"""
MOST_ATTEMPTS = 1_000
"""…until so many attempts of a step are known: code and data change."""


class StepHistory(NamedTuple):
    """Attempts of a step that ended well and were measured, and of how many runs they are."""

    attempts: Sequence[AttemptFact]
    runs: int


class Sized(NamedTuple):
    """Plans with numbers for ``"auto"`` where they are known, and how they were found, in words."""

    plans: dict[str, StepPlan]
    words: tuple[str, ...]


def sized(
    plans: Mapping[str, StepPlan],
    flow: str,
    metastore: Metastore,
    namespace: str | None,
    *,
    most_attempts: int = MOST_ATTEMPTS,
) -> Sized:
    """Size what says ``"auto"`` from the runs of ``flow`` in ``namespace`` (None: all).

    Nothing is read where no step does. Raises MetadataError.
    """
    settled = dict(plans)
    words: list[str] = []
    for step, plan in plans.items():
        if plan.resources.auto:
            runs = metastore.runs(flow, tags=[namespace] if namespace else (), limit=MOST_RUNS)
            known = _step_history(metastore, runs, step, most_attempts)
            settled[step] = with_sizes(plan, known)
            words.append(sizes_in_words(settled[step], known))
    return Sized(settled, tuple(words))


def sized_as_before(
    plans: Mapping[str, StepPlan], metastore: Metastore, run: RunId
) -> dict[str, StepPlan]:
    """Size what says ``"auto"`` as ``run``, which goes on, did when it began."""
    known = metastore.run(run) is not None
    facts = metastore.attempts(run, PARAMETERS_STEP) if known else ()
    asked = asked_by_step(facts[0].metadata) if facts else {}
    settled = dict(plans)
    for step, plan in plans.items():
        before = asked.get(step)
        if plan.resources.auto and before is not None:
            settled[step] = replace(plan, resources=_filled(plan.resources, before))
    return settled


def _step_history(
    metastore: Metastore, runs: Sequence[RunFact], step: str, most_attempts: int
) -> StepHistory:
    """The latest attempts of ``step`` that say what it needs."""
    found: list[AttemptFact] = []
    num_runs = 0
    for run in runs:
        measured = [one for one in metastore.attempts(run.id, step) if _says_what_it_needs(one)]
        num_runs += bool(measured)
        found += measured[: most_attempts - len(found)]
        if len(found) >= most_attempts:
            break
    return StepHistory(found, num_runs)


def with_sizes(plan: StepPlan, known: StepHistory) -> StepPlan:
    """``plan`` with numbers for ``"auto"``; unchanged where nothing is known."""
    peaks = [mb for one in known.attempts if (mb := one.usage.peak_memory_mb) is not None]
    cores = [busy for one in known.attempts if (busy := busy_cores(one)) is not None]
    memory_mb = memory_to_ask(quantile(peaks, QUANTILE)) if peaks else None
    if memory_mb is not None and plan.max_memory_mb is not None:
        memory_mb = min(memory_mb, plan.max_memory_mb)
    cpu = cpu_to_ask(quantile(cores, QUANTILE)) if cores else None
    found = Resources(cpu=cpu, memory_mb=memory_mb)
    return replace(plan, resources=_filled(plan.resources, found))


def sizes_in_words(plan: StepPlan, known: StepHistory) -> str:
    """'work: memory=auto → 7,900 MB, from 412 attempts of 3 runs.'"""
    resources = plan.resources
    amounts = {
        "cpu": f"{resources.cpu:g}" if resources.cpu is not None else "?",
        "memory": f"{resources.memory_mb:,} MB" if resources.memory_mb is not None else "?",
    }
    if not known.attempts:
        sizes = ", ".join(f"{argument}=auto" for argument in resources.auto)
        return f"{plan.step}: {sizes} finds no measured run yet: it asks as if nothing were said."
    sizes = ", ".join(f"{argument}=auto → {amounts[argument]}" for argument in resources.auto)
    attempts, runs = _count(len(known.attempts), "attempt"), _count(known.runs, "run")
    return f"{plan.step}: {sizes}, from {attempts} of {runs}."


def _filled(asked: Resources, found: Resources) -> Resources:
    return replace(
        asked,
        cpu=found.cpu if "cpu" in asked.auto else asked.cpu,
        memory_mb=found.memory_mb if "memory" in asked.auto else asked.memory_mb,
    )


def _says_what_it_needs(attempt: AttemptFact) -> bool:
    outcome = attempt.outcome
    if outcome is None or not outcome.ok or outcome.caught:
        return False
    return attempt.usage.peak_memory_mb is not None


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
