"""What an attempt used is told from the kernel's counters, as a fresh process would need it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from swell.compute.measuring import Inherited, own_memory, usage_of
from swell.model.record import Usage

MB = 1024


def counted(peak_mb: float) -> Any:
    return SimpleNamespace(
        ru_maxrss=peak_mb * MB, ru_utime=1.5, ru_stime=0.25, ru_inblock=4096, ru_oublock=2048
    )


def test_a_fresh_attempt_needs_and_takes_what_its_largest_process_had() -> None:
    assert usage_of(counted(300), None) == Usage(
        300.0, 1.75, "largest process", 2.0, 1.0, added_mb=300.0
    )


def test_a_forked_attempt_takes_only_what_it_does_not_share() -> None:
    used = usage_of(counted(450), Inherited(shared_mb=290, file_mb=50, import_peak_mb=340))
    assert (used.peak_memory_mb, used.added_mb) == (500.0, 160.0)
    assert used.how == "largest process, forked"


def test_a_fresh_process_would_need_what_importing_the_script_took_at_its_peak() -> None:
    used = usage_of(counted(450), Inherited(shared_mb=290, file_mb=50, import_peak_mb=800))
    assert (used.peak_memory_mb, used.added_mb) == (800.0, 160.0)


def test_a_forked_attempt_that_died_at_once_added_nothing() -> None:
    assert usage_of(counted(280), Inherited(290, 50, 340)).added_mb == 0.0


def test_the_memory_that_children_inherit_is_read_from_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "status").write_text(
        "Name:\tx\nVmHWM:\t 2048 kB\nRssAnon:\t1024 kB\nRssFile: 512 kB\n"
    )
    assert own_memory(str(tmp_path / "status")) == Inherited(1.0, 0.5, 2.0)
    assert own_memory(str(tmp_path / "none")) == Inherited()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_memory_of_a_real_child_is_counted_beyond_what_it_inherits() -> None:
    inherited = own_memory()
    pid = os.fork()
    if pid == 0:
        block = bytearray(100 * MB * MB)
        os._exit(len(block) == 0)
    _, status, ended = os.wait4(pid, 0)

    used = usage_of(ended, inherited)

    assert status == 0
    assert used.added_mb is not None
    assert used.peak_memory_mb is not None
    assert 95 < used.added_mb < 130
    assert used.peak_memory_mb >= inherited.shared_mb + 95


def test_what_the_backend_does_not_know_is_taken_from_the_attempt() -> None:
    seen = Usage(100.0, 1.0, "largest process", read_mb=0.0)
    own = Usage(90.0, gpu_memory_mb=2000.0, read_mb=7.0)
    assert seen.completed(own) == Usage(
        100.0, 1.0, "largest process", read_mb=0.0, gpu_memory_mb=2000.0
    )
    assert seen.completed(Usage()) is seen
