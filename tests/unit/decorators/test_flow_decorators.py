"""Decorators of a whole flow."""

import pytest

from swell.authoring.decorator import planned
from swell.decorators.conda_base import conda_base
from swell.decorators.project import project, resolve_project
from swell.decorators.schedule import schedule
from swell.decorators.trigger import trigger
from swell.decorators.trigger_on_finish import trigger_on_finish
from swell.errors import FlowError, UsageError
from swell.model.graph import Graph
from swell.model.job import StepPlan

GRAPH = Graph("F", {}, start="start", end="end")


@pytest.mark.parametrize(
    ("written", "options", "branch", "is_user", "is_production"),
    [
        ({}, {}, "user.ann", True, False),
        ({}, {"branch": "fast"}, "test.fast", False, False),
        ({"branch": "fast"}, {}, "test.fast", False, False),
        ({"branch": "fast"}, {"branch": "fast"}, "test.fast", False, False),
        ({}, {"production": True}, "prod", False, True),
        ({"production": True}, {}, "prod", False, True),
        ({"production": "true"}, {}, "prod", False, True),
        ({}, {"production": True, "branch": "fast"}, "prod.fast", False, True),
    ],
)
def test_the_branch_of_a_project(written, options, branch, is_user, is_production):
    use = project(name="taxi", **written).resolve({})
    found = resolve_project(use, "BigFlow", "ann", **options)
    assert found.branch_name == branch
    assert found.project_flow_name == f"taxi.{branch}.BigFlow"
    assert (found.is_user_branch, found.is_production) == (is_user, is_production)
    assert found.tags == ("project:taxi", f"project_branch:{branch}")
    assert found.facts["project_name"] == "taxi"


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ({"branch": "fast"}, {"branch": "slow"}),
        ({"production": False}, {"production": True}),
        ({}, {"branch": "Not-Allowed"}),
    ],
)
def test_options_that_disagree_with_the_code_or_are_no_names_are_refused(written, options):
    use = project(name="taxi", **written).resolve({})
    with pytest.raises(UsageError):
        resolve_project(use, "BigFlow", "ann", **options)


BAD = [
    (project, {}),
    (project, {"name": "Taxi"}),
    (project, {"name": "a-b"}),
    (project, {"name": "x" * 129}),
    (project, {"name": ""}),
    (project, {"name": "taxi", "branch": "a.b"}),
    (project, {"name": "taxi", "production": 1}),
    (schedule, {"cron": 5}),
    (schedule, {"hourly": "sometimes"}),
    (trigger, {}),
    (trigger, {"event": "a", "events": ["b"]}),
    (trigger, {"events": "a"}),
    (trigger, {"events": [3]}),
    (trigger, {"event": {"parameters": {}}}),
    (trigger, {"event": "a", "options": "x"}),
    (trigger_on_finish, {}),
    (trigger_on_finish, {"flow": "A", "flows": ["B"]}),
    (trigger_on_finish, {"flows": [""]}),
]


@pytest.mark.parametrize(("decorator", "arguments"), BAD)
def test_a_bad_argument_of_a_flow_decorator_is_refused_with_a_remedy(decorator, arguments):
    with pytest.raises(FlowError) as refused:
        decorator(**arguments).resolve({})
    assert refused.value.remedy
    assert refused.value.source_file == __file__


@pytest.mark.parametrize(
    "use",
    [
        schedule(cron="0 0 * * *", timezone="Europe/Berlin"),
        schedule(hourly=True),
        trigger(event="data_ready"),
        trigger(events=[{"name": "a", "parameters": {"x": "y"}}, "b"]),
        trigger_on_finish(flow="Other"),
        trigger_on_finish(flows=["A", "B"]),
    ],
)
def test_what_starts_deployed_flows_is_accepted_and_changes_nothing_here(use):
    resolved = use.resolve({})
    resolved.check(GRAPH)
    assert planned("work", [], [resolved]) == StepPlan(step="work")


def test_conda_base_is_refused_with_what_to_use_instead():
    with pytest.raises(FlowError) as refused:
        conda_base(packages={"a": "1"}).resolve({}).check(GRAPH)
    assert "@conda_base" in refused.value.message
    assert "@pypi_base" in refused.value.remedy


def test_conda_base_that_is_disabled_may_stay():
    conda_base(disabled=True).resolve({}).check(GRAPH)
