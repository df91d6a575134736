"""Decorators where they stand: above steps and flows, in order, with their arguments."""

import pytest

from swell.authoring.decorator import (
    decorators_of,
    flow_decorators_of,
    in_entering_order,
    planned,
)
from swell.authoring.flow import Flow
from swell.authoring.step import step
from swell.authoring.user_decorator import user_step_decorator
from swell.decorators.catch import catch
from swell.decorators.environment import environment
from swell.decorators.project import project
from swell.decorators.retry import retry
from swell.decorators.timeout import timeout
from swell.errors import (
    BadFlowDecoratorException,
    BadStepDecoratorException,
    DuplicateFlowDecoratorException,
    DuplicateStepDecoratorException,
    FlowError,
    InvalidDecoratorAttribute,
)


@user_step_decorator
def noting(step_name, flow, inputs):
    yield


class Base(Flow):
    @retry
    @catch(var="failure")
    @step
    def start(self):
        self.next(self.end)

    @timeout(minutes=1)
    @step
    def end(self):
        pass


class Derived(Base):
    @step
    def end(self):
        pass


def names(decorators):
    return [decorator.name for decorator in decorators]


def test_decorators_stand_on_a_step_topmost_first_with_and_without_arguments():
    assert names(decorators_of(Base, "start")) == ["retry", "catch"]


def test_an_inherited_step_keeps_its_decorators():
    assert names(decorators_of(Derived, "start")) == ["retry", "catch"]


def test_a_redefined_step_has_those_of_its_new_definition_alone():
    assert names(decorators_of(Base, "end")) == ["timeout"]
    assert names(decorators_of(Derived, "end")) == []


def test_the_step_itself_stays_a_plain_function():
    assert Base.start.__name__ == "start"
    assert Base.start.is_step


def test_defaults_and_arguments_together_are_the_attributes():
    assert retry(times=1).attributes == {
        "times": 1,
        "minutes_between_retries": None,
        "backoff": 1,
        "on": None,
        "memory_growth": None,
        "max_memory": None,
    }


def test_an_unknown_argument_is_answered_with_the_known_ones_and_the_place():
    with pytest.raises(InvalidDecoratorAttribute) as refused:
        retry(time=1)
    assert "'time'" in refused.value.message
    assert "times, minutes_between_retries, backoff" in refused.value.remedy
    assert refused.value.source_file == __file__


@pytest.mark.parametrize("arguments", [(3,), ("failure",), (None,)])
def test_arguments_without_names_are_refused(arguments):
    with pytest.raises(FlowError, match="without a name"):
        catch(*arguments)


def test_a_decorator_twice_on_a_step_is_refused():
    with pytest.raises(DuplicateStepDecoratorException, match=r"@retry.*'start'"):

        @retry(times=1)
        @retry(times=2)
        @step
        def start(self):
            pass


def test_an_own_decorator_may_stand_several_times():
    @noting()
    @noting
    @step
    def start(self):
        pass

    assert len(start.decorators) == 2


def test_a_decorator_above_a_function_that_is_no_step_is_refused_with_its_line():
    with pytest.raises(BadStepDecoratorException) as refused:

        @retry
        def start(self):
            pass

    assert "@step" in refused.value.remedy
    assert refused.value.source_file == __file__
    assert refused.value.line_no is not None


def test_step_above_another_decorator_is_refused():
    with pytest.raises(BadStepDecoratorException):

        @step
        @retry(times=1)
        def start(self):
            pass


def test_a_step_decorator_above_a_flow_says_where_it_belongs():
    with pytest.raises(BadStepDecoratorException) as refused:

        @retry
        class Wrong(Flow):
            pass

    assert "--with retry" in refused.value.remedy


@pytest.mark.parametrize("wrong", [dict, lambda self: None])
def test_a_flow_decorator_above_anything_else_is_refused(wrong):
    with pytest.raises(BadFlowDecoratorException) as refused:
        project(name="taxi")(wrong)
    assert "FlowSpec" in refused.value.remedy


def test_flow_decorators_come_from_base_flows_too_and_belong_to_their_class():
    @project(name="taxi")
    class Parent(Flow):
        pass

    class Child(Parent):
        pass

    assert names(flow_decorators_of(Child)) == ["project"]
    assert "_flow_decorators" not in vars(Child)
    assert "_flow_decorators" not in vars(Flow)


def test_a_flow_decorator_met_twice_among_the_bases_is_refused():
    @project(name="taxi")
    class Parent(Flow):
        pass

    @project(name="bus")
    class Child(Parent):
        pass

    with pytest.raises(DuplicateFlowDecoratorException, match=r"@project.*Child"):
        flow_decorators_of(Child)


def test_resolving_makes_a_copy_and_leaves_the_one_on_the_step_alone():
    use = retry(times=1)
    resolved = use.resolve({})
    resolved.given["times"] = 5
    assert use.given == {"times": 1}


def test_plans_fold_in_order_and_the_larger_count_of_attempts_holds():
    plan = planned("work", [retry(times=2).resolve({}), catch().resolve({})])
    assert (plan.step, plan.attempts, plan.fallback_attempts) == ("work", 3, 3)


def test_catch_is_entered_first_and_the_users_own_last_whatever_the_order_written():
    written = [noting(), timeout(hours=1), environment(vars={}), noting(), catch()]
    order = in_entering_order(written)
    assert names(order) == ["catch", "environment", "timeout", "own decorators"]
