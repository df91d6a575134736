"""What fits on a machine beside what runs."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from swell.compute.packing import Claim, Excess, Holding, Machine, Packing, excess_over
from swell.model.resources import Resources

MACHINE = Machine(cpu=4.0, memory_mb=8000, devices=("a", "b"), limits=(("api", 2.0),))


def test_tasks_fit_until_the_scarcest_of_what_they_ask_for_is_taken() -> None:
    packing = Packing(MACHINE)
    claim = packing.claim(Resources(cpu=1, memory_mb=3000))

    room = packing.room_for(claim, 10)
    packing.take(claim, room)

    assert room == 2
    assert packing.room_for(claim, 10) == 0
    assert packing.lacks(claim) == "memory"


def test_what_a_task_held_is_there_again_when_it_has_ended() -> None:
    packing = Packing(MACHINE)
    claim = packing.claim(Resources(memory_mb=5000))
    (held,) = packing.take(claim, 1)

    packing.release(held)

    assert packing.room_for(claim, 10) == 1


def test_fractions_of_a_cpu_add_up_exactly() -> None:
    packing = Packing(Machine(cpu=1.0))
    claim = packing.claim(Resources(cpu=0.1))
    assert packing.room_for(claim, 100) == 10


def test_who_asks_for_nothing_always_fits() -> None:
    packing = Packing(MACHINE)
    packing.take(packing.claim(Resources(cpu=4, memory_mb=8000)), 1)
    assert packing.room_for(packing.claim(Resources()), 16) == 16


def test_what_is_not_known_of_a_machine_bounds_nobody() -> None:
    packing = Packing(Machine())
    assert packing.room_for(packing.claim(Resources(cpu=99, memory_mb=10**6, gpu=9)), 5) == 5


def test_memory_that_other_programs_hold_is_not_given() -> None:
    packing = Packing(Machine(memory_mb=8000, free_memory_mb=5000))
    assert packing.room_for(packing.claim(Resources(memory_mb=2000)), 9) == 2


def test_who_asks_for_more_than_there_is_runs_alone() -> None:
    packing = Packing(MACHINE)
    huge, small = packing.claim(Resources(memory_mb=60_000)), packing.claim(Resources())

    (held,) = packing.take(small, 1)
    beside = packing.room_for(huge, 3)
    packing.release(held)
    alone = packing.room_for(huge, 3)
    packing.take(huge, 1)

    assert (beside, alone, packing.room_for(small, 3)) == (0, 1, 0)
    assert packing.lacks(small) == "room"


def test_tasks_on_other_machines_share_named_limits_and_nothing_else() -> None:
    packing = Packing(MACHINE)
    here = packing.claim(Resources(named=(("api", 1.0),)))
    away = packing.claim(Resources(cpu=99, memory_mb=10**6, named=(("api", 1.0),)), is_here=False)

    packing.take(away, packing.room_for(away, 1))

    assert packing.held_here == 0
    assert packing.room_for(here, 9) == 1


def test_each_task_gets_devices_that_nobody_else_has_until_it_ends() -> None:
    packing = Packing(MACHINE)
    claim = packing.claim(Resources(gpu=1))

    one, other = packing.take(claim, 2)
    packing.release(one)
    (again,) = packing.take(claim, 1)

    assert {one.devices, other.devices} == {("a",), ("b",)}
    assert again.devices == one.devices


def test_room_kept_for_one_lets_others_by_only_into_what_it_leaves() -> None:
    packing = Packing(Machine(memory_mb=8000))
    large = packing.claim(Resources(memory_mb=6000))
    small = packing.claim(Resources(memory_mb=1000))
    held = packing.take(small, 5)

    packing.reserve(large)
    first = packing.room_for(small, 9)
    packing.take(small, first)
    after = packing.room_for(small, 9)
    for one in held:
        packing.release(one)

    assert (first, after) == (2, 0)
    assert packing.room_for(small, 9) == 0
    assert packing.room_for(large, 9) == 1


def test_a_reservation_ends_when_its_task_begins() -> None:
    packing = Packing(Machine(memory_mb=8000))
    large = packing.claim(Resources(memory_mb=6000))
    packing.reserve(large)

    packing.take(large, 1)

    assert packing.reserved is None
    assert packing.room_for(packing.claim(Resources(memory_mb=1000)), 9) == 2


def test_what_is_learned_counts_for_those_that_run_already() -> None:
    packing = Packing(Machine(memory_mb=8000))
    silent = packing.claim(Resources())
    held = packing.take(silent, 3)

    packing.revise(silent, Resources(memory_mb=2000))
    room = packing.room_for(silent, 9)
    packing.release(held[0])

    assert (room, packing.room_for(silent, 9)) == (1, 2)


def test_more_than_there_is_is_told_with_both_amounts_and_what_fits_is_not() -> None:
    asked = Resources(cpu=4, memory_mb=60_000, gpu=3, named=(("api", 5.0),))
    assert excess_over(asked, MACHINE) == [
        Excess("memory", 60_000, 8000),
        Excess("gpu", 3, 2),
        Excess("api", 5.0, 2.0),
    ]
    assert excess_over(Resources(cpu=4, memory_mb=8000, gpu=2), MACHINE) == []
    assert excess_over(asked, Machine()) == []


# --- whatever happens ----------------------------------------------------------

asks = st.builds(
    Resources,
    cpu=st.sampled_from([None, 0.3, 1, 2.5, 4, 9]),
    memory_mb=st.sampled_from([None, 1, 700, 3000, 8000, 60_000]),
    gpu=st.sampled_from([None, None, 1, 2]),
    named=st.sampled_from([(), (("api", 1.0),), (("api", 0.5),)]),
)
deeds = st.lists(st.tuples(st.sampled_from("ttterv"), st.integers(0, 999)), max_size=60)


class Room:
    """A packing and what is held of it, counted apart."""

    def __init__(self, wishes: list[Resources]) -> None:
        self.packing = Packing(MACHINE)
        self.wishes = wishes
        self.claims = [self.packing.claim(wish) for wish in wishes]
        self.held: list[tuple[Resources, Holding]] = []

    def do(self, deed: str, number: int) -> None:
        which = number % len(self.claims)
        claim = self.claims[which]
        if deed == "t":
            room = self.packing.room_for(claim, 1 + number % 3)
            holdings = self.packing.take(claim, room)
            self.held += [(self.wishes[which], holding) for holding in holdings]
        elif deed == "e" and self.held:
            self.packing.release(self.held.pop(number % len(self.held))[1])
        elif deed == "r":
            self.packing.reserve(claim)
        elif deed == "v" and self.packing.reserved is not None:
            self.packing.drop_reservation()

    def check_that_nothing_is_held_twice(self) -> None:
        def total(field: str) -> float:
            return sum(getattr(wish, field) or 0 for wish, _ in self.held)

        devices = [device for _, holding in self.held for device in holding.devices]
        assert len(set(devices)) == len(devices) == total("gpu")
        assert sum(amount for wish, _ in self.held for _, amount in wish.named) <= 2
        if any(excess_over(wish, MACHINE) for wish, _ in self.held):
            assert len(self.held) == 1, "who asks for more than there is runs alone"
        else:
            assert total("cpu") <= 4
            assert total("memory_mb") <= 8000


@settings(max_examples=200, deadline=None)
@given(st.lists(asks, min_size=1, max_size=5), deeds)
def test_the_machine_is_never_over_committed(
    wishes: list[Resources], deeds: list[tuple[str, int]]
) -> None:
    room = Room(wishes)
    for deed, number in deeds:
        room.do(deed, number)
        room.check_that_nothing_is_held_twice()


@settings(max_examples=200, deadline=None)
@given(st.lists(asks, min_size=1, max_size=5), deeds)
def test_whoever_waits_fits_once_nothing_runs_and_room_is_kept_for_nobody_else(
    wishes: list[Resources], deeds: list[tuple[str, int]]
) -> None:
    room = Room(wishes)
    for deed, number in deeds:
        room.do(deed, number)
    while room.held:
        room.do("e", 0)

    def fits(claim: Claim) -> bool:
        return room.packing.room_for(claim, 1) == 1

    reserved = room.packing.reserved
    assert reserved is None or fits(reserved)
    room.packing.drop_reservation()
    assert all(map(fits, room.claims))


@settings(max_examples=200, deadline=None)
@given(asks, st.lists(asks, min_size=1, max_size=4), deeds, deeds)
def test_whom_room_is_kept_for_begins_when_those_from_before_have_ended(
    wanted: Resources,
    wishes: list[Resources],
    before: list[tuple[str, int]],
    after: list[tuple[str, int]],
) -> None:
    room = Room(wishes)
    for deed, number in before:
        room.do(deed, number)
    claim = room.packing.claim(wanted)
    room.packing.reserve(claim)
    old = {id(holding) for _, holding in room.held}
    kept = list(room.held)
    for deed, number in after:
        if deed == "t":
            room.do(deed, number)

    assert {id(holding) for _, holding in kept} == old
    for _, holding in kept:
        room.packing.release(holding)

    assert room.packing.room_for(claim, 1) == 1


def test_tasks_that_ask_for_nothing_wait_too_while_the_machine_is_kept_for_one_alone() -> None:
    packing = Packing(MACHINE)
    huge, small = packing.claim(Resources(memory_mb=60_000)), packing.claim(Resources())
    (held,) = packing.take(small, 1)

    packing.reserve(huge)
    kept = packing.room_for(small, 3)
    packing.release(held)
    packing.take(huge, packing.room_for(huge, 3))

    assert (kept, packing.held_here) == (0, 1)
