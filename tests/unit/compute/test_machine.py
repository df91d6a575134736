"""What a machine has to give: of the machine, of control groups of both versions, and limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from swell.compute.cgroups import Cgroups, MemoryBound
from swell.compute.machine import find_machine
from swell.compute.pressure import MemoryState, MemoryWatch, shortage

MB = 1 << 20
NO_LIMIT = 9223372036854771712
Files = Callable[..., str]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Writes what the kernel would tell; gives the root to read below."""

    def write(**texts: str) -> str:
        for name, text in texts.items():
            path = tmp_path / name.replace("__", "/").replace("~", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return str(tmp_path)

    write(proc__meminfo=f"MemTotal: {16000 * 1024} kB\nMemAvailable: {12000 * 1024} kB\n")
    return write


def version_2(files: Files, own: str = "/a/b", mounted: str = "/") -> Callable[..., str]:
    """The files of version 2; names of groups are given as paths."""
    files(
        proc__self__cgroup=f"0::{own}\n",
        proc__self__mountinfo=f"31 23 0:28 {mounted} /cg rw - cgroup2 cgroup2 rw,nsdelegate\n",
    )
    return files


def version_1(files: Files, own: str = "/a") -> Callable[..., str]:
    """The files of version 1: one hierarchy for memory and one for cpu."""
    files(
        proc__self__cgroup=f"4:memory:{own}\n3:cpu,cpuacct:{own}\n0::/\n",
        proc__self__mountinfo=(
            "35 31 0:32 / /cg/memory rw,relatime - cgroup cgroup rw,memory\n"
            "32 31 0:29 / /cg/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
        ),
    )
    return files


def test_without_groups_it_is_the_machine_itself(files: Files) -> None:
    machine = find_machine(root=files())
    assert (machine.memory_mb, machine.free_memory_mb) == (16000, 12000)
    assert machine.cpu is not None
    assert machine.cpu >= 1


def test_a_limit_of_version_2_holds_without_what_files_take(files: Files) -> None:
    root = version_2(files)(
        **{
            "cg__a__b__memory~max": f"{4000 * MB}\n",
            "cg__a__b__memory~current": f"{1500 * MB}\n",
            "cg__a__b__memory~stat": f"anon 7\ninactive_file {300 * MB}\nactive_file {200 * MB}\n",
        }
    )
    machine = find_machine(root=root)
    assert (machine.memory_mb, machine.free_memory_mb) == (4000, 3000)


def test_a_limit_of_a_group_further_up_holds_too(files: Files) -> None:
    root = version_2(files)(
        **{
            "cg__a__b__memory~max": "max\n",
            "cg__a__memory~max": f"{2000 * MB}\n",
            "cg__a__memory~current": f"{500 * MB}\n",
        }
    )
    assert Cgroups(root).memory_bounds() == [MemoryBound(2000 * MB, 500 * MB)]


def test_in_a_container_the_mount_begins_at_its_own_group(files: Files) -> None:
    root = version_2(files, own="/docker/abc", mounted="/docker/abc")(
        **{"cg__memory~max": f"{1000 * MB}\n", "cg__cpu~max": "50000 100000\n"}
    )
    machine = find_machine(root=root)
    assert (machine.memory_mb, machine.cpu) == (1000, 0.5)


def test_a_limit_of_version_1_holds(files: Files) -> None:
    root = version_1(files)(
        **{
            "cg__memory__a__memory~limit_in_bytes": f"{3000 * MB}\n",
            "cg__memory__a__memory~usage_in_bytes": f"{1000 * MB}\n",
            "cg__memory__a__memory~stat": f"total_inactive_file {100 * MB}\ninactive_file 5\n",
            "cg__memory__memory~limit_in_bytes": f"{NO_LIMIT}\n",
            "cg__cpu__a__cpu~cfs_quota_us": "25000\n",
            "cg__cpu__a__cpu~cfs_period_us": "100000\n",
        }
    )
    machine = find_machine(root=root)
    assert (machine.memory_mb, machine.free_memory_mb, machine.cpu) == (3000, 2100, 0.25)


def test_no_limit_is_none_in_both_versions(files: Files) -> None:
    root = version_1(files)(
        **{
            "cg__memory__a__memory~limit_in_bytes": f"{NO_LIMIT}\n",
            "cg__cpu__a__cpu~cfs_quota_us": "-1\n",
            "cg__cpu__a__cpu~cfs_period_us": "100000\n",
        }
    )
    assert Cgroups(root).memory_bounds() == []
    assert Cgroups(root).cpu_quota() is None
    root = version_2(files)(**{"cg__a__memory~max": "max\n", "cg__a__cpu~max": "max 100000\n"})
    assert Cgroups(root).memory_bounds() == []
    assert Cgroups(root).cpu_quota() is None


def test_where_the_kernel_tells_nothing_nothing_is_known(tmp_path: Path) -> None:
    machine = find_machine(root=str(tmp_path))
    assert (machine.memory_mb, machine.free_memory_mb, machine.devices) == (None, None, None)


def test_the_user_lowers_what_there_is_and_names_the_rest(files: Files) -> None:
    limits = {"memory": 1000.0, "cpu": 0.5, "gpu": 1.0, "api": 5.0}
    machine = find_machine(limits, lambda: ("x", "y"), root=files())
    assert (machine.memory_mb, machine.free_memory_mb, machine.cpu) == (1000, 1000, 0.5)
    assert (machine.devices, machine.limits) == (("x",), (("api", 5.0),))


def test_a_limit_above_what_there_is_gives_no_more(files: Files) -> None:
    assert find_machine({"memory": 99_999.0}, root=files()).memory_mb == 16000


@pytest.mark.parametrize(
    ("state", "was_short", "words"),
    [
        (MemoryState(0.0, 5000 * MB, 10_000 * MB), False, ""),
        (MemoryState(0.0, 300 * MB, 10_000 * MB), False, "300 of 10,000 MB are left"),
        (MemoryState(0.0, 500 * MB, 10_000 * MB), False, ""),
        (MemoryState(0.0, 500 * MB, 10_000 * MB), True, "500 of 10,000 MB are left"),
        (MemoryState(0.0, 900 * MB, 10_000 * MB), True, ""),
        (MemoryState(25.0, 5000 * MB, 10_000 * MB), False, "programs wait for memory 25 % of"),
        (MemoryState(5.0, 5000 * MB, 10_000 * MB), False, ""),
        (MemoryState(5.0, 5000 * MB, 10_000 * MB), True, "programs wait for memory 5 % of"),
        (MemoryState(), True, ""),
    ],
)
def test_memory_is_short_from_one_mark_and_enough_again_from_another(
    state: MemoryState, was_short: bool, words: str
) -> None:
    told = shortage(state, was_short=was_short)
    assert told.startswith(words)
    assert bool(told) == bool(words)


def test_the_watch_reads_the_host_where_no_group_has_a_limit(files: Files) -> None:
    pressure = (
        "some avg10=20.00 avg60=0 avg300=0 total=1\nfull avg10=12.50 avg60=0 avg300=0 total=1\n"
    )
    root = files(proc__pressure__memory=pressure)
    assert MemoryWatch(root).state() == MemoryState(12.5, 12000 * MB, 16000 * MB)


def test_the_watch_reads_its_own_group_where_that_has_a_limit(files: Files) -> None:
    stall = "some avg10=9.00 avg60=0 avg300=0 total=1\nfull avg10=3.00 avg60=0 avg300=0 total=1\n"
    root = version_2(files)(
        **{
            "proc__pressure__memory": stall.replace("3.00", "99.00"),
            "cg__a__b__memory~max": f"{1000 * MB}\n",
            "cg__a__b__memory~current": f"{990 * MB}\n",
            "cg__a__b__memory~pressure": stall,
        }
    )
    watch = MemoryWatch(root)
    assert watch.state() == MemoryState(3.0, 10 * MB, 1000 * MB)
    assert watch.look() == "10 of 1,000 MB are left"


def test_the_stall_of_neighbours_is_none_of_a_group_of_version_1(files: Files) -> None:
    root = version_1(files)(
        **{
            "proc__pressure__memory": "full avg10=99.00 avg60=0 avg300=0 total=1\n",
            "cg__memory__a__memory~limit_in_bytes": f"{3000 * MB}\n",
        }
    )
    assert MemoryWatch(root).look() == ""
