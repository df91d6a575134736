"""Which tasks may begin beside those that run; learns what steps need that do not say.

A step that says nothing asks for nothing at first. Once its tasks are seen computing, each
counts as one cpu; once one has ended, each counts with the largest peak of memory seen.
While memory is short nothing begins here, save one task where none runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from swell.compute.packing import Claim, Excess, Holding, Machine, Packing, excess_over
from swell.compute.watching import COMPUTES_FROM
from swell.model.job import LOCAL_BACKEND, MachineNews, StepPlan
from swell.model.resources import Resources
from swell.scheduler.attempts import Work
from swell.scheduler.events import Used
from swell.scheduler.ready import StepState

PASSES = 12
"""How many tasks may begin past one that does not fit, before room is kept for it."""
_JUDGED_FROM_S = 1.0
"""Tasks that end sooner are over before it matters whether they compute."""
_STEP_MB = 16
"""Measured peaks are rounded up to this, so that small differences change nothing."""


class _Learned(msgspec.Struct):
    """What tasks of a step were seen to need."""

    memory_mb: int = 0
    computes: bool = False


class Admission:
    """Belongs to the deciding thread. ``release`` frees what was held."""

    def __init__(self, steps: Mapping[str, StepState], machine: Machine) -> None:
        self._steps = steps
        self._machine = machine
        self._packing = Packing(machine)
        self.release = self._packing.release
        self._learned = {name: _Learned() for name, step in steps.items() if _may_learn(step)}
        self._claims: dict[tuple[str, Resources | None], Claim] = {}
        self._of_step = {name: self._new_claim(step, None) for name, step in steps.items()}
        self._short = ""
        self._level = self._begun = 0
        self._latest: StepState | None = None
        self._held_up: list[tuple[StepState, Claim]] = []

    # --- what was seen -------------------------------------------------------

    def note_machine(self, news: MachineNews) -> None:
        """This machine was looked at."""
        self._short = news.memory_short
        for step in news.computing:
            if step in self._steps:
                self._learn(self._steps[step], 0, computes=True)

    def note_used(self, work: Work, used: Used) -> None:
        """An attempt of ``work`` ended, having used so much."""
        step = work.block.step
        if step.name not in self._learned or work.fallback is not None:
            return
        peak = -(-(used.added_mb or 0.0) // _STEP_MB) * _STEP_MB
        cpu_s = used.cpu_s or 0.0
        computes = used.seconds >= _JUDGED_FROM_S and cpu_s / used.seconds >= COMPUTES_FROM
        self._learn(step, int(peak), computes=computes)

    def _learn(self, step: StepState, memory_mb: int, *, computes: bool) -> None:
        known = self._learned.get(step.name)
        if known is None or (memory_mb <= known.memory_mb and computes <= known.computes):
            return
        known.memory_mb = max(known.memory_mb, memory_mb)
        known.computes = known.computes or computes
        for (name, own), claim in self._claims.items():
            if name == step.name:
                self._packing.revise(claim, self._needs(step.plan, own))

    def _needs(self, plan: StepPlan, own: Resources | None) -> Resources:
        """What a task asks for, and where it does not say, what its siblings were seen to need."""
        asked = plan.resources if own is None else own
        learned = self._learned.get(plan.step)
        if learned is None or not (learned.computes or learned.memory_mb):
            return asked
        return replace(
            asked,
            cpu=1.0 if asked.cpu is None and learned.computes else asked.cpu,
            memory_mb=learned.memory_mb if asked.memory_mb is None else asked.memory_mb,
        )

    # --- what may begin ------------------------------------------------------

    def demand(self, step: StepState) -> float:
        """How much of the machine the tasks of ``step`` that wait ask for, all together."""
        return step.counts.waiting * self._packing.share(self._of_step[step.name])

    def begin_round(self) -> None:
        """All that waits is about to be offered, first what goes first."""
        self._begun = 0
        if self._held_up:
            for step, _ in self._held_up:
                step.counts.waits_for = ""
            self._held_up.clear()

    def end_round(self, *, is_whole: bool) -> None:
        """What was passed over too often gets room; ``is_whole``: all that waits was offered."""
        packing = self._packing
        if not self._held_up and packing.reserved is None:
            return
        held_up = [claim for _, claim in self._held_up]
        if is_whole and packing.reserved is not None and packing.reserved not in held_up:
            packing.drop_reservation()
        if packing.reserved is None:
            passed = (claim for claim in held_up if claim.passed >= PASSES)
            if (claim := next(passed, None)) is not None:
                packing.reserve(claim)

    def admit(self, step: StepState, work: Work | None, most: int) -> Sequence[Holding]:
        """As many of ``most`` tasks of ``step`` as may begin now; ``work`` where it is a
        further attempt, which may ask for more than its step."""
        claim = self._of_step[step.name] if work is None else self._claim(step, work)
        room = self._packing.room_for(claim, self._unpaused(claim, most) if self._short else most)
        holdings: Sequence[Holding] = ()
        if room:
            holdings = self._packing.take(claim, room)
            claim.passed = 0
            if claim.is_here and self._held_up:
                for _, earlier in self._held_up:
                    earlier.passed += room
        if room < most:
            self._hold_up(step, claim)
        if step.level != self._level:
            self._level, self._begun = step.level, 0
        if room:
            self._begun += room
            self._latest = step
        elif self._latest is not step:
            # Those of parallel branches that went first have passed it too.
            claim.passed += self._begun
        return holdings

    def admit_gang(self, work: Work) -> list[Holding]:
        """All members or none; a gang too large for the machine begins where nothing runs."""
        claim = self._claim(work.block.step, work)
        self._packing.drop_reservation()
        room = self._packing.room_for(claim, self._unpaused(claim, work.size))
        if room < work.size and (self._packing.held_here or not claim.is_here):
            self._hold_up(work.block.step, claim)
            return []
        return self._packing.take(claim, work.size)

    def gang_excess(self, step: StepState, size: int) -> list[Excess]:
        """What ``size`` tasks at once can never be given here: GPUs and named amounts."""
        plan = step.plan
        asked = plan.resources
        together = Resources(
            gpu=None if asked.gpu is None or plan.backend != LOCAL_BACKEND else asked.gpu * size,
            named=tuple((name, amount * size) for name, amount in asked.named),
        )
        return excess_over(together, self._machine)

    @property
    def short_of_memory(self) -> str:
        """Why tasks that are ready do not begin, where it is for want of memory; else ''."""
        if not self._short or not any(claim.is_here for _, claim in self._held_up):
            return ""
        return self._short

    @property
    def is_paused(self) -> bool:
        """Whether memory is short."""
        return bool(self._short)

    def _unpaused(self, claim: Claim, most: int) -> int:
        if not self._short or not claim.is_here:
            return most
        return 0 if self._packing.held_here else min(most, 1)

    def _claim(self, step: StepState, work: Work) -> Claim:
        asked = work.resources
        own = None if asked == step.plan.resources else asked
        claim = self._claims.get((step.name, own))
        return claim or self._new_claim(step, own)

    def _new_claim(self, step: StepState, own: Resources | None) -> Claim:
        is_here = step.plan.backend == LOCAL_BACKEND
        claim = self._packing.claim(self._needs(step.plan, own), is_here=is_here)
        self._claims[step.name, own] = claim
        return claim

    def _hold_up(self, step: StepState, claim: Claim) -> None:
        self._held_up.append((step, claim))
        is_paused = self._short and claim.is_here
        step.counts.waits_for = "memory" if is_paused else self._packing.lacks(claim)


def _may_learn(step: StepState) -> bool:
    """Whether its tasks run here and do not say all that they need."""
    says = step.plan.resources
    return step.plan.backend == LOCAL_BACKEND and None in (says.cpu, says.memory_mb)
