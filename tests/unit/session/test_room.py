"""What is checked of resources before a run begins."""

from __future__ import annotations

import pytest

from swell.compute.packing import Machine
from swell.errors import UsageError
from swell.model.job import StepPlan
from swell.model.resources import Resources
from swell.session.room import (
    refuse_what_never_fits,
    room_for_flow,
    words_on_what_never_fits,
)
from swell.session.run_order import RunOrder

MACHINE = Machine(cpu=4.0, memory_mb=24_000, free_memory_mb=20_000)


def plans_of(backend: str = "local", **asked: object) -> dict[str, StepPlan]:
    return {"fit": StepPlan("fit", backend, resources=Resources(**asked))}  # type: ignore[arg-type]


def test_a_step_that_can_never_fit_is_told_with_what_is_asked_what_there_is_and_where_it_would():
    (told,) = words_on_what_never_fits(plans_of(memory_mb=60_000, cpu=8), MACHINE)
    assert told == (
        "Step 'fit' asks for 8 cpu (this machine has 4) and 60,000 MB of memory (this machine has "
        "24,000): its tasks run here one at a time, with nothing beside them. --with batch would "
        "give it what it asks for."
    )


def test_a_step_for_which_others_leave_too_little_is_told_too():
    (told,) = words_on_what_never_fits(plans_of(memory_mb=22_000), MACHINE)
    assert "other programs leave 20,000 of 24,000 free" in told


@pytest.mark.parametrize(
    "plans", [plans_of(memory_mb=20_000, cpu=4), plans_of(), plans_of("batch", memory_mb=60_000)]
)
def test_what_fits_and_what_runs_elsewhere_is_not_told(plans: dict[str, StepPlan]):
    assert words_on_what_never_fits(plans, MACHINE) == []


def refusal(order: RunOrder, plans: dict[str, StepPlan]) -> str:
    with pytest.raises(UsageError) as raised:
        room_for_flow(plans, order)
    return f"{raised.value} {raised.value.remedy}"


def test_strict_resources_refuses_what_can_never_fit_and_not_what_runs_elsewhere():
    order = RunOrder(limits={"memory": 1000.0}, strict_resources=True)
    told = refusal(order, plans_of(memory_mb=60_000))
    assert told.startswith("Step 'fit' asks for 60,000 MB of memory, and this machine has 1,000.")
    assert "--with batch" in told
    room_for_flow(plans_of("batch", memory_mb=60_000), order)
    room_for_flow(plans_of(memory_mb=900), order)


def test_what_auto_found_is_refused_as_such():
    asked = Resources(memory_mb=60_000, auto=("memory",))
    with pytest.raises(UsageError) as raised:
        refuse_what_never_fits({"fit": StepPlan("fit", resources=asked)}, MACHINE)
    assert str(raised.value).startswith(
        "Step 'fit' asks for 60,000 MB of memory, which \"auto\" found in earlier runs, and this "
        "machine has 24,000."
    )
    assert "write a memory of your own" in str(raised.value.remedy)


@pytest.mark.parametrize("backend", ["local", "batch"])
def test_a_name_without_a_limit_is_refused_with_the_option_that_gives_it(backend: str):
    told = refusal(RunOrder(), plans_of(backend, named=(("api", 1.0),)))
    assert told.startswith("Step 'fit' asks for api=1, and there is no limit of that name.")
    assert "--limit api=N" in told


def test_a_slip_of_the_pen_is_seen_in_a_name_without_a_limit():
    assert "Did you mean 'memory'?" in refusal(RunOrder(), plans_of(named=(("memmory", 1.0),)))


def test_more_than_a_limit_of_the_user_is_refused():
    told = refusal(RunOrder(limits={"api": 2.0}), plans_of(named=(("api", 3.0),)))
    assert "api=3" in told
    assert "--limit api=2" in told


def test_more_gpus_than_there_are_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    told = refusal(RunOrder(), plans_of(gpu=1))
    assert told.startswith("Step 'fit' asks for a GPU, and this machine has none.")


def test_limits_that_are_named_bound_the_machine_of_the_run():
    machine = room_for_flow(plans_of(), RunOrder(limits={"api": 5.0, "cpu": 0.5}))
    assert (machine.limits, machine.cpu) == ((("api", 5.0),), 0.5)
