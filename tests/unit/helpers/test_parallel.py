"""parallel_map and parallel_imap_unordered."""

import os
import signal
from pathlib import Path

import pytest

from swell.errors import MulticoreException, UseError
from swell.helpers.parallel import parallel_imap_unordered, parallel_map


def test_results_stand_in_the_order_of_the_items():
    assert parallel_map(lambda x: x * x, range(7), max_parallel=3) == [0, 1, 4, 9, 16, 25, 36]


def test_no_items_give_an_empty_list():
    assert parallel_map(str, []) == []


def test_each_item_has_a_process_of_its_own_that_is_not_this_one():
    pids = parallel_map(lambda _: os.getpid(), range(4))
    assert len({*pids, os.getpid()}) == 5


def test_unordered_results_are_all_there_and_temporary_files_are_gone(tmp_path: Path):
    results = set(parallel_imap_unordered(lambda x: -x, [1, 2, 3], dir=str(tmp_path)))
    assert results == {-1, -2, -3}
    assert list(tmp_path.iterdir()) == []


def test_at_most_max_parallel_processes_run_at_once(tmp_path: Path):
    def count_living(index: int) -> int:
        mine = tmp_path / str(index)
        mine.touch()
        living = len(list(tmp_path.iterdir()))
        mine.unlink()
        return living

    assert max(parallel_map(count_living, range(12), max_parallel=2)) <= 2


def test_a_result_larger_than_a_pipe_comes_back_whole():
    (result,) = parallel_map(lambda n: bytes(n), [3_000_000])
    assert len(result) == 3_000_000


def test_an_exception_in_a_child_is_raised_with_the_childs_traceback():
    def divide(x: int) -> float:
        return 1 / x

    with pytest.raises(MulticoreException) as caught:
        parallel_map(divide, [1, 0])
    assert "Item 1 failed with ZeroDivisionError" in caught.value.message
    assert "in divide" in caught.value.message


def test_a_result_that_cannot_be_pickled_is_named():
    with pytest.raises(MulticoreException, match="Item 0 failed with"):
        parallel_map(lambda x: lambda: x, [1])


def test_a_child_killed_by_a_signal_is_told_by_the_signals_name():
    with pytest.raises(MulticoreException, match="SIGKILL"):
        parallel_map(lambda _: os.kill(os.getpid(), signal.SIGKILL), [1])


def test_children_that_still_run_are_killed_when_one_fails(tmp_path: Path):
    def work(index: int) -> None:
        (tmp_path / f"{index}.pid").write_text(str(os.getpid()))
        if index == 0:
            while not (tmp_path / "1.pid").exists():
                os.sched_yield()
            raise ValueError("no")
        signal.pause()

    with pytest.raises(MulticoreException):
        parallel_map(work, [0, 1], max_parallel=2)
    sibling = int((tmp_path / "1.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(sibling, 0)


def test_children_are_killed_when_the_caller_stops_early(tmp_path: Path):
    def work(index: int) -> int:
        (tmp_path / f"{index}.pid").write_text(str(os.getpid()))
        if index == 0:
            while not (tmp_path / "1.pid").exists():
                os.sched_yield()
            return 0
        signal.pause()
        return 1

    results = parallel_imap_unordered(work, [0, 1], max_parallel=2)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    sibling = int((tmp_path / "1.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(sibling, 0)


def test_a_limit_below_one_is_refused():
    with pytest.raises(UseError, match="max_parallel is 0"):
        parallel_map(str, [1], max_parallel=0)


def test_a_forked_process_that_drops_a_running_map_does_not_kill_its_children(tmp_path: Path):
    def work(index: int) -> int:
        while index and not (tmp_path / "go").exists():
            os.sched_yield()
        return index

    results = parallel_imap_unordered(work, [0, 1], max_parallel=2)
    assert next(results) == 0
    pid = os.fork()
    if pid == 0:
        results.close()  # type: ignore[attr-defined]
        os._exit(0)
    os.waitpid(pid, 0)
    (tmp_path / "go").touch()
    assert list(results) == [1]
