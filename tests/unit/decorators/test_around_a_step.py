"""What decorators do around a step's code."""

import os
import signal

import pytest

from swell.authoring.decorator import StepDecorator
from swell.decorators.catch import catch
from swell.decorators.environment import environment
from swell.decorators.parallel import parallel
from swell.decorators.timeout import timeout
from swell.errors import ExceptionWrapper, TimeoutException
from swell.model.job import Fallback, Gang


def fail(flow):
    flow.before = "kept"
    raise ValueError("no good")


def succeed(flow):
    flow.before = "kept"


# --- catch ---------------------------------------------------------------------


def test_catch_takes_the_failure_of_the_last_attempt_and_keeps_what_was_assigned(make_task, capsys):
    task = make_task()
    task.run([catch(var="failure")], fail)
    assert isinstance(task.caught, ValueError)
    assert task.flow.before == "kept"
    assert task.flow.failure.exception == "no good"
    assert task.flow.failure.type == "builtins.ValueError"
    assert "no good" in capsys.readouterr().out


def test_the_stack_trace_begins_at_the_users_frame(make_task):
    task = make_task()
    task.run([catch(var="failure", print_exception=False), timeout(hours=1)], fail)
    first_frame = next(
        line for line in task.flow.failure.stacktrace.splitlines() if line.startswith("  File")
    )
    assert "swell/" not in first_frame


def test_catch_prints_nothing_if_told_so(make_task, capsys):
    make_task().run([catch(print_exception=False)], fail)
    assert capsys.readouterr().out == ""


def test_catch_sets_none_when_all_went_well(make_task):
    task = make_task()
    task.run([catch(var="failure")], succeed)
    assert task.flow.failure is None
    assert task.caught is None


def test_catch_leaves_failures_alone_while_attempts_are_left(make_task):
    task = make_task(attempt=0, attempts=2)
    with pytest.raises(ValueError, match="no good"):
        task.run([catch(var="failure")], fail)
    assert task.caught is None
    assert not hasattr(task.flow, "failure")


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_catch_does_not_take_an_interrupt_or_an_exit(make_task, end):
    def leave(flow):
        raise end

    with pytest.raises(end):
        make_task().run([catch()], leave)


def test_catch_takes_a_failure_in_setting_up_wherever_it_is_written(make_task):
    class Broken(StepDecorator):
        name = "broken"

        def around(self, task):
            raise OSError("cannot set up")

    task = make_task()
    task.run([Broken(), catch(var="failure", print_exception=False)], succeed)
    assert task.flow.failure.type == "builtins.OSError"


def test_a_fallback_attempt_records_how_many_attempts_died_and_why(make_task, capsys):
    fallback = Fallback(attempts_made=3, cause="signal", message="Ended by SIGSEGV.")
    task = make_task(attempt=3, attempts=3, fallback=fallback)
    catch(var="failure").resolve({}).record_fallback(task)
    wrapper = task.flow.failure
    assert isinstance(wrapper, ExceptionWrapper)
    assert wrapper.type == "swell.errors.FailureHandledByCatch"
    assert "3" in wrapper.exception
    assert "SIGSEGV" in wrapper.exception
    assert task.caught is not None
    assert "SIGSEGV" in capsys.readouterr().out


# --- timeout -------------------------------------------------------------------


def test_a_step_over_its_limit_gets_an_exception_with_step_limit_and_place(make_task):
    def wait_for_ever(flow):
        signal.pause()

    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutException) as late:
        make_task().run([timeout(seconds=0.01)], wait_for_ever)
    assert "'work'" in late.value.message
    assert "0.01 s" in late.value.message
    assert "wait_for_ever" in late.value.message
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_timeout_is_caught_like_any_other_failure_whatever_the_order(make_task):
    def wait_for_ever(flow):
        signal.pause()

    for decorators in (
        [catch(var="failure", print_exception=False), timeout(seconds=0.01)],
        [timeout(seconds=0.01), catch(var="failure", print_exception=False)],
    ):
        task = make_task()
        task.run(decorators, wait_for_ever)
        assert task.flow.failure.type == "swell.errors.TimeoutException"


def test_no_alarm_is_left_after_a_step_that_was_in_time(make_task):
    make_task().run([timeout(hours=1)], succeed)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


# --- environment ---------------------------------------------------------------


def test_variables_are_text_for_the_step_alone_and_put_back_after(make_task, monkeypatch):
    monkeypatch.setenv("SEEN_BEFORE", "old")
    monkeypatch.delenv("NOT_SEEN_BEFORE", raising=False)
    seen = {}

    def look(flow):
        seen.update({name: os.environ[name] for name in ("SEEN_BEFORE", "NOT_SEEN_BEFORE")})

    make_task().run([environment(vars={"SEEN_BEFORE": 1, "NOT_SEEN_BEFORE": None})], look)
    assert seen == {"SEEN_BEFORE": "1", "NOT_SEEN_BEFORE": "None"}
    assert os.environ["SEEN_BEFORE"] == "old"
    assert "NOT_SEEN_BEFORE" not in os.environ


def test_variables_are_put_back_after_a_failure_too(make_task, monkeypatch):
    monkeypatch.setenv("SEEN_BEFORE", "old")
    with pytest.raises(ValueError, match="no good"):
        make_task().run([environment(vars={"SEEN_BEFORE": "new"})], fail)
    assert os.environ["SEEN_BEFORE"] == "old"


def test_environment_values_are_not_shown():
    use = environment(vars={"TOKEN": "very secret"})
    assert "very secret" not in repr(use)
    assert "very secret" not in str(use.shown_attributes)


# --- parallel ------------------------------------------------------------------


def test_a_gang_member_finds_its_place_in_current_and_in_the_environment(make_task):
    seen = {}

    def look(flow):
        seen.update({k: v for k, v in os.environ.items() if k.startswith("MF_PARALLEL_")})

    gang = Gang(node_index=2, num_nodes=4, control_task="7", main_ip="10.0.0.1")
    task = make_task(gang=gang)
    task.run([parallel()], look)
    place = task.current["parallel"]
    assert place == ("10.0.0.1", 4, 2, "7")
    assert (place.main_ip, place.num_nodes, place.node_index) == ("10.0.0.1", 4, 2)
    assert place.control_task_id == "7"
    assert seen == {
        "MF_PARALLEL_MAIN_IP": "10.0.0.1",
        "MF_PARALLEL_NUM_NODES": "4",
        "MF_PARALLEL_NODE_INDEX": "2",
        "MF_PARALLEL_CONTROL_TASK_ID": "7",
    }
    assert "MF_PARALLEL_MAIN_IP" not in os.environ
    assert task.metadata == {"parallel-world-size": "4"}


def test_the_control_task_is_marked(make_task):
    task = make_task(gang=Gang(node_index=0, num_nodes=2, control_task="7"))
    task.run([parallel()], succeed)
    assert task.metadata["internal_task_type"] == "control_task"
