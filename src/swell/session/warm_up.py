"""Runs a task of no effect a few times in the keeper, before any attempt is forked.

What Python writes as code runs for the first times (inline caches, type caches, free
lists) is then shared by all children instead of being written anew, page by copied page,
in every one of them.
"""

from __future__ import annotations

import msgspec

from swell.authoring.flow import Flow
from swell.authoring.step import step
from swell.datastore.blob_writer import serialized_key
from swell.datastore.serializers import Serialized, joined, serialize
from swell.model.graph import Graph, Node, NodeType
from swell.model.ids import JobId
from swell.model.job import Frame, Inputs, Launch, RunContext
from swell.model.record import ItemRef
from swell.model.wire import decode_launch, encode
from swell.session.task_store import TaskStore
from swell.task.runner import AttemptRunner, FlowInForce

TIMES = 10
"""CPython 3.11 specialises code from the eighth call on."""


_CONTENT_BYTES = 16 * 1024
"""Of a value that is hashed as an artifact is that has a file of its own."""


class _WarmUpFlow(Flow):
    def __init__(self, use_cli: bool = False) -> None:
        """As a script's flow is made."""

    @step
    def start(self) -> None:
        self.value = self.input
        self.next(self.end)

    @step
    def end(self) -> None:
        """The terminal step."""


def warm_up(store: TaskStore, context: RunContext) -> None:
    """Run the task; it stores nothing outside its own record."""
    nodes = {
        "start": Node("start", NodeType.START, targets=("end",)),
        "end": Node("end", NodeType.END, parents=("start",)),
    }
    graph = Graph("_WarmUpFlow", nodes, "start", "end", ("start", "end"))
    runner = AttemptRunner(
        FlowInForce(_WarmUpFlow, graph, {}, {}), context, store, lambda launch: {}
    )
    launch = encode(
        Launch(
            JobId("1", 0),
            "start",
            1,
            Inputs(("start/1",), (context.parameters,)),
            stack=(Frame("start", "items", 1, 0, ItemRef(inline=joined(serialize(0)))),),
        )
    )
    content = Serialized((bytes(64),), (memoryview(bytes(_CONTENT_BYTES)),), _CONTENT_BYTES + 64)
    for _ in range(TIMES):
        result = runner.run(decode_launch(launch), lambda: None)
        msgspec.msgpack.encode(result)
        serialized_key(content)
