"""Whether the members of a pack leave room for the next one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swell.compute.member_memory import MemberMemory

PAGES_A_MB = (1 << 20) // os.sysconf("SC_PAGE_SIZE")


class Kernel:
    """A file as the kernel's: ``own_mb`` belong to the process, 30 MB are pages of files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.holds(100)

    def holds(self, own_mb: int) -> None:
        resident, of_files = (own_mb + 30) * PAGES_A_MB, 30 * PAGES_A_MB
        self.path.write_text(f"999999 {resident} {of_files} 5 0 77 0\n")


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path / "statm")


def test_half_of_what_the_script_leaves_of_the_memory_asked_for_may_be_left(kernel: Kernel) -> None:
    memory = MemberMemory(300, statm=str(kernel.path))
    answers = []
    for own_mb in (100, 150, 200, 201, 120):
        kernel.holds(own_mb)
        answers.append(memory.is_taken())
    assert answers == [False, False, False, True, False]


@pytest.mark.parametrize("asked_mb", [None, 90])
def test_where_nothing_is_asked_or_the_script_alone_needs_more_nobody_can_say(
    kernel: Kernel, asked_mb: int | None
) -> None:
    memory = MemberMemory(asked_mb, statm=str(kernel.path))
    kernel.holds(5000)
    assert not memory.is_taken()


def test_where_no_kernel_counts_nothing_is_taken(tmp_path: Path) -> None:
    assert not MemberMemory(300, statm=str(tmp_path / "none")).is_taken()


def test_a_process_that_the_kernel_ended_in_the_group_is_seen(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom 3\noom_kill 0\n")
    memory = MemberMemory(300, str(events))
    before = memory.was_exceeded()
    events.write_text("low 0\noom 4\noom_kill 1\n")
    assert (before, memory.was_exceeded()) == (False, True)
    assert not MemberMemory(300).was_exceeded()
