"""Large files go to their disk while they are written."""

from __future__ import annotations

from swell.datastore.writeback import FROM_BYTES, Writeback


def test_each_byte_is_sent_on_once_and_in_stretches_that_are_worth_it() -> None:
    begun: list[tuple[int, int, int, int]] = []
    writeback = Writeback(7, lambda *given: begun.append(given))

    for _ in range(3):
        writeback.appended(FROM_BYTES // 2)
    assert begun == [(7, 0, FROM_BYTES, 2)]

    writeback.appended(2 * FROM_BYTES)
    assert begun[1:] == [(7, FROM_BYTES, 5 * FROM_BYTES // 2, 2)]


def test_short_files_are_left_to_fsync() -> None:
    begun: list[object] = []
    writeback = Writeback(7, lambda *given: begun.append(given))
    writeback.appended(FROM_BYTES - 1)
    assert begun == []
