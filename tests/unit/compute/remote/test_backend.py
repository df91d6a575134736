"""The backend for batch systems: writes down, submits once, hears, asks, ends."""

from __future__ import annotations

import pytest

from swell.errors import ComputeError, StoreError
from swell.model.cause import Cause, Evidence, find_cause
from swell.model.ids import JobId
from swell.model.job import Inputs, Intent, JobState
from swell.model.remote import unpack_submission
from swell.seams.queue import MemberUpdate

from .queue_double import KEYS, Watched, failed_result, launch, ok_result, unanswered


@pytest.fixture
def watched():
    made = []

    def make(**settings) -> Watched:
        made.append(Watched(**settings))
        return made[-1]

    yield make
    for one in made:
        one.backend.close()
        assert one.queue.closed


def test_launches_that_come_together_are_one_submission_and_end_one_by_one(watched):
    run = watched()
    shared = Inputs(("start/1",), (b"record",))
    run.backend.submit([launch(n, inputs=shared) for n in (2, 3, 4)])
    for member in (2, 0, 1):
        run.tell_end("swell-work-2-0-3", member, ok_result())
    ended = run.wait_for_ends(3)
    assert {str(job): update.result for job, update in ended.items()} == {
        "2.0": ok_result(),
        "3.0": ok_result(),
        "4.0": ok_result(),
    }
    (submission,) = run.queue.taken
    assert (submission.count, submission.is_gang) == (3, False)
    assert submission.environment["SWELL_SUBMISSION"] == KEYS.submission(submission.name)
    packed = unpack_submission(run.storage.read(KEYS.submission(submission.name)))
    assert packed == [launch(n, inputs=shared) for n in (2, 3, 4)]
    noted = run.storage.read(KEYS.engine_id(submission.name))
    assert bytes(noted).decode() == run.queue.id_of(submission.name)
    assert run.preparing.steps == ["work"]


def test_output_comes_in_order_before_the_end_and_only_once(watched):
    run = watched()
    run.backend.submit([launch(2)])
    name = "swell-work-2-0-1"
    run.tell_log(name, "first", number=1, at_ms=1_000)
    run.wait_for(lambda: len(run.outputs) == 1)
    run.tell_log(name, "second", number=2, at_ms=2_000)
    run.tell_log(name, "third", number=3, at_ms=3_000)
    run.tell("began", name, at_ms=900)
    run.tell_end(name, result=ok_result(), at_ms=4_000)
    run.wait_for_ends(1)
    assert [output.data for output in run.outputs] == [b"first", b"second", b"third"]
    assert [update.state for update in run.updates] == [JobState.RUNNING, JobState.EXITED]


def test_output_is_taken_before_the_end_although_its_keys_stand_behind_it(watched):
    run = watched()
    run.backend.submit([launch(2)])
    name = "swell-work-2-0-1"
    run.tell_end(name, result=ok_result(), at_ms=1_000, log_segments=3)
    run.tell_log(name, "second", number=2, at_ms=1_000)
    run.tell_log(name, "first", number=1, at_ms=1_001)
    run.wait_for(lambda: len(run.outputs) == 2)
    run.tell_log(name, "third", number=3, at_ms=999)
    run.wait_for_ends(1)
    assert [output.data for output in run.outputs] == [b"first", b"second", b"third"]


def test_an_end_is_taken_although_output_that_it_tells_of_never_comes(watched):
    run = watched()
    run.backend.submit([launch(2)])
    run.tell_end("swell-work-2-0-1", result=ok_result(), log_segments=1)
    (update,) = run.wait_for_ends(1).values()
    assert update.result == ok_result()


def test_an_end_without_a_result_carries_the_evidence(watched):
    run = watched()
    run.backend.submit([launch(2)])
    run.tell_end("swell-work-2-0-1", oom_kills=1, memory_limit_mb=500, peak_memory_mb=499.5)
    (update,) = run.wait_for_ends(1).values()
    assert update.result is None
    assert find_cause(update.evidence).cause is Cause.OUT_OF_MEMORY
    assert update.usage.peak_memory_mb == 499.5


def test_a_job_that_ended_without_a_word_ends_by_what_the_engine_says(watched):
    run = watched()
    run.backend.submit([launch(2), launch(3)])
    engine_id = run.queue.id_of("swell-work-2-0-2")
    evidence = Evidence(host_lost=True, reason="Host EC2 (instance i-1) terminated.")
    run.queue.told.append(MemberUpdate(engine_id, 1, JobState.EXITED, 5.0, evidence))
    update = run.wait_for_ends(1)[JobId("3", 0)]
    assert find_cause(update.evidence).cause is Cause.HOST_LOST
    assert JobId("2", 0) not in run.ended()


def test_no_word_is_waited_for_from_a_machine_that_is_lost(watched):
    run = watched(word_grace_s=3600.0)
    run.backend.submit([launch(2)])
    engine_id = run.queue.id_of("swell-work-2-0-1")
    evidence = Evidence(host_lost=True, reason="Host EC2 (instance i-1) terminated.")
    run.queue.told.append(MemberUpdate(engine_id, 0, JobState.EXITED, 5.0, evidence))
    (update,) = run.wait_for_ends(1).values()
    assert find_cause(update.evidence).cause is Cause.HOST_LOST


def test_what_a_machine_told_before_it_was_lost_counts(watched):
    run = watched(word_grace_s=3600.0)
    run.backend.submit([launch(2)])
    name = "swell-work-2-0-1"
    engine_id = run.queue.id_of(name)
    run.tell_end(name, result=ok_result(), at_ms=1)
    evidence = Evidence(host_lost=True, reason="Host EC2 (instance i-1) terminated.")
    run.queue.told.append(MemberUpdate(engine_id, 0, JobState.EXITED, 5.0, evidence))
    (update,) = run.wait_for_ends(1).values()
    assert update.result == ok_result()


def test_the_last_word_counts_although_the_engine_was_asked_first(watched):
    run = watched(word_grace_s=30.0)
    run.backend.submit([launch(2)])
    engine_id = run.queue.id_of("swell-work-2-0-1")
    run.queue.told.append(MemberUpdate(engine_id, 0, JobState.EXITED, 5.0, Evidence(exit_code=0)))
    run.wait_for(lambda: not run.queue.told)
    run.tell_end("swell-work-2-0-1", result=ok_result())
    (update,) = run.wait_for_ends(1).values()
    assert update.result == ok_result()


def test_what_was_killed_from_outside_ends_by_the_engine_s_word_whatever_it_made_of_the_signal(
    watched,
):
    run = watched(word_grace_s=30.0)
    run.backend.submit([launch(2)])
    name = "swell-work-2-0-1"
    run.tell_end(name, result=failed_result(), ended_by="stop")
    evidence = Evidence(engine_cause=Cause.CANCELLED, reason="killed by ada")
    run.queue.told.append(MemberUpdate(run.queue.id_of(name), 0, JobState.EXITED, 5.0, evidence))
    (update,) = run.wait_for_ends(1).values()
    assert update.result is None
    assert find_cause(update.evidence).cause is Cause.CANCELLED


def test_an_attempt_that_ended_well_although_it_was_asked_to_stop_counts(watched):
    run = watched()
    run.backend.submit([launch(2)])
    run.tell_end("swell-work-2-0-1", result=ok_result(), ended_by="stop")
    (update,) = run.wait_for_ends(1).values()
    assert update.result == ok_result()


def test_an_attempt_whose_claim_another_job_has_decides_nothing(watched):
    run = watched()
    run.backend.submit([launch(2)])
    run.tell_end("swell-work-2-0-1", ended_by="claimed", at_ms=1_000)
    run.tell_end("swell-work-2-0-1", result=ok_result(), at_ms=2_000, job="other", attempt=2)
    (update,) = run.wait_for_ends(1).values()
    assert update.result == ok_result()


def test_a_submission_whose_answer_was_lost_is_found_and_not_made_twice(watched):
    run = watched()
    run.queue.answers = [unanswered()]
    run.backend.submit([launch(2)])
    run.tell_end("swell-work-2-0-1", result=ok_result())
    run.wait_for_ends(1)
    assert len(run.queue.taken) == 1


def test_what_the_engine_refuses_ends_with_its_words(watched):
    run = watched()
    run.queue.answers = [ComputeError("The queue 'big' is disabled.", remedy="Enable it.")]
    run.backend.submit([launch(2), launch(3)])
    ended = run.wait_for_ends(2)
    finding = find_cause(ended[JobId("2", 0)].evidence)
    assert (finding.cause, finding.sentence) == (
        Cause.PLACEMENT,
        "The queue 'big' is disabled. Enable it.",
    )


def test_a_whole_submission_is_cancelled_at_once_and_a_part_by_its_members(watched):
    run = watched()
    run.backend.submit([launch(2), launch(3)])
    run.backend.submit([launch(9, "end"), launch(10, "end")])
    run.wait_for_submissions(2)
    run.backend.cancel([JobId("2", 0), JobId("3", 0), JobId("10", 0)], "enough")
    ended = run.wait_for_ends(3)
    assert run.queue.cancelled == [run.queue.id_of("swell-work-2-0-2")]
    assert run.queue.cancelled_members == [(run.queue.id_of("swell-end-9-0-2"), 1)]
    assert {find_cause(update.evidence).cause for update in ended.values()} == {Cause.CANCELLED}


def test_closing_ends_what_is_left(watched):
    run = watched()
    run.backend.submit([launch(2), launch(3)])
    run.wait_for_submissions(1)
    run.backend.close()
    assert len(run.ended()) == 2
    assert run.queue.cancelled == [run.queue.id_of("swell-work-2-0-2")]


def test_detaching_ends_nothing_and_tells_the_attempts_so(watched):
    run = watched()
    run.backend.submit([launch(2)])
    run.tell("began", "swell-work-2-0-1")
    run.wait_for(lambda: bool(run.updates))
    run.backend.detach()
    assert run.ended() == {}
    assert run.queue.cancelled == []
    beats = [bytes(run.storage.read(entry.key)) for entry in run.storage.list(KEYS.lease)]
    assert beats == [b"driver", b"detached"]


def test_jobs_of_a_driver_that_died_are_found_again(watched):
    first = watched()
    first.backend.submit([launch(2), launch(3)])
    first.tell("began", "swell-work-2-0-2")
    first.wait_for(lambda: bool(first.updates))
    first.backend.detach()

    second = watched(storage=first.storage)
    second.backend.adopt([Intent("swell-work-2-0-2", (JobId("2", 0), JobId("3", 0)), "batch")])
    second.backend.submit([launch(3)])
    second.tell_end("swell-work-2-0-2", 0, ok_result())
    second.tell_end("swell-work-2-0-2", 1, ok_result())
    ended = second.wait_for_ends(1)
    assert list(ended) == [JobId("3", 0)]
    second.backend.submit([launch(2), launch(9)])
    second.tell_end("swell-work-9-0-1", 0, ok_result())
    assert set(second.wait_for_ends(3)) == {JobId(task, 0) for task in "239"}
    assert [one.name for one in second.queue.taken] == ["swell-work-9-0-1"]


def test_a_submission_that_never_reached_the_engine_is_reported_as_lost(watched):
    run = watched()
    run.queue.answers = [ComputeError("No.")]
    run.backend.submit([launch(2)])
    run.wait_for_ends(1)
    run.updates.clear()
    run.backend.adopt([Intent("swell-work-2-0-1", (JobId("2", 0),), "batch")])
    run.backend.submit([launch(2)])
    (update,) = run.wait_for_ends(1).values()
    assert find_cause(update.evidence).cause is Cause.HOST_LOST


def test_trouble_with_the_engine_is_told_once_and_waited_out(watched):
    run = watched()
    run.backend.submit([launch(2)])
    run.queue.told.append(ComputeError("The engine does not answer.", retryable=True))
    run.wait_for(lambda: bool(run.said))
    run.queue.told.clear()
    run.tell_end("swell-work-2-0-1", result=ok_result())
    run.wait_for_ends(1)
    assert run.said == ["The engine does not answer."]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_when_the_backend_itself_fails_every_job_ends_with_a_reason(watched):
    run = watched()
    run.backend.submit([launch(2)])
    run.queue.told.append(ValueError("a bug"))
    (update,) = run.wait_for_ends(1).values()
    assert "ValueError: a bug" in update.evidence.reason


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_does_not_wait_for_a_backend_that_failed(watched):
    run = watched()
    run.backend.submit([launch(2)])
    run.wait_for_submissions(1)
    run.tell("end", "swell-work-2-0-1", body=b"not an end")
    (lost,) = run.wait_for_ends(1).values()
    assert "not the end of an attempt" in lost.evidence.reason
    run.backend.submit([launch(2, attempt=1)])
    again = run.wait_for_ends(2)[JobId("2", 1)]
    assert find_cause(again.evidence).cause is Cause.PLACEMENT
    assert any("The backend failed" in sentence for sentence in run.said)


def test_an_attempt_whose_flow_was_never_started_says_why(watched):
    run = watched()
    run.backend.submit([launch(2)])
    note = {"ended_by": "environment", "sentence": "The image has Python 3.8."}
    run.tell_end("swell-work-2-0-1", started_at=None, **note)
    (update,) = run.wait_for_ends(1).values()
    assert find_cause(update.evidence).cause is Cause.ENVIRONMENT


@pytest.mark.parametrize("how", ["detach", "close"])
def test_an_engine_that_stays_silent_is_left_with_its_jobs(watched, how):
    run = watched(patience_s=0.0)
    run.backend.submit([launch(2)])
    run.wait_for_submissions(1)
    run.queue.told.append(
        ComputeError("AWS Batch at http://x does not answer.", remedy="Look.", retryable=True)
    )
    run.wait_for(lambda: bool(run.left))
    run.queue.told.clear()
    if how == "detach":
        run.backend.submit([launch(3)])
    getattr(run.backend, how)()
    (why,) = run.left
    assert why.message.startswith("AWS Batch at http://x does not answer. So it went for")
    assert why.remedy == "Look. When it answers again, go on with 'attach'."
    assert not why.retryable
    assert len(run.queue.taken) == 1
    assert (run.ended() == {}) is (how == "detach")
    beats = [bytes(run.storage.read(entry.key)) for entry in run.storage.list(KEYS.lease)]
    assert beats == ([b"driver", b"detached"] if how == "detach" else [b"driver"])


class OutOfReach(StoreError):
    """A store that may answer later."""

    retryable = True


def test_a_store_that_stays_silent_is_not_asked_for_a_last_word(watched):
    run = watched(patience_s=0.0)
    run.backend.submit([launch(2)])
    run.wait_for_submissions(1)

    def list_nothing(prefix, after=""):
        raise OutOfReach("s3://b cannot be reached.")

    written = {entry.key for entry in run.storage.list(KEYS.lease)}
    run.storage.list = list_nothing
    run.wait_for(lambda: bool(run.left))
    run.backend.detach()
    del run.storage.list
    assert {entry.key for entry in run.storage.list(KEYS.lease)} == written
    assert run.ended() == {}
    assert "s3://b cannot be reached." in run.left[0].message
