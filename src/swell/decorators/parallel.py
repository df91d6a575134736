"""``@parallel``: the step runs as a gang of tasks that work together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from swell.authoring.context import TaskContext
from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.environment import variables_set
from swell.errors import FlowError
from swell.model.graph import Graph, NodeType


class Parallel(NamedTuple):
    """``current.parallel``: this task's place in its gang; node 0 is the control task."""

    main_ip: str
    num_nodes: int
    node_index: int
    control_task_id: str


class ParallelDecorator(StepDecorator):
    """As many tasks as the ``num_parallel`` before it says, started together; all must succeed.

    ``current.parallel`` tells each its place, as do the environment variables
    ``MF_PARALLEL_MAIN_IP``, ``_NUM_NODES``, ``_NODE_INDEX`` and ``_CONTROL_TASK_ID``.
    """

    name = "parallel"

    def check(self, graph: Graph, step: str) -> None:
        node = graph.nodes[step]
        if node.type is NodeType.SWITCH:
            raise FlowError(
                f"@parallel stands on step '{step}', which chooses the next step: its tasks "
                "could choose differently.",
                remedy="Join the gang first, and choose in the join or after it.",
                source_file=node.file,
                line_no=node.line,
            )

    @contextmanager
    def around(self, task: TaskContext) -> Iterator[None]:
        gang = task.launch.gang
        if gang is None:
            yield
            return
        place = Parallel(gang.main_ip, gang.num_nodes, gang.node_index, gang.control_task)
        task.set_current("parallel", place)
        task.add_metadata("parallel-world-size", str(gang.num_nodes))
        if gang.node_index == 0:
            task.add_metadata("internal_task_type", "control_task")
        variables = {
            "MF_PARALLEL_MAIN_IP": gang.main_ip,
            "MF_PARALLEL_NUM_NODES": str(gang.num_nodes),
            "MF_PARALLEL_NODE_INDEX": str(gang.node_index),
            "MF_PARALLEL_CONTROL_TASK_ID": gang.control_task,
        }
        with variables_set(variables):
            yield


parallel = StepDecoratorFactory(ParallelDecorator)
