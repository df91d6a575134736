"""Step decorators that users write, as generators and as classes."""

import pytest

from swell.authoring.user_decorator import (
    USER_SKIP_STEP,
    UserStepDecorator,
    user_step_decorator,
)
from swell.decorators.catch import catch
from swell.errors import FlowError, SwellError


@pytest.fixture
def log():
    return []


def noting(log, name):
    @user_step_decorator
    def note(step_name, flow, inputs):
        log.append(f"{name} before {step_name}")
        yield
        log.append(f"{name} after")

    return note()


def test_a_generator_acts_before_and_after_the_step_topmost_outermost(make_task, log):
    task = make_task()
    task.run([noting(log, "a"), noting(log, "b")], lambda flow: log.append("step"))
    assert log == ["a before work", "b before work", "step", "b after", "a after"]


def test_a_generator_gets_the_arguments_of_its_use_and_the_inputs(make_task):
    seen = []

    @user_step_decorator
    def note(step_name, flow, inputs, attributes):
        seen.append((inputs, attributes))
        yield
        flow.added = attributes["size"]

    task = make_task(inputs=["one", "two"])
    task.run([note(size=3)], lambda flow: None)
    assert seen == [(["one", "two"], {"size": 3})]
    assert task.flow.added == 3


def test_the_steps_exception_is_raised_at_the_yield_and_may_be_swallowed(make_task):
    @user_step_decorator
    def forgive(step_name, flow, inputs):
        try:
            yield
        except ValueError as error:
            flow.forgiven = str(error)

    def fail(flow):
        raise ValueError("no good")

    task = make_task()
    task.run([forgive()], fail)
    assert task.flow.forgiven == "no good"
    assert task.next_keywords == {}


def test_a_generator_that_does_not_swallow_lets_the_exception_through(make_task, log):
    def fail(flow):
        raise ValueError("no good")

    with pytest.raises(ValueError, match="no good"):
        make_task().run([noting(log, "a")], fail)
    assert log == ["a before work"]


def test_an_exception_raised_after_the_yield_fails_the_step(make_task):
    @user_step_decorator
    def picky(step_name, flow, inputs):
        yield
        raise LookupError("missing artifact")

    with pytest.raises(LookupError, match="missing artifact"):
        make_task().run([picky()], lambda flow: None)


def test_catch_stands_outside_of_own_decorators(make_task):
    @user_step_decorator
    def broken(step_name, flow, inputs):
        raise LookupError("before the step")
        yield

    task = make_task()
    task.run([broken(), catch(var="failure", print_exception=False)], lambda flow: None)
    assert task.flow.failure.type == "builtins.LookupError"


def test_an_outer_decorator_may_take_the_failure_of_an_inner_one_before_the_step(make_task, log):
    @user_step_decorator
    def forgive(step_name, flow, inputs):
        try:
            yield
        except LookupError:
            log.append("forgiven")

    @user_step_decorator
    def broken(step_name, flow, inputs):
        raise LookupError("before the step")
        yield

    make_task().run([forgive(), broken()], lambda flow: log.append("step"))
    assert log == ["forgiven"]


@pytest.mark.parametrize("answer", [USER_SKIP_STEP, {}])
def test_a_skipped_step_does_not_run_nor_what_stands_inside(make_task, log, answer):
    @user_step_decorator
    def skip(step_name, flow, inputs):
        yield answer
        log.append("skip after")

    task = make_task()
    task.run([noting(log, "out"), skip(), noting(log, "in")], lambda flow: log.append("step"))
    assert log == ["out before work", "skip after", "out after"]
    assert task.skipped_with == {}


def test_skipping_may_give_keywords_for_next(make_task):
    @user_step_decorator
    def skip(step_name, flow, inputs):
        yield {"num_parallel": 2}

    task = make_task()
    task.run([skip()], lambda flow: None)
    assert task.skipped_with == {"num_parallel": 2}


def test_a_callable_that_is_yielded_runs_instead_of_the_step(make_task):
    @user_step_decorator
    def replace(step_name, flow, inputs):
        yield lambda flow: "replaced"

    assert make_task().run([replace()], lambda flow: "step") == "replaced"


def test_a_second_yield_is_an_error_naming_the_decorator(make_task):
    @user_step_decorator
    def twice(step_name, flow, inputs):
        yield
        yield

    with pytest.raises(SwellError, match=r"twice.*second time.*'work'"):
        make_task().run([twice()], lambda flow: None)


def test_something_else_yielded_is_an_error(make_task):
    @user_step_decorator
    def odd(step_name, flow, inputs):
        yield 3

    with pytest.raises(SwellError, match=r"pre_step.*returned 3"):
        make_task().run([odd()], lambda flow: None)


def test_arguments_for_a_generator_that_takes_none_are_refused(make_task):
    @user_step_decorator
    def plain(step_name, flow, inputs):
        yield

    with pytest.raises(FlowError, match="takes none"):
        make_task().run([plain(size=3)], lambda flow: None)


def no_generator(step_name, flow, inputs):
    return None


def two_arguments(step_name, flow):
    yield


@pytest.mark.parametrize("function", [no_generator, two_arguments, 3, UserStepDecorator])
def test_what_is_no_generator_of_three_or_four_arguments_cannot_be_a_decorator(function):
    with pytest.raises(FlowError, match="not a generator"):
        user_step_decorator(function)


# --- as a class -----------------------------------------------------------------


class Counting(UserStepDecorator):
    def init(self, by=1):
        self.by = by

    def pre_step(self, step_name, flow, inputs=None):
        flow.count = self.by

    def post_step(self, step_name, flow, exception=None):
        flow.count += self.by
        return exception


def test_a_class_acts_before_and_after_with_the_arguments_of_its_use(make_task):
    task = make_task()
    task.run([Counting(by=5)], lambda flow: None)
    assert task.flow.count == 10
    assert task.next_keywords is None


def test_every_attempt_gets_a_fresh_object(make_task):
    class Once(UserStepDecorator):
        used = False

        def pre_step(self, step_name, flow, inputs=None):
            assert not self.used
            self.used = True

    use = Once()
    make_task().run([use], lambda flow: None)
    make_task().run([use], lambda flow: None)


@pytest.mark.parametrize(
    ("answer", "keywords"),
    [
        ((None, None), {}),
        ((None, {"foreach": "xs"}), {"foreach": "xs"}),
        ((None, True), {}),
        (None, {}),
    ],
)
def test_post_step_may_swallow_the_failure_and_say_how_to_go_on(make_task, answer, keywords):
    class Answering(UserStepDecorator):
        def post_step(self, step_name, flow, exception=None):
            return answer

    def fail(flow):
        raise ValueError("no good")

    task = make_task()
    task.run([Answering()], fail)
    assert task.next_keywords == keywords


def test_post_step_may_replace_the_exception(make_task):
    class Translating(UserStepDecorator):
        def post_step(self, step_name, flow, exception=None):
            return LookupError(f"because {exception}")

    def fail(flow):
        raise ValueError("no good")

    with pytest.raises(LookupError, match="because no good"):
        make_task().run([Translating()], fail)


@pytest.mark.parametrize("answer", [3, ("one",), "text"])
def test_an_odd_answer_of_post_step_is_an_error(make_task, answer):
    class Odd(UserStepDecorator):
        def post_step(self, step_name, flow, exception=None):
            return answer

    with pytest.raises(SwellError, match=r"post_step.*Odd"):
        make_task().run([Odd()], lambda flow: None)


@pytest.mark.parametrize(("skip", "keywords"), [(True, {}), ({"foreach": "xs"}, {"foreach": "xs"})])
def test_skip_step_of_a_class_skips(make_task, skip, keywords):
    class Skipping(UserStepDecorator):
        def pre_step(self, step_name, flow, inputs=None):
            self.skip_step = skip

    task = make_task()
    task.run([Skipping()], lambda flow: pytest.fail("ran"))
    assert task.skipped_with == keywords


def test_arguments_for_a_class_without_init_are_refused():
    class Plain(UserStepDecorator):
        pass

    with pytest.raises(FlowError, match="defines no init"):
        Plain(x=1).resolve({})
