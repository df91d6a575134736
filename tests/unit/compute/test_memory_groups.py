"""Groups that hold attempts to their memory: of version 1, version 2, and where there is none."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swell.compute.given import Given
from swell.compute.kernel import limit_own_data, start_time_of
from swell.compute.memory_groups import (
    V1,
    V2,
    MemoryGroup,
    MemoryGroups,
    open_memory_groups,
)
from swell.compute.memory_hold import MemoryHold, usage_in_group
from swell.model.record import Usage

MB = 1 << 20


def fake_group(folder: Path, version: int, **numbers: int) -> MemoryGroup:
    """A folder with the files of a group; ``numbers`` in MB, but ``kills``."""
    folder.mkdir()
    files = V1 if version == 1 else V2
    peak, usage, kills = (numbers.get(name, 0) for name in ("peak", "usage", "kills"))
    (folder / files.peak).write_text(f"{peak * MB}\n")
    (folder / files.usage).write_text(f"{usage * MB}\n")
    events = "oom_kill_disable 0\nunder_oom 0\n" if version == 1 else "low 0\nmax 4\noom 1\n"
    (folder / files.events).write_text(f"{events}oom_kill {kills}\n")
    (folder / "cgroup.procs").write_text("")
    return MemoryGroup(str(folder), files)


@pytest.mark.parametrize("version", [1, 2])
def test_kills_and_peak_are_read_from_the_files_of_both_versions(
    tmp_path: Path, version: int
) -> None:
    group = fake_group(tmp_path / "g", version, peak=300, usage=20, kills=2)
    assert (group.oom_kills(), group.peak_mb(), group.left_mb()) == (2, 300.0, 20.0)


def test_a_kernel_that_counts_no_peak_says_nothing_of_it(tmp_path: Path) -> None:
    group = fake_group(tmp_path / "g", 2)
    (tmp_path / "g" / "memory.peak").unlink()
    used = Usage(100.0, 1.0, "largest process", added_mb=90.0)
    assert group.peak_mb() is None
    assert usage_in_group(used, group, 0) is used


@pytest.mark.parametrize("version", [1, 2])
def test_all_processes_of_a_group_count_and_pages_of_files_do_not(
    tmp_path: Path, version: int
) -> None:
    alone = Usage(150.0, 1.0, "largest process, forked", added_mb=100.0)
    group = fake_group(tmp_path / "g", version, peak=400, usage=60)
    used = usage_in_group(alone, group, 0)
    assert (used.peak_memory_mb, used.added_mb) == (390.0, 340.0)
    assert used.how == "control group, forked"


def test_of_a_group_in_which_the_kernel_killed_all_pages_were_needed(tmp_path: Path) -> None:
    alone = Usage(150.0, 1.0, "largest process", added_mb=150.0)
    group = fake_group(tmp_path / "g", 1, peak=300, usage=60, kills=1)
    assert usage_in_group(alone, group, 1).peak_memory_mb == 300.0


def test_what_its_largest_process_had_is_never_made_less(tmp_path: Path) -> None:
    alone = Usage(350.0, 1.0, "largest process", added_mb=350.0)
    group = fake_group(tmp_path / "g", 1, peak=400, usage=100)
    assert usage_in_group(alone, group, 0) is alone


def machine(root: Path, version: int, *, writable: bool = True) -> Path:
    """A machine whose only control group is this process's; its folder."""
    proc = root / "proc" / "self"
    proc.mkdir(parents=True)
    if version == 1:
        mount = "30 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        (proc / "cgroup").write_text("4:memory:/user/me\n1:name=systemd:/user/me\n")
        own = root / "sys/fs/cgroup/memory/user/me"
    else:
        mount = "30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        (proc / "cgroup").write_text("0::/user/me\n")
        own = root / "sys/fs/cgroup/user/me"
    (proc / "mountinfo").write_text(f"20 1 0:1 / / rw - ext4 /dev/x rw\n{mount}")
    if writable:
        own.mkdir(parents=True)
    return own


@pytest.mark.parametrize("version", [1, 2])
def test_a_folder_that_does_not_behave_like_a_controller_gives_no_groups(
    tmp_path: Path, version: int
) -> None:
    own = machine(tmp_path, version)
    assert open_memory_groups(str(tmp_path)) is None
    assert list(own.iterdir()) == []


@pytest.mark.parametrize("version", [1, 2])
def test_no_folder_of_groups_and_no_controller_give_no_groups(tmp_path: Path, version: int) -> None:
    machine(tmp_path / "a", version, writable=False)
    assert open_memory_groups(str(tmp_path / "a")) is None
    assert open_memory_groups(str(tmp_path / "nothing")) is None


@pytest.mark.parametrize("version", [1, 2])
def test_limits_are_written_to_the_files_of_each_version(tmp_path: Path, version: int) -> None:
    written: dict[str, str] = {}

    def write(path: str, text: str) -> None:
        written[os.path.basename(path)] = text

    MemoryGroups(str(tmp_path), V1 if version == 1 else V2, write).make(200)
    limit = str(200 * MB)
    wanted = (
        {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit}
        if version == 1
        else {"memory.max": limit, "memory.swap.max": "0", "memory.oom.group": "1"}
    )
    assert written == wanted


def test_groups_left_by_a_keeper_that_was_killed_are_taken_away_and_those_of_others_stay(
    tmp_path: Path,
) -> None:
    own = machine(tmp_path, 1)
    namespace = f"{os.stat('/proc/self/ns/pid').st_ino:x}"
    dead = own / f"swell-tasks-{namespace}-{os.getpid()}-7"
    alive = own / f"swell-tasks-{namespace}-{os.getppid()}-{start_time_of(os.getppid())}"
    elsewhere = own / f"swell-tasks-1-{os.getpid()}-7"
    for folder in (dead / "1", alive / "1", elsewhere / "1", own / "other"):
        folder.mkdir(parents=True)
    open_memory_groups(str(tmp_path))
    assert sorted(own.iterdir()) == sorted([alive, elsewhere, own / "other"])


def test_an_attempt_without_a_limit_costs_no_group() -> None:
    def never() -> MemoryGroups | None:
        raise AssertionError("groups were opened")

    assert MemoryHold(never).begin(Given(), 0.0) is None


def test_where_no_group_can_be_made_an_attempt_limits_itself() -> None:
    hold = MemoryHold(lambda: None)
    assert hold.begin(Given(memory_mb=100), 0.0) is None
    hold.close()


# --- for real -------------------------------------------------------------------


@pytest.fixture
def groups() -> Iterator[MemoryGroups]:
    found = open_memory_groups()
    if found is None:
        pytest.skip("no control group can be made here")
    yield found
    found.close()


def in_child(act: Callable[[], object]) -> int:
    """The wait status of a forked process that does ``act``."""
    pid = os.fork()
    if pid == 0:
        code = 9
        try:
            act()
            code = 0
        except MemoryError:
            code = 3
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


def allocate(mb: int) -> bytearray:
    return bytearray(mb * MB)


def test_the_kernel_ends_a_process_that_exceeds_its_group_and_counts_it(
    groups: MemoryGroups,
) -> None:
    small, large = groups.make(60), groups.make(200)

    def exceed(group: MemoryGroup) -> Callable[[], object]:
        return lambda: (group.enter(), allocate(100))

    assert os.WTERMSIG(in_child(exceed(small))) == signal.SIGKILL
    assert in_child(exceed(large)) == 0
    assert (small.oom_kills(), large.oom_kills()) == (1, 0)
    peaks = small.peak_mb(), large.peak_mb()
    if None not in peaks:
        assert 50 < (peaks[0] or 0) <= 60
        assert 95 < (peaks[1] or 0) < 130


def test_a_grandchild_counts_in_the_group_and_is_ended_with_it(groups: MemoryGroups) -> None:
    group = groups.make(60)
    read, write = os.pipe()

    def leave_a_daemon() -> None:
        group.enter()
        if os.fork() == 0:
            os.setsid()
            os.write(write, b"x")
            time.sleep(600)

    assert in_child(leave_a_daemon) == 0
    os.close(write)
    assert os.read(read, 1) == b"x"
    assert len(Path(group.folder, "cgroup.procs").read_text().split()) == 1
    groups.release(group)
    assert os.read(read, 1) == b""  # the last that held the other end is gone
    os.close(read)
    groups.close()
    assert not Path(group.folder).exists()


def test_without_groups_too_much_memory_is_refused_with_a_memory_error() -> None:
    def exceed() -> None:
        limit_own_data(60 + own_mb())
        allocate(100)

    def stay_within() -> None:
        limit_own_data(200 + own_mb())
        allocate(100)

    assert os.WEXITSTATUS(in_child(exceed)) == 3
    assert in_child(stay_within) == 0


def own_mb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no RssAnon")
