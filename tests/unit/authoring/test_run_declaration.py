"""What a flow declares for one run: ``--with`` and mutators change it, not the class."""

import pytest

from swell.authoring.config import Config, ConfigValue
from swell.authoring.decorator import decorators_of
from swell.authoring.flow import Flow
from swell.authoring.mutation import Mutation
from swell.authoring.mutator import FlowMutator, StepMutator
from swell.authoring.parameter import Parameter
from swell.authoring.run_declaration import declare_for_run
from swell.authoring.step import step
from swell.authoring.user_decorator import user_step_decorator
from swell.authoring.with_spec import (
    WithSpec,
    add_with_specs,
    completed,
    parse_spec,
    step_decorator_named,
    without_secrets,
)
from swell.decorators.catalog import decorator_names
from swell.decorators.catch import catch
from swell.decorators.environment import environment
from swell.decorators.project import project
from swell.decorators.resources import resources
from swell.decorators.retry import retry
from swell.errors import (
    BadStepDecoratorException,
    DuplicateStepDecoratorException,
    FlowError,
    InvalidDecoratorAttribute,
    UnknownStepDecoratorException,
    UsageError,
)

NAMES = decorator_names()
CONFIGS = {"cfg": ConfigValue({"mb": 100, "times": 2})}


@user_step_decorator
def noting_here(step_name, flow, inputs, attributes):
    yield


class Plain(Flow):
    cfg = Config("cfg")
    size = Parameter("size", default=cfg.mb)

    @resources(memory=cfg.mb)
    @step
    def start(self):
        self.next(self.end)

    @retry(times=1)
    @step
    def end(self):
        pass


def names_on(declared, step_name):
    return [decorator.name for decorator in declared.decorators_of(step_name)]


def mutated(flow, specs=()):
    declared = declare_for_run(flow)
    mutation = Mutation(declared, CONFIGS, NAMES)
    mutation.pre_mutate()
    add_with_specs(declared, specs, NAMES)
    mutation.mutate()
    return declared


# --- one run's view --------------------------------------------------------------


def test_a_resolved_declaration_plans_every_step_with_config_values():
    resolved = declare_for_run(Plain).resolve(CONFIGS)
    assert resolved.planned("start").resources.memory_mb == 100
    assert resolved.planned("end").attempts == 2
    assert resolved.parameters["size"].default == 100


# --- --with ----------------------------------------------------------------------


def test_with_adds_to_all_steps_that_lack_it_and_leaves_the_class_alone():
    declared = declare_for_run(Plain)
    add_with_specs(declared, ["retry:times=5", "catch"], NAMES)
    assert names_on(declared, "start") == ["catch", "retry", "resources"]
    assert declared.resolve(CONFIGS).planned("start").attempts == 6
    assert declared.resolve(CONFIGS).planned("end").attempts == 2
    assert [d.name for d in decorators_of(Plain, "start")] == ["resources"]


def test_the_first_of_two_specs_of_one_name_wins():
    declared = declare_for_run(Plain)
    add_with_specs(declared, ["retry:times=5", "retry:times=7"], NAMES)
    assert declared.resolve(CONFIGS).planned("start").attempts == 6


def test_a_spec_is_stored_without_secret_values_and_they_must_be_given_again():
    spec = 'environment:vars={"A": "x", "B": "y"}'
    kept = [without_secrets(text, NAMES) for text in (spec, "retry:times=2", "a.b.Own:vars=1")]
    assert kept == ["environment:vars=***", "retry:times=2", "a.b.Own:vars=1"]
    with pytest.raises(UsageError, match="begun with --with environment:vars=") as refused:
        completed(kept, ["retry"])
    assert refused.value.remedy == "Give them again, before the command: --with 'environment:…'."
    assert completed(kept, [spec]) == ("retry:times=2", "a.b.Own:vars=1")


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("retry", {}),
        ("retry:", {}),
        ("retry:times=3", {"times": 3}),
        ("d:a=1.5,b=text,c=true,d=null", {"a": 1.5, "b": "text", "c": True, "d": None}),
        ("d:a=one, two,b=2", {"a": "one, two", "b": 2}),
        ('d:a={"x": 1, "y": [2, 3]},b="5"', {"a": {"x": 1, "y": [2, 3]}, "b": "5"}),
        ("d:a=k=v", {"a": "k=v"}),
        ("d:url=s3://bucket/x", {"url": "s3://bucket/x"}),
        ("d:a=", {"a": ""}),
        (' d : a = {\\"x\\": 1}', {"a": {"x": 1}}),
    ],
)
def test_the_text_of_a_spec(text, arguments):
    spec = parse_spec(text)
    assert isinstance(spec, WithSpec)
    assert spec.arguments == arguments


@pytest.mark.parametrize("text", ["", ":a=1", "retry:3", "retry:=3", "retry:two words=3"])
def test_a_spec_of_another_form_is_a_usage_error_with_an_example(text):
    with pytest.raises(UsageError) as refused:
        parse_spec(text)
    assert "=" in refused.value.remedy


def test_an_unknown_decorator_is_answered_with_all_names():
    with pytest.raises(UnknownStepDecoratorException) as unknown:
        step_decorator_named("rerty:times=3", NAMES)
    for name in ("retry", "catch", "batch", "noting_here"):
        assert name in unknown.value.remedy


def test_an_unknown_argument_in_text_has_no_place_in_a_file():
    with pytest.raises(InvalidDecoratorAttribute) as unknown:
        step_decorator_named("retry:tmies=3", NAMES)
    assert unknown.value.source_file is None


@pytest.mark.parametrize("name", ["noting_here", f"{__name__}.noting_here"])
def test_an_own_decorator_is_found_by_the_tail_of_its_name(name):
    declared = declare_for_run(Plain)
    add_with_specs(declared, [f"{name}:x=1", name], NAMES)
    (added, _) = declared.decorators_of("start")
    assert added.name == f"{__name__}.noting_here"
    assert added.given == {"x": 1}


def test_an_own_decorator_that_is_not_loaded_is_imported(tmp_path, monkeypatch):
    (tmp_path / "my_own_room.py").write_text(
        "from swell.authoring.user_decorator import UserStepDecorator\n"
        "class Audit(UserStepDecorator):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert step_decorator_named("my_own_room.Audit", NAMES).name == "my_own_room.Audit"
    assert step_decorator_named("Audit", NAMES).name == "my_own_room.Audit"


def test_a_tail_that_fits_two_is_refused_with_both():
    def make(where):
        @user_step_decorator
        def ambiguous(step_name, flow, inputs):
            yield

        ambiguous.__module__ = where
        return ambiguous

    kept = [make("one"), make("two")]
    with pytest.raises(UnknownStepDecoratorException, match="fits several"):
        step_decorator_named("ambiguous", NAMES)
    assert len(kept) == 2


def test_a_dotted_name_that_cannot_be_imported_says_why():
    with pytest.raises(FlowError, match="no_such_room"):
        step_decorator_named("no_such_room.Audit", NAMES)


# --- mutators --------------------------------------------------------------------


def test_a_step_mutator_adds_changes_and_removes_decorators_from_configs():
    class Adjust(StepMutator):
        def init(self, extra, times=0):
            self.extra = extra
            self.times = times

        def pre_mutate(self, mutable_step):
            mutable_step.add_decorator(environment, deco_kwargs={"vars": {"A": self.extra}})
            assert mutable_step.remove_decorator("resources")
            assert not mutable_step.remove_decorator("resources")

        def mutate(self, mutable_step):
            times = mutable_step.flow.cfg.times + self.times
            mutable_step.add_decorator("retry", deco_kwargs=None)
            mutable_step.add_decorator(
                retry, deco_kwargs={"times": times}, duplicates=mutable_step.OVERRIDE
            )

    class Changed(Flow):
        cfg = Config("cfg")

        @Adjust("x", times=cfg.times)
        @resources(memory=1)
        @step
        def start(self):
            pass

    declared = mutated(Changed)
    assert names_on(declared, "start") == ["retry", "environment"]
    assert declared.resolve(CONFIGS).planned("start").attempts == 5
    assert [d.name for d in decorators_of(Changed, "start")] == ["resources"]


def test_mutators_see_what_with_added_in_mutate():
    seen = []

    class Look(StepMutator):
        def pre_mutate(self, mutable_step):
            seen.append(mutable_step.has_decorator("catch"))

        def mutate(self, mutable_step):
            seen.append(mutable_step.has_decorator("catch"))

    class Watched(Flow):
        @Look
        @step
        def start(self):
            pass

    mutated(Watched, ["catch"])
    assert seen == [False, True]


def test_a_flow_mutator_reaches_steps_parameters_and_configs():
    seen = {}

    class Shape(FlowMutator):
        def pre_mutate(self, mutable_flow):
            seen["configs"] = dict(mutable_flow.configs)
            seen["parameters"] = [name for name, _ in mutable_flow.parameters]
            seen["steps"] = [name for name, _ in mutable_flow.steps]
            seen["size"] = mutable_flow.size.name
            seen["cfg"] = mutable_flow.cfg.mb
            mutable_flow.add_parameter("extra", Parameter("extra", default=1))
            assert mutable_flow.remove_parameter("size")
            mutable_flow.add_decorator(project, deco_kwargs={"name": "taxi"})
            mutable_flow.start.add_decorator(catch(var="failure"))

    @Shape
    class Shaped(Plain):
        pass

    declared = mutated(Shaped)
    assert seen["configs"] == CONFIGS
    assert seen["parameters"] == ["size"]
    assert seen["steps"] == ["start", "end"]
    assert (seen["size"], seen["cfg"]) == ("size", 100)
    assert list(declared.parameters) == ["extra"]
    assert [d.name for d in declared.flow_decorators] == ["project"]
    assert names_on(declared, "start") == ["catch", "resources"]
    assert list(declare_for_run(Plain).parameters) == ["size"]


def test_flow_mutators_run_before_step_mutators_and_those_of_base_flows_too():
    order = []

    class Above(FlowMutator):
        def pre_mutate(self, mutable_flow):
            order.append("flow")

    class Below(StepMutator):
        def pre_mutate(self, mutable_step):
            order.append(mutable_step.name)

    @Above()
    class Parent(Flow):
        @Below
        @step
        def start(self):
            pass

    class Child(Parent):
        pass

    mutated(Child)
    assert order == ["flow", "start"]


def test_a_mutator_added_by_a_mutator_runs_too():
    ran = []

    class Second(StepMutator):
        def pre_mutate(self, mutable_step):
            ran.append("second")

    class First(StepMutator):
        def pre_mutate(self, mutable_step):
            ran.append("first")
            mutable_step.add_decorator(Second)
            mutable_step.add_decorator(Second)

    class Chained(Flow):
        @First
        @step
        def start(self):
            pass

    mutated(Chained)
    assert ran == ["first", "second"]


def run_in(stage, act, on="step"):
    root = StepMutator if on == "step" else FlowMutator

    def method(self, mutable):
        act(mutable)

    kind = type("Acting", (root,), {stage: method})

    class Acted(Flow):
        @retry(times=1)
        @step
        def start(self):
            pass

    if on == "step":
        kind(Acted.start)
    else:
        kind(Acted)
    return mutated(Acted)


class Harmless(StepMutator):
    pass


@pytest.mark.parametrize(
    "act",
    [
        lambda flow: flow.add_parameter("x", Parameter("x")),
        lambda flow: flow.remove_parameter("x"),
        lambda flow: flow.add_decorator(project(name="taxi")),
        lambda flow: flow.remove_decorator("project"),
        lambda flow: flow.start.add_decorator(Harmless),
    ],
)
def test_what_shapes_the_flow_is_possible_in_pre_mutate_only(act):
    run_in("pre_mutate", act, on="flow")
    with pytest.raises(FlowError, match="not possible in mutate"):
        run_in("mutate", act, on="flow")


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda flow: flow.add_parameter("x", 3), "was given a int"),
        (lambda flow: flow.add_parameter("start", Parameter("x")), "already has 'start'"),
        (lambda flow: flow.add_decorator(retry(times=1)), "cannot be added to a flow"),
        (lambda flow: flow.start.add_decorator(project(name="taxi")), "cannot be added to a step"),
        (lambda flow: flow.start.add_decorator(3), "cannot be added to a step"),
        (lambda flow: flow.add_decorator("prject"), "no flow decorator 'prject'"),
        (
            lambda flow: flow.start.add_decorator(catch(var="a"), deco_kwargs={"var": "b"}),
            "given twice",
        ),
        (lambda flow: flow.start.add_decorator("catch:var=a", deco_kwargs={"var": "b"}), "twice"),
        (lambda flow: flow.start.add_decorator(catch, deco_args=["x"]), "without names"),
        (lambda flow: flow.start.add_decorator(dict), "cannot be added to a step"),
        (lambda flow: flow.remove_decorator("Acting"), "cannot be removed"),
    ],
)
def test_what_a_mutator_cannot_do_is_told(act, told):
    with pytest.raises(FlowError, match=told):
        run_in("pre_mutate", act, on="flow")


def test_an_attribute_that_is_nothing_of_the_flow_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no step, parameter or config 'strat'"):
        run_in("pre_mutate", lambda flow: flow.strat, on="flow")


def test_duplicates_are_ignored_refused_or_replaced():
    def add(duplicates):
        def act(mutable_step):
            mutable_step.add_decorator("retry:times=9", duplicates=duplicates)

        return run_in("mutate", act).resolve(CONFIGS).planned("start").attempts

    assert add(1) == 2
    assert add(3) == 10
    with pytest.raises(DuplicateStepDecoratorException):
        add(2)


@pytest.mark.parametrize("deco", [environment, environment(), "environment"])
def test_a_decorator_may_be_added_by_name_use_or_text_with_keywords_beside_it(deco):
    def act(mutable_step):
        mutable_step.add_decorator(deco, deco_kwargs={"vars": {"A": "1"}})

    assert run_in("mutate", act).decorators_of("start")[0].given == {"vars": {"A": "1"}}


def test_own_decorators_may_be_added_as_class_use_or_text():
    def act(mutable_step):
        mutable_step.add_decorator("noting_here", deco_kwargs={"x": 1})
        mutable_step.add_decorator(noting_here, deco_kwargs={"x": 2}, duplicates=3)
        mutable_step.add_decorator(noting_here(x=3))

    declared = run_in("mutate", act)
    assert [d.given for d in declared.decorators_of("start")] == [{"x": 2}, {"times": 1}]


def test_specs_tell_names_and_arguments_and_select_what_to_remove():
    seen = []

    def act(mutable_step):
        seen.extend(mutable_step.decorator_specs)
        assert mutable_step.get_decorator_specs("retry") == [seen[0]]
        assert not mutable_step.remove_decorator("retry", deco_kwargs={"times": 7})
        assert mutable_step.remove_decorator("retry", deco_kwargs={"times": 1})

    declared = run_in("mutate", act)
    assert seen[0] == ("retry", "swell.decorators.retry.RetryDecorator", [], {"times": 1})
    assert names_on(declared, "start") == []


def test_arguments_for_a_mutator_without_init_are_refused():
    class Simple(StepMutator):
        pass

    class Wrong(Flow):
        @Simple(3)
        @step
        def start(self):
            pass

    with pytest.raises(FlowError, match="defines no init"):
        mutated(Wrong)


def test_a_step_mutator_above_a_function_that_is_no_step_is_refused():
    with pytest.raises(BadStepDecoratorException):

        @Harmless()
        def start(self):
            pass


def test_two_parameters_of_one_name_made_by_mutators_are_refused():
    def act(flow):
        flow.add_parameter("one", Parameter("same"))
        flow.add_parameter("two", Parameter("SAME"))

    with pytest.raises(FlowError, match="used twice"):
        run_in("pre_mutate", act, on="flow")
