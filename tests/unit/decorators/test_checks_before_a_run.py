"""What decorators refuse before anything runs."""

import pytest

from swell.decorators.catalog import ALL_FLOW_DECORATORS, ALL_STEP_DECORATORS, decorator_names
from swell.decorators.catch import catch
from swell.decorators.conda import conda
from swell.decorators.kubernetes import kubernetes
from swell.decorators.parallel import parallel
from swell.decorators.pytorch_parallel import pytorch_parallel
from swell.errors import FlowError
from swell.model.graph import Graph, Node, NodeType


def graph_of(kind):
    node = Node("work", kind, file="flow.py", line=12)
    return Graph("F", {"work": node}, start="work", end="work")


@pytest.mark.parametrize("kind", [NodeType.FOREACH, NodeType.SWITCH])
def test_catch_cannot_stand_where_the_failure_would_leave_no_way_on(kind):
    with pytest.raises(FlowError) as refused:
        catch().resolve({}).check(graph_of(kind), "work")
    assert "'work'" in refused.value.message
    assert (refused.value.source_file, refused.value.line_no) == ("flow.py", 12)


@pytest.mark.parametrize("kind", [NodeType.LINEAR, NodeType.SPLIT, NodeType.JOIN, NodeType.END])
def test_catch_can_stand_on_other_steps(kind):
    catch().resolve({}).check(graph_of(kind), "work")


def test_parallel_cannot_stand_on_a_switch():
    with pytest.raises(FlowError, match="@parallel"):
        parallel().resolve({}).check(graph_of(NodeType.SWITCH), "work")


@pytest.mark.parametrize(
    ("use", "instead"),
    [
        (conda(libraries={"a": "1"}), "@pypi"),
        (kubernetes(cpu=2, image="x", qos="guaranteed"), "--with batch"),
        (pytorch_parallel(master_port=3), "@parallel"),
    ],
)
def test_what_cannot_be_ignored_safely_is_refused_with_what_to_use_instead(use, instead):
    with pytest.raises(FlowError) as refused:
        use.resolve({}).check(graph_of(NodeType.LINEAR), "work")
    assert f"@{use.name}" in refused.value.message
    assert instead in refused.value.remedy


def test_every_decorator_has_its_own_name_and_its_own_file():
    kinds = [*ALL_STEP_DECORATORS, *ALL_FLOW_DECORATORS]
    assert len({kind.name for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind.__module__ == f"swell.decorators.{kind.name}"
        assert kind.__doc__


def test_the_catalog_finds_all_by_name():
    names = decorator_names()
    assert set(names.step) >= {"retry", "catch", "timeout", "batch", "secrets", "parallel"}
    assert set(names.flow) >= {"project", "pypi_base", "schedule", "trigger"}
