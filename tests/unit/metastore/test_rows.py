"""Rows that earlier versions wrote are read as what they said."""

from __future__ import annotations

import msgspec

from swell.metastore.rows import attempt_fact
from swell.model.ids import RunId
from swell.model.record import Outcome, Usage
from swell.model.wire import encode


def test_an_end_stored_before_bytes_were_counted_has_the_three_old_measurements() -> None:
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(encode(Outcome(True, ended_at=3.0)))[:9])
    row = ("start", "1", 0, 1.0, 7, 3.0, old, 81.5, 0.25, "wait4", None)

    fact = attempt_fact(RunId("SumFlow", 1), row)

    assert fact.outcome == Outcome(True, ended_at=3.0)
    assert fact.usage == Usage(81.5, 0.25, "wait4")
