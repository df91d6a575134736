"""What decorators decide for a step before the run."""

import pytest

from swell.authoring.decorator import planned
from swell.authoring.with_spec import parse_spec
from swell.decorators.batch import batch
from swell.decorators.catch import catch
from swell.decorators.environment import environment
from swell.decorators.pypi import pypi
from swell.decorators.pypi_base import pypi_base
from swell.decorators.resources import larger, resources
from swell.decorators.retry import retry
from swell.decorators.timeout import timeout
from swell.errors import FlowError, NonRetryable
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan
from swell.model.resources import Resources


def plan_of(*decorators, flow_decorators=()):
    return planned("work", [d.resolve({}) for d in decorators], flow_decorators)


def test_a_step_without_decorators_asks_for_nothing_and_runs_once():
    assert plan_of() == StepPlan(step="work")


def test_resources_say_only_what_was_written_and_read_numbers_from_text():
    plan = plan_of(resources(memory="60000", cpu="1.5"))
    assert plan.resources == Resources(cpu=1.5, memory_mb=60_000)


def test_memory_that_is_no_whole_number_of_megabytes_is_rounded_up():
    assert plan_of(resources(memory=100.2)).resources.memory_mb == 101


def test_batch_and_resources_together_ask_for_the_larger_number():
    plan = plan_of(batch(memory=8000, image="python:3.11"), resources(memory=16_000, cpu=4))
    assert plan.backend == "batch"
    assert plan.resources == Resources(cpu=4.0, memory_mb=16_000)


def test_batch_keeps_what_only_aws_batch_understands():
    plan = plan_of(
        batch(
            queue="big",
            image="python:3.11",
            inferentia=2,
            swappiness="60",
            host_volumes="/data, /scratch",
            efs_volumes=["fs-1:/mnt/models"],
            aws_batch_tags={"team": "ml"},
            share="research",
            priority=7,
        )
    )
    assert plan.batch == BatchOptions(
        queue="big",
        image="python:3.11",
        trainium=2,
        swappiness=60,
        tmpfs_path="/swell_temp",
        host_volumes=("/data", "/scratch"),
        efs_volumes=("fs-1:/mnt/models",),
        tags=(("team", "ml"),),
        share="research",
        priority=7,
    )


def test_tags_of_batch_may_be_written_as_text():
    plan = plan_of(batch(aws_batch_tags="team=ml, stage=test"))
    assert plan.batch is not None
    assert plan.batch.tags == (("team", "ml"), ("stage", "test"))


def test_with_batch_on_the_command_line_says_size_queue_and_image():
    spec = parse_spec("batch:cpu=4,memory=16000,queue=big,image=python:3.11")
    plan = plan_of(batch(**spec.arguments), resources(memory=4000))
    assert plan.resources == Resources(cpu=4.0, memory_mb=16_000)
    assert plan.batch is not None
    assert (plan.batch.queue, plan.batch.image) == ("big", "python:3.11")


def test_larger_keeps_what_only_one_side_says():
    assert larger(Resources(cpu=2), Resources(gpu=1)) == Resources(cpu=2, gpu=1)


def test_any_other_name_is_an_amount_of_what_a_limit_bounds():
    plan = plan_of(resources(memory=100, api=1, seats="2.5"))
    assert plan.resources == Resources(memory_mb=100, named=(("api", 1.0), ("seats", 2.5)))


def test_larger_takes_named_amounts_of_both_sides():
    one, other = Resources(named=(("api", 1.0),)), Resources(named=(("db", 2.0), ("api", 3.0)))
    assert dict(larger(one, other).named) == {"api": 3.0, "db": 2.0}


def test_retry_counts_the_first_attempt_and_leaves_the_wait_to_the_backend():
    plan = plan_of(retry())
    assert (plan.attempts, plan.retry_wait_s, plan.retry_backoff) == (4, None, 1.0)


def test_retry_waits_the_minutes_it_is_given_times_the_backoff():
    plan = plan_of(retry(times="2", minutes_between_retries=0.5, backoff=2))
    assert (plan.attempts, plan.retry_wait_s, plan.retry_backoff) == (3, 30.0, 2.0)


def test_retry_zero_times_forbids_uncounted_repeats_too():
    plan = plan_of(retry(times=0))
    assert (plan.attempts, plan.uncounted_attempts) == (1, 0)


def test_catch_adds_attempts_that_only_record_a_failure():
    plan = plan_of(catch(var="failure"), retry(times=1))
    assert (plan.attempts, plan.fallback_attempts) == (2, 3)


def test_timeout_is_the_sum_of_its_arguments():
    assert plan_of(timeout(seconds="30", minutes=1, hours=1)).timeout_s == 3690


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "LD_PRELOAD", "PYTHONHASHSEED", "CUDA_HOME"])
def test_a_variable_read_at_load_asks_for_a_fresh_interpreter_and_says_why(name):
    plan = plan_of(environment(vars={"PLAIN": 1, name: 2}))
    assert name in plan.fresh_because
    assert "PLAIN" not in plan.fresh_because


def test_libraries_compute_in_as_many_threads_as_the_step_has_processors():
    assert plan_of(resources(cpu=3)).threads == 3
    assert plan_of(resources(cpu=0.5)).threads == 1
    assert plan_of(resources(cpu=2.5)).threads == 3
    assert plan_of(resources(memory=100)).threads is None


def test_a_step_that_sets_its_own_thread_counts_keeps_them():
    given = environment(vars={"MKL_NUM_THREADS": 8})
    assert plan_of(resources(cpu=2), given).threads is None
    assert plan_of(given, resources(cpu=2)).threads is None
    assert plan_of(environment(vars={"OMP_PROC_BIND": "true"}), resources(cpu=2)).threads == 2


def test_ordinary_variables_do_not_ask_for_a_fresh_interpreter():
    assert plan_of(environment(vars={"PLAIN": 1})).fresh_because is None


def test_packages_are_told_once_to_be_without_effect_here():
    base = pypi_base(packages={"a": "1"}).resolve({})
    plan = plan_of(pypi(packages={"b": "2"}), flow_decorators=[base])
    assert len(plan.warnings) == 1
    assert plan.warnings[0].startswith("@pypi ")


def test_a_step_s_packages_add_to_those_of_its_flow_and_win():
    base = pypi_base(packages={"a": "1", "c": "3"}, python="3.12").resolve({})
    plan = plan_of(pypi(packages={"b": "2", "a": "9"}), flow_decorators=[base])
    assert plan.packages == (("a", "9"), ("b", "2"), ("c", "3"))
    assert plan.python == "3.12"
    off = plan_of(pypi(disabled=True), flow_decorators=[base])
    assert (off.packages, off.python) == ((), None)


@pytest.mark.parametrize("decorators", [(pypi(packages={"b": "2"}), batch()), (batch(), pypi())])
def test_packages_of_a_step_on_another_machine_are_not_said_to_be_without_effect(decorators):
    base = pypi_base(packages={"a": "1"}).resolve({})
    plan = plan_of(*decorators, flow_decorators=[base])
    assert (plan.backend, plan.warnings) == ("batch", ())


def test_disabled_packages_are_not_told():
    base = pypi_base(packages={"a": "1"}).resolve({})
    assert plan_of(pypi(disabled=True), flow_decorators=[base]).warnings == ()


BAD_ARGUMENTS = [
    (retry, {"times": 11}),
    (retry, {"times": -1}),
    (retry, {"times": 1.5}),
    (retry, {"times": "many"}),
    (retry, {"times": None}),
    (retry, {"times": True}),
    (retry, {"minutes_between_retries": -1}),
    (retry, {"minutes_between_retries": "nan"}),
    (retry, {"backoff": 0.5}),
    (timeout, {}),
    (timeout, {"seconds": 0, "minutes": "0"}),
    (timeout, {"seconds": -5, "minutes": 1}),
    (timeout, {"hours": "soon"}),
    (timeout, {"seconds": float("inf")}),
    (resources, {"cpu": 0}),
    (resources, {"cpu": "two"}),
    (resources, {"memory": -1}),
    (resources, {"memory": [4000]}),
    (resources, {"gpu": 0.5}),
    (resources, {"disk": 0}),
    (resources, {"api": 0}),
    (resources, {"api": "often"}),
    (catch, {"var": 3}),
    (catch, {"var": "two words"}),
    (catch, {"var": ""}),
    (catch, {"print_exception": "perhaps"}),
    (environment, {"vars": ["A=1"]}),
    (environment, {"vars": {"A=B": 1}}),
    (environment, {"vars": {3: 1}}),
    (environment, {"vars": {"": 1}}),
    (batch, {"swappiness": 101}),
    (batch, {"ephemeral_storage": 20}),
    (batch, {"ephemeral_storage": 201}),
    (batch, {"inferentia": 1, "trainium": 1}),
    (batch, {"tmpfs_path": "relative"}),
    (batch, {"aws_batch_tags": {"team": 3}}),
    (batch, {"aws_batch_tags": "team"}),
    (batch, {"priority": 10_000}),
    (batch, {"host_volumes": [1]}),
    (batch, {"image": 3}),
    (batch, {"privileged": 1}),
    (batch, {"memory": 0}),
    (pypi, {"packages": ["pandas"]}),
    (pypi, {"packages": {"pandas": 2}}),
    (pypi, {"disabled": "soon"}),
]


@pytest.mark.parametrize(("decorator", "arguments"), BAD_ARGUMENTS)
def test_an_argument_that_makes_no_sense_is_refused_with_decorator_place_and_remedy(
    decorator, arguments
):
    use = decorator(**arguments)
    with pytest.raises(FlowError) as refused:
        use.resolve({})
    assert f"@{decorator.kind.name}" in refused.value.message
    assert refused.value.remedy
    assert refused.value.source_file == __file__


class _Flaky(Exception):
    pass


ON = [
    ("timeout", ("timeout",)),
    (["out_of_memory", "exit"], ("out_of_memory", "exit")),
    ("timeout, ConnectionError", ("timeout", "ConnectionError")),
    (ConnectionError, ("ConnectionError",)),
    ([KeyError, "requests.exceptions.Timeout"], ("KeyError", "requests.exceptions.Timeout")),
    (["IOError", OSError], ("OSError",)),
    ([_Flaky], (f"{__name__}._Flaky",)),
]


@pytest.mark.parametrize(("on", "names"), ON)
def test_retry_names_causes_and_exceptions(on, names):
    assert plan_of(retry(on=on)).retry_on == names


def test_retry_says_how_memory_grows_and_how_far():
    plan = plan_of(retry(memory_growth="1.5", max_memory=64_000))
    assert (plan.memory_growth, plan.max_memory_mb) == (1.5, 64_000)


WRONG_RETRIES = [
    ({"on": ["oom"]}, "'oom', which is neither a cause nor an exception"),
    ({"on": [3]}, "names 3"),
    ({"on": []}, "on is empty"),
    ({"on": ["out of memory"]}, "'out of memory'"),
    ({"on": "cancelled"}, "'cancelled'"),
    ({"on": NonRetryable}, "trying again cannot help"),
    ({"memory_growth": 0.5}, "memory_growth is 0.5"),
    ({"memory_growth": "twice"}, "memory_growth is 'twice'"),
    ({"max_memory": 0}, "max_memory is 0"),
    ({"max_memory": -5}, "max_memory is -5"),
    ({"times": 0, "on": ["timeout"]}, "times=0 forbids every second run, and on=['timeout']"),
    ({"times": 0, "memory_growth": 2}, "times=0 forbids every second run, and memory_growth=2"),
    ({"memory_growth": 1, "max_memory": 9000}, "memory_growth=1 forbids what max_memory=9000"),
]


def test_no_retry_and_no_growth_go_together():
    plan = plan_of(retry(times=0, memory_growth=1))
    assert (plan.attempts, plan.uncounted_attempts, plan.memory_growth) == (1, 0, 1)


@pytest.mark.parametrize(("arguments", "said"), WRONG_RETRIES)
def test_a_retry_that_cannot_be_is_refused_with_its_values_and_a_remedy(arguments, said):
    with pytest.raises(FlowError) as refused:
        plan_of(retry(**arguments))
    assert said in refused.value.message
    assert refused.value.remedy


def test_auto_leaves_the_number_to_history():
    plan = plan_of(resources(memory="auto", cpu="auto", gpu=1))
    assert plan.resources == Resources(gpu=1, auto=("cpu", "memory"))


def test_a_number_holds_where_the_other_wish_is_auto():
    plan = plan_of(batch(memory=8000), resources(memory="auto", cpu="auto"))
    assert plan.resources == Resources(memory_mb=8000, auto=("cpu",))


@pytest.mark.parametrize("argument", ["cpu", "memory"])
def test_words_other_than_auto_are_refused(argument):
    with pytest.raises(FlowError) as refused:
        plan_of(resources(**{argument: "lots"}))
    assert refused.value.message == f"@resources: {argument} is 'lots'."
    assert '"auto"' in refused.value.remedy
