"""Which lines that the engine kept are not in the log yet."""

from __future__ import annotations

import pytest

from swell.compute.remote.last_lines import unheard
from swell.errors import ComputeError
from swell.model.job import JobState
from swell.model.remote import LogFrame
from swell.seams.queue import KeptLine, MemberUpdate
from tests.unit.compute.remote.queue_double import Watched, launch


def kept(*lines: tuple[float, str]) -> list[KeptLine]:
    return [KeptLine(*line) for line in lines]


def texts(found):
    return [(line.stream, line.text) for line in found]


def test_without_a_stored_segment_all_of_them_are_new():
    assert texts(unheard(kept((1.0, "a"), (2.0, "b")), [])) == [("stdout", "a"), ("stdout", "b")]


def test_lines_that_are_stored_are_left_out_though_the_engine_stamped_them_later():
    stored = [LogFrame("stdout", 10.0, b"a\nb\n"), LogFrame("stderr", 10.1, b"warn\r\n")]

    found = unheard(kept((10.001, "a"), (10.002, "b"), (10.103, "warn"), (10.4, "c")), stored)

    assert texts(found) == [("stdout", "c")]


def test_what_came_before_the_segment_is_stored_in_earlier_ones():
    stored = [LogFrame("stdout", 10.0, b"b\n")]

    assert unheard(kept((9.5, "a"), (10.0, "b")), stored) == []


def test_the_same_line_once_more_is_new():
    stored = [LogFrame("stdout", 10.0, b"tick\ntick\n")]

    assert len(unheard(kept((10.0, "tick"), (10.0, "tick"), (10.5, "tick")), stored)) == 1


def test_the_same_line_of_a_later_try_is_new():
    stored = [LogFrame("stdout", 10.0, b"begin\n")]

    assert texts(unheard(kept((90.0, "begin")), stored)) == [("stdout", "begin")]


def test_a_line_that_was_begun_goes_on_where_it_was_cut_and_in_its_stream():
    stored = [LogFrame("stderr", 10.0, b"half a li")]

    assert texts(unheard(kept((10.5, "half a line")), stored)) == [("stderr", "ne")]


@pytest.fixture
def watched():
    backend = Watched()
    yield backend
    backend.backend.close()


def ended(watched, **fields):
    engine_id = watched.queue.id_of(watched.queue.taken[0].name)
    watched.queue.told.append(MemberUpdate(engine_id, 0, JobState.EXITED, 1.0, **fields))


def printed(watched):
    return b"".join(output.data for output in watched.outputs)


def test_an_attempt_that_never_told_its_end_gets_its_last_lines_from_the_engine(watched):
    watched.queue.kept = {0: kept((1.0, "one"), (1.2, "two"))}
    watched.backend.submit([launch(2)])
    watched.wait_for_submissions(1)
    watched.tell_log(watched.queue.taken[0].name, "one\n")
    watched.wait_for(lambda: printed(watched) == b"one\n")

    ended(watched)
    watched.wait_for_ends(1)

    assert printed(watched) == b"one\ntwo\n"
    assert watched.queue.asked == [{0: 1.0}]


def test_an_attempt_that_told_its_end_is_not_asked_for(watched):
    watched.backend.submit([launch(2)])
    watched.wait_for_submissions(1)
    name = watched.queue.taken[0].name
    watched.tell_end(name, ended_by="stop", exit_code=1)

    ended(watched)
    watched.wait_for_ends(1)

    assert watched.queue.asked == []


def test_an_attempt_that_was_ended_on_request_is_not_asked_for(watched):
    watched.backend.submit([launch(2)])
    watched.wait_for_submissions(1)

    watched.backend.cancel([launch(2).job], "enough")
    watched.wait_for_ends(1)

    assert watched.queue.asked == []


def test_lines_that_cannot_be_had_are_told_once_and_the_attempt_ends_all_the_same(watched):
    watched.queue.kept = ComputeError("The AWS credentials lack the right logs:GetLogEvents.")
    watched.backend.submit([launch(2)])
    watched.wait_for_submissions(1)

    ended(watched)
    watched.wait_for_ends(1)

    (said,) = watched.said
    assert "logs:GetLogEvents" in said
