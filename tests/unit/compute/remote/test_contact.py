"""When a driver leaves a run since nobody answers."""

from __future__ import annotations

from swell.compute.remote.contact import Contact
from swell.errors import ComputeError

SILENT = ComputeError("The engine does not answer.", remedy="Look at it.", retryable=True)


def test_silence_is_waited_out_for_as_long_as_the_patience_lasts():
    contact = Contact(600.0)
    assert contact.failed("engine", SILENT, 1000.0) is None
    assert contact.failed("engine", SILENT, 1599.0) is None
    why = contact.failed("engine", SILENT, 1600.0)
    assert why is not None
    assert "for 600 s" in why.message


def test_an_answer_begins_the_wait_anew():
    contact = Contact(600.0)
    contact.failed("engine", SILENT, 1000.0)
    assert contact.is_silent("engine")
    contact.answered("engine")
    assert not contact.is_silent("engine")
    assert contact.failed("engine", SILENT, 1700.0) is None


def test_each_is_waited_for_on_its_own():
    contact = Contact(600.0)
    contact.failed("engine", SILENT, 1000.0)
    assert contact.failed("store", SILENT, 1700.0) is None
    contact.answered("store")
    assert contact.failed("engine", SILENT, 1700.0) is not None
