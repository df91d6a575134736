"""What a second driver makes of a run's facts and submissions."""

from __future__ import annotations

from msgspec.structs import replace

from swell.model.cause import Cause
from swell.model.facts import MEMORY_FACT, AttemptFact, TaskCreated, TaskFact
from swell.model.graph import Graph, Node, NodeType
from swell.model.ids import JobId, RunId
from swell.model.job import Frame, Gang, Inputs, Launch, StepPlan
from swell.model.record import ItemRef, Outcome, Transition
from swell.model.resources import Resources
from swell.scheduler.events import TaskKey
from swell.scheduler.known import OpenTask
from swell.scheduler.retry import Tries
from swell.session.taking_over import what_is_known

RUN = RunId("Slow", 7)
GRAPH = Graph(
    "Slow",
    {
        "start": Node("start", NodeType.FOREACH, targets=("work",), matching_join="join"),
        "work": Node("work", NodeType.LINEAR, targets=("join",)),
        "join": Node("join", NodeType.JOIN, targets=("end",), is_join=True),
        "end": Node("end", NodeType.END),
    },
    "start",
    "end",
    ("start", "work", "join", "end"),
)
HOST_LOST = Outcome(False, Cause.HOST_LOST, "gone")
BROKEN = Outcome(False, Cause.USER_ERROR, "it raised")


def created(task: str, step: str = "work", index: int | None = None) -> TaskFact:
    indices = () if index is None else (index,)
    return TaskFact(TaskCreated(RUN, step, task, 1.0, indices=indices))


def attempt(task: str, number: int, outcome: Outcome | None, step: str = "work") -> AttemptFact:
    return AttemptFact(RUN, step, JobId(task, number), 1.0, None, outcome=outcome)


def submitted(task: str, number: int, index: int, gang: Gang | None = None) -> Launch:
    frame = Frame("start", "items", 3, index, ItemRef(number=index))
    return Launch(JobId(task, number), "work", 3, Inputs(), stack=(frame,), gang=gang)


def work(index: int) -> TaskKey:
    return TaskKey("work", (index,))


def known(tasks, attempts, launches=(), in_flight=()):
    return what_is_known(GRAPH, tasks, attempts, launches, set(in_flight))


def test_what_ended_well_is_done_and_what_runs_elsewhere_goes_on_with_its_attempt():
    ended = Outcome(True, transition=Transition(("join",)))
    done = TaskFact(created("2", index=0).created, attempt=0, ok=True)
    found = known(
        [done, created("3", index=1)],
        [attempt("2", 0, ended), attempt("3", 0, BROKEN), attempt("3", 1, None)],
        [submitted("2", 0, 0), submitted("3", 0, 1), submitted("3", 1, 1)],
        [JobId("3", 1)],
    )
    assert {key: one.task for key, one in found.done.items()} == {work(0): "2"}
    assert found.open == {work(1): OpenTask("3", 1, Tries(counted=1))}


def test_what_ran_here_and_died_with_its_driver_begins_another_attempt():
    found = known([created("3", index=1)], [attempt("3", 0, HOST_LOST), attempt("3", 1, None)])
    assert found.open == {work(1): OpenTask("3", 2, Tries(uncounted=1))}


def test_a_task_that_was_submitted_and_never_recorded_keeps_its_id_and_is_to_be_recorded():
    found = known([], [], [submitted("4", 0, 2)], [JobId("4", 0)])
    assert found.open == {work(2): OpenTask("4", 0, is_stored=False)}


def test_a_gang_of_which_a_member_has_ended_begins_anew():
    members = [submitted(f"5_node_{n}" if n else "5", 0, n, Gang(n, 2, "5")) for n in range(2)]
    tasks = [created("5", index=0), created("5_node_1", index=1)]
    attempts = [attempt("5", 0, BROKEN), attempt("5_node_1", 0, None)]
    found = known(tasks, attempts, members, [JobId("5_node_1", 0)])
    assert found.open[work(0)].attempt == 1
    assert found.open[work(1)].attempt == 1


OUT_OF_MEMORY = Outcome(False, Cause.OUT_OF_MEMORY, "too much")


def with_memory(task: str, number: int, index: int, memory_mb: int) -> Launch:
    launch = submitted(task, number, index)
    return replace(launch, resources=Resources(memory_mb=memory_mb))


def test_a_task_keeps_the_memory_that_it_grew_to_and_its_growth_is_not_counted():
    found = known(
        [created("3", index=1)],
        [attempt("3", 0, OUT_OF_MEMORY), attempt("3", 1, None)],
        [with_memory("3", 0, 1, 4000), with_memory("3", 1, 1, 8000)],
        [JobId("3", 1)],
    )
    assert found.open == {work(1): OpenTask("3", 1, Tries(grown=1), memory_mb=8000)}


def test_what_grew_on_this_machine_is_known_by_what_its_attempts_noted():
    second = attempt("3", 1, OUT_OF_MEMORY)
    noted = replace(second, metadata={MEMORY_FACT: (MEMORY_FACT, "8000")})
    found = known([created("3", index=1)], [attempt("3", 0, OUT_OF_MEMORY), noted])
    assert found.open == {work(1): OpenTask("3", 2, Tries(counted=1, grown=1), memory_mb=8000)}


def test_a_last_failure_that_a_foreach_allows_is_known_as_failed_and_not_tried_again():
    nodes = dict(GRAPH.nodes)
    nodes["start"] = replace(nodes["start"], max_failures="2")
    nodes["work"] = replace(nodes["work"], split_parents=("start",))
    graph = replace(GRAPH, nodes=nodes)
    tasks = [created("2", index=0), created("3", index=1), created("4", index=2)]
    attempts = [
        *(attempt("2", number, BROKEN) for number in range(2)),
        attempt("3", 0, BROKEN),
        *(attempt("4", number, HOST_LOST) for number in range(2)),
    ]
    plans = {"work": StepPlan("work", attempts=2)}

    found = what_is_known(graph, tasks, attempts, [], set(), plans)

    assert {key: (one.index, one.attempts) for key, one in found.failed.items()} == {
        work(0): (0, 2)
    }
    assert sorted(found.open) == [work(1), work(2)]
    assert what_is_known(GRAPH, tasks, attempts, [], set(), plans).failed == {}
