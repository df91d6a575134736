"""Kills of the kernel's for want of memory are seen in counters and in its log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from swell.compute.oom_watch import OomCounter, is_oom_victim, victims_in

LOG = """\
6,5220,26890115440,-;python invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0
3,5224,26890115454,-;Memory cgroup out of memory: Killed process 12623 (python) total-vm:75112kB
6,5225,26890115460,-;oom_reaper: reaped process 12623 (python), now anon-rss:0kB
3,5301,26999000000,c;Out of memory: Killed process 77 (a, b;c) total-vm:9kB, anon-rss:0kB
 SUBSYSTEM=memory
6,5302,27000000000,-;process 78 was not Killed process
"""


def machine(root: Path, listing: str, files: dict[str, str]) -> OomCounter:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(listing)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return OomCounter(str(root))


def test_the_counter_of_the_own_group_goes_before_that_of_the_machine(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/user/memory.events": "low 0\noom 3\noom_kill 2\noom_group_kill 5\n",
        "proc/vmstat": "pgfault 17\noom_kill 29\n",
    }
    counter = machine(tmp_path, "0::/user\n", files)
    assert counter.count() == 2
    counter.close()
    assert counter.count() is None


def test_a_group_of_version_1_is_counted_too(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory/memory.oom_control": "under_oom 0\noom_kill 4\n"}
    counter = machine(tmp_path, "4:memory:/\n", files)
    assert counter.count() == 4
    counter.close()


def test_without_a_group_the_machine_is_counted(tmp_path: Path) -> None:
    counter = machine(tmp_path, "", {"proc/vmstat": "pgfault 17\noom_kill 29\nx 1\n"})
    assert counter.count() == 29
    (tmp_path / "proc/vmstat").write_text("pgfault 99\noom_kill 30\nx 1\n")
    assert counter.count() == 30
    counter.close()


def test_a_machine_that_tells_nothing_is_not_known_to_have_killed(tmp_path: Path) -> None:
    assert machine(tmp_path, "", {}).count() is None


def test_victims_are_those_the_log_names_since_then() -> None:
    assert victims_in(LOG, 0.0) == [12623, 77]
    assert victims_in(LOG, 26_891.0) == [77]
    assert victims_in("what is this\n;Killed process 5\n", 0.0) == []


def test_a_log_that_cannot_be_read_or_is_of_other_numbers_says_nothing(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert is_oom_victim(5, 0.0, log=missing) is None
    (tmp_path / "log").write_text(LOG)
    of_this_machine = str(tmp_path / "log")  # its inode is not that of the first namespace
    assert is_oom_victim(12623, 0.0, log=of_this_machine, namespace=of_this_machine) is None


@pytest.mark.skipif(not os.access("/dev/kmsg", os.R_OK), reason="the kernel's log is not readable")
def test_a_living_process_is_no_victim() -> None:
    assert is_oom_victim(os.getpid(), 0.0) is not True
