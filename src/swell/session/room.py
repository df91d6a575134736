"""What the steps of a flow ask of this machine, and what there is: checked before a run begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from swell.compute.machine import find_machine
from swell.compute.packing import Excess, Machine, excess_over
from swell.errors import UsageError
from swell.model.job import LOCAL_BACKEND, StepPlan
from swell.session.run_order import RunOrder

OF_THE_MACHINE = ("cpu", "memory", "gpu")
"""Limits of these names lower what this machine gives."""
_WORDS = {"cpu": "cpu", "memory": "MB of memory", "gpu": "GPUs"}


def room_for_flow(plans: Mapping[str, StepPlan], order: RunOrder) -> Machine:
    """What tasks here share. Raises UsageError for steps that ask for what can never be given:
    a limit that nobody set, GPUs and named amounts above what there is, and, with
    ``order.strict_resources``, anything above it that a step says in numbers."""
    here = [plan for plan in plans.values() if plan.backend == LOCAL_BACKEND]
    _refuse_unknown_names(plans.values(), order.limits)
    asks_gpus = any(plan.resources.gpu for plan in here)
    machine = find_machine(order.limits, _find_gpus if asks_gpus else None)
    for plan in plans.values():
        is_here = plan.backend == LOCAL_BACKEND
        for excess in excess_over(plan.resources, machine):
            if excess.what not in OF_THE_MACHINE:
                raise _beyond_limit(plan.step, excess)
            if is_here and excess.what == "gpu":
                raise _too_few_gpus(plan, excess)
    if order.strict_resources:
        refuse_what_never_fits(plans, machine)
    return machine


def refuse_what_never_fits(plans: Mapping[str, StepPlan], machine: Machine) -> None:
    """Raise UsageError for the first step here that asks for more than there is."""
    for plan in plans.values():
        if plan.backend != LOCAL_BACKEND:
            continue
        for excess in excess_over(plan.resources, machine):
            asked = f"Step '{plan.step}' asks for {_amount(excess)}"
            less = "ask for less"
            if excess.what in plan.resources.auto:
                asked += ', which "auto" found in earlier runs'
                less = f"write a {excess.what} of your own"
            raise UsageError(
                f"{asked}, and this machine has {_text(excess.there)}.",
                remedy=f"Give --with batch, which has larger machines, {less}, or leave "
                "--strict-resources away: the step then runs alone.",
            )


def words_on_what_never_fits(plans: Mapping[str, StepPlan], machine: Machine) -> list[str]:
    """A sentence on each step here that asks for more than there is, or than others leave."""
    told = []
    for plan in plans.values():
        if plan.backend != LOCAL_BACKEND:
            continue
        beyond = excess_over(plan.resources, machine)
        if beyond:
            parts = [f"{_amount(one)} (this machine has {_text(one.there)})" for one in beyond]
            told.append(
                f"Step '{plan.step}' asks for {' and '.join(parts)}: its tasks run here one at a "
                "time, with nothing beside them. --with batch would give it what it asks for."
            )
            continue
        asked, free = plan.resources.memory_mb, machine.free_memory_mb
        if asked is not None and free is not None and asked > free:
            told.append(
                f"Step '{plan.step}' asks for {asked:,} MB of memory, and other programs leave "
                f"{free:,} of {machine.memory_mb:,} free: its tasks run one at a time, with "
                "nothing beside them."
            )
    return told


def _find_gpus() -> tuple[str, ...]:
    # Late: few flows ask, and it starts a program.
    from swell.compute.gpus import find_gpus

    return find_gpus()


def _refuse_unknown_names(plans: Iterable[StepPlan], limits: Mapping[str, float]) -> None:
    for plan in plans:
        for name, amount in plan.resources.named:
            if name in limits and name not in OF_THE_MACHINE:
                continue
            from difflib import get_close_matches

            known = ["cpu", "memory", "gpu", "disk", "shared_memory", *limits]
            near = get_close_matches(name, known, 1)
            hint = f"Did you mean '{near[0]}'? Else g" if near else "G"
            raise UsageError(
                f"Step '{plan.step}' asks for {name}={amount:g}, and there is no limit of that "
                "name.",
                remedy=f"{hint}ive --limit {name}=N: how much of it all tasks together may hold.",
            )


def _beyond_limit(step: str, excess: Excess) -> UsageError:
    name, asked, there = excess
    return UsageError(
        f"Step '{step}' asks for {name}={asked:g}, and --limit {name}={there:g} is all there is.",
        remedy=f"Raise the limit to {asked:g} or more, or ask for less.",
    )


def _too_few_gpus(plan: StepPlan, excess: Excess) -> UsageError:
    asked = "a GPU" if excess.asked == 1 else f"{_text(excess.asked)} GPUs"
    there = _text(excess.there) if excess.there else "none"
    return UsageError(
        f"Step '{plan.step}' asks for {asked}, and this machine has {there}.",
        remedy="Give --with batch, which has machines with GPUs, or ask for less.",
    )


def _amount(excess: Excess) -> str:
    return f"{_text(excess.asked)} {_WORDS[excess.what]}"


def _text(amount: float) -> str:
    """'60,000', '0.5'; never '6e+08'."""
    return f"{int(amount):,}" if amount == int(amount) else f"{amount:g}"
