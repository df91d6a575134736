"""What a flow must do whatever its shape: data, failure, resume, facts; each written once."""

from __future__ import annotations

import textwrap

import swell
from swell.errors import ExceptionWrapper
from tests.flows.shapes import Shape, Step
from tests.flows.writing import Behaviour, Ran

NOTE = """
def note(text):
    with open('notes', 'a') as notes:
        notes.write(text + '\\n')
"""


class ArtifactsAreHandedOn(Behaviour):
    """What the first step left is there in every task, the same bytes by reference."""

    def code(self, step: Step, shape: Shape) -> str:
        if step.name == shape.entry:
            return "self.small, self.large, self.none = [1], b'x' * 100_000, None"
        if step.is_join:
            return """
                assert {i.large for i in inputs} == {b'x' * 100_000}
                self.merge_artifacts(inputs, include=['small', 'large', 'none'])
            """
        return "assert self.large == b'x' * 100_000"

    def check(self, ran: Ran) -> None:
        for task in ran.all_tasks():
            assert task.data.small == [1]
            assert task.data.none is None
        for name in ("small", "large"):
            assert len({task[name].sha for task in ran.all_tasks()}) == 1


class ChangesInPlaceAreKept(Behaviour):
    """A list that is loaded and appended to is handed on as it was left."""

    def code(self, step: Step, shape: Shape) -> str:
        if step.name == shape.entry:
            return f"self.trail = ['{step.name}']"
        if step.is_join:
            return f"""
                self.trail = max((i.trail for i in inputs), key=len)
                self.trail.append('{step.name}')
            """
        return f"self.trail.append('{step.name}')"

    def check(self, ran: Ran) -> None:
        for task in ran.all_tasks():
            trail = task.data.trail
            assert trail[-1] == task.parent.id
            if not ran.shape.step(task.parent.id).is_join:
                assert all(parent.data.trail == trail[:-1] for parent in task.parent_tasks)


class HiddenAndDeletedArtifacts(Behaviour):
    """Names with an underscore are kept but not listed; a deletion forgets only this copy."""

    def code(self, step: Step, shape: Shape) -> str:
        if step.name == shape.entry:
            return "self._hidden, self.shown = 'h', 's'"
        if step.is_join:
            return "self.merge_artifacts(inputs, include=['_hidden', 'shown'])"
        return """
            assert not hasattr(self, 'unknown')
            assert self._hidden == 'h'
            self.shown = 'other'
            del self.shown
            assert self.shown == 's'
        """

    def check(self, ran: Ran) -> None:
        for task in ran.all_tasks():
            listed = [artifact.id for artifact in task]
            assert "shown" in listed
            assert "_hidden" not in listed
            assert task["_hidden"].data == "h"
            assert task.data.shown == "s"


class MergingTellsConflicts(Behaviour):
    """Equal values pass a join unloaded; different ones are told and can be left out."""

    def code(self, step: Step, shape: Shape) -> str:
        if step.is_join:
            return """
                from swell.errors import UnhandledInMergeArtifactsException
                if len(inputs) > 1:
                    try:
                        self.merge_artifacts(inputs)
                    except UnhandledInMergeArtifactsException as error:
                        assert 'differs' in error.artifact_names, error.artifact_names
                        names = error.artifact_names
                    else:
                        raise AssertionError('no conflict')
                    assert not hasattr(self, 'same')
                else:
                    names = ['differs']
                self.differs = current.task_id
                self.merge_artifacts(inputs, exclude=names)
            """
        first = "self.same = 'same'\n" if step.name == shape.entry else ""
        return f"{first}self.differs = current.task_id"

    def check(self, ran: Ran) -> None:
        for task in ran.all_tasks():
            assert task.data.same == "same"
            assert task.data.differs == task.id


class ParametersAndConstantsAreEverywhere(Behaviour):
    """Every task sees them, none may assign them."""

    members = """
        number = Parameter('number', default=3)
        given = Parameter('given-name', type=float)
        absent = Parameter('absent')
        constant = {'a': [1, 2]}
    """
    options = ("--given-name", "2.5")

    def code(self, step: Step, shape: Shape) -> str:
        return """
            assert (self.number, self.given, self.absent) == (3, 2.5, None)
            assert self.constant == {'a': [1, 2]}
            for name in ('number', 'given', 'constant'):
                try:
                    setattr(self, name, 1)
                except AttributeError as error:
                    assert name in str(error)
                else:
                    raise AssertionError(f'{name} could be assigned')
            self.constant['a'].append(3)
        """

    def check(self, ran: Ran) -> None:
        for task in [*ran.all_tasks(), ran.run["_parameters"].task]:
            data = task.data
            assert (data.number, data.given, data.absent) == (3, 2.5, None)
            assert data.constant == {"a": [1, 2]}
            assert data.name == ran.flow


class CurrentKnowsTheTask(Behaviour):
    """``current`` and the client name the same things."""

    def code(self, step: Step, shape: Shape) -> str:
        return """
            names = ('flow_name run_id step_name task_id retry_count origin_run_id pathspec '
                     'namespace username is_running_flow').split()
            self.facts = {name: getattr(current, name) for name in names}
            assert 'task_id' in current and 'nothing' not in current
        """

    def check(self, ran: Ran) -> None:
        for task in ran.all_tasks():
            assert task.data.facts == {
                "flow_name": ran.flow,
                "run_id": str(ran.number),
                "step_name": task.parent.id,
                "task_id": task.id,
                "retry_count": 0,
                "origin_run_id": None,
                "pathspec": task.pathspec,
                "namespace": "user:tester",
                "username": "tester",
                "is_running_flow": True,
            }


class PlaceInForeach(Behaviour):
    """Index, item and stack of the foreaches around a task; none outside."""

    def code(self, step: Step, shape: Shape) -> str:
        return "self.place = (self.index, self.input, self.foreach_stack())"

    def check(self, ran: Ran) -> None:
        for step in ran.shape.steps:
            stacks = []
            for task in ran.tasks(step.name):
                index, item, stack = task.data.place
                assert len(stack) == step.depth
                assert (index, item) == ((stack[-1][0], stack[-1][2]) if stack else (None, None))
                assert task.index == index
                assert all(0 <= i < num for i, num, _ in stack)
                stacks.append(tuple(i for i, _, _ in stack))
            if step.kind != "switch" and step.depth:
                assert len(set(stacks)) == step.tasks
            ids = [int(task.id) for task in ran.tasks(step.name) if task.id.isdecimal()]
            assert ids == sorted(ids)


class InputsComeInOrder(Behaviour):
    """A join meets its inputs in the order of the items, whoever was done first."""

    def code(self, step: Step, shape: Shape) -> str:
        if not step.is_join:
            return "self.at = self.index"
        return """
            indices = [i.index for i in inputs]
            if self.index is not None or None not in indices:
                assert indices == list(range(len(inputs))) or len(set(indices)) == 1, indices
            assert len(inputs) == len(list(inputs))
            assert inputs[0].at == inputs.values('at')[0]
            self.at = self.index
            self.from_steps = sorted({str(i) for i in inputs})
        """

    def check(self, ran: Ran) -> None:
        for step in ran.shape.steps:
            if step.is_join:
                assert len(ran.tasks(step.name)) == step.tasks


class LogsAreCompleteAndInOrder(Behaviour):
    """Each task's own lines, stream by stream, and nobody else's."""

    def code(self, step: Step, shape: Shape) -> str:
        return """
            import subprocess, sys
            for i in range(30):
                print(current.task_id, 'out', i)
                print(current.task_id, 'err', i, file=sys.stderr)
            sys.stdout.flush()
            subprocess.run(['echo', 'from a child'], check=True)
            print('Käse 🧀 no newline at the end', end='')
        """

    def check(self, ran: Ran) -> None:
        for task in ran.all_tasks():
            out = [f"{task.id} out {i}" for i in range(30)]
            err = [f"{task.id} err {i}" for i in range(30)]
            assert task.stdout.splitlines() == [
                *out,
                "from a child",
                "Käse 🧀 no newline at the end",
            ]
            assert task.stderr.splitlines() == err
            assert f"{task.id} out 29" in ran.text


class RetryThenSuccess(Behaviour):
    """Every first attempt fails; the second starts from the same inputs and is what counts."""

    def heads(self, step: Step, shape: Shape) -> list[str]:
        return ["@retry(times=2)"]

    def code(self, step: Step, shape: Shape) -> str:
        begin = "self.tries = []" if step.name == shape.entry or step.is_join else "pass"
        return f"""
            {begin}
            self.tries.append((current.step_name, current.retry_count))
            if current.retry_count == 0:
                raise ValueError('the first attempt')
        """

    def check(self, ran: Ran) -> None:
        for task in ran.all_tasks():
            assert task.current_attempt == 1
            assert task.successful
            assert {attempt for _, attempt in task.data.tries} == {1}
            failed = swell.Task(task.pathspec, attempt=0)
            assert not failed.successful
            if failed.cause == "cancelled":
                continue  # another member of its gang failed first
            assert failed.data.tries[-1] == (task.parent.id, 0)


class ExceptionsAreCaught(Behaviour):
    """@catch keeps what was assigned, tells the exception, and the run goes on."""

    def heads(self, step: Step, shape: Shape) -> list[str]:
        return ["@catch(var='problem')"] if self.fails(step, shape) else []

    def fails(self, step: Step, shape: Shape) -> bool:
        return step.kind in ("linear", "join") or len(shape.steps) == 1

    def code(self, step: Step, shape: Shape) -> str:
        if not self.fails(step, shape):
            return "self.before = 1"
        return "self.before = 1\nraise KeyError('on purpose')"

    def check(self, ran: Ran) -> None:
        for step in ran.shape.steps:
            for task in ran.tasks(step.name):
                assert task.finished
                assert task.data.before == 1
                assert task.successful is not self.fails(step, ran.shape)
                if self.fails(step, ran.shape):
                    problem = task.data.problem
                    assert isinstance(problem, ExceptionWrapper)
                    assert problem.type == "builtins.KeyError"
                    assert "on purpose" in problem.stacktrace
                    assert task.exception is None
                    assert "on purpose" in task.stdout


class DeathsAreCaught(Behaviour):
    """A step that dies in every attempt is recorded by @catch with how it died."""

    def heads(self, step: Step, shape: Shape) -> list[str]:
        return ["@retry(times=1)", "@catch(var='problem')"] if self.dies(step, shape) else []

    def dies(self, step: Step, shape: Shape) -> bool:
        return step.is_plain or len(shape.steps) == 1

    def code(self, step: Step, shape: Shape) -> str:
        if not self.dies(step, shape):
            return "pass"
        return """
            import os, signal
            os.kill(os.getpid(), signal.SIGSEGV)
        """

    def check(self, ran: Ran) -> None:
        for step in ran.shape.steps:
            for task in ran.tasks(step.name):
                assert task.finished
                if self.dies(step, ran.shape):
                    assert not task.successful
                    assert task.current_attempt == 2
                    assert task.data.problem.type == "swell.errors.FailureHandledByCatch"
                    assert "SIGSEGV (segmentation fault)" in str(task.data.problem.exception)


class TimeoutsEndATask(Behaviour):
    """The step is interrupted where it hangs, and says so."""

    header = "import time"

    def heads(self, step: Step, shape: Shape) -> list[str]:
        return ["@catch(var='problem')", "@timeout(seconds=1)"] if self.hangs(step, shape) else []

    def hangs(self, step: Step, shape: Shape) -> bool:
        plain = [one for one in shape.steps if one.is_plain and one.tasks]
        return step in plain[:1] or len(shape.steps) == 1

    def code(self, step: Step, shape: Shape) -> str:
        if not self.hangs(step, shape):
            return "pass"
        return "if self.index in (None, 0): time.sleep(60)  # hangs here"

    def check(self, ran: Ran) -> None:
        for step in ran.shape.steps:
            for task in ran.tasks(step.name):
                if self.hangs(step, ran.shape) and task.index in (None, 0):
                    assert task.data.problem.type == "swell.errors.TimeoutException"
                    assert "hangs here" in task.data.problem.stacktrace
                    assert not task.successful
                else:
                    assert task.successful


class AFailureEndsTheRun(Behaviour):
    """Exit code 1, the user's own traceback, the cause and the command that goes on."""

    exit_code = 1

    def code(self, step: Step, shape: Shape) -> str:
        if step.name != shape.fragile:
            return "pass"
        return "raise LookupError('nothing there')"

    def check(self, ran: Ran) -> None:
        assert "LookupError: nothing there" in ran.text
        assert f", in {ran.shape.fragile}" in ran.text
        assert "/swell/" not in ran.text
        assert "resume" in ran.text
        run = ran.run
        assert not run.successful
        assert not run.finished
        tasks = ran.tasks(ran.shape.fragile)
        kinds = {task.exception.type for task in tasks if task.exception is not None}
        assert {"builtins.LookupError"} <= kinds <= {"builtins.LookupError", "cancelled"}


class ResumeRunsOnlyWhatIsNeeded(Behaviour):
    """What ended ok is taken over by reference; the rest runs once more, with the same data."""

    header = NOTE
    members = "n = Parameter('n', default=1)"
    options = ("--n", "7")
    exit_code = 1

    def code(self, step: Step, shape: Shape) -> str:
        lines = f"""
            import os
            note(f'{{current.run_id}} {step.name} {{self.foreach_stack()}}')
            self.left_by = (current.run_id, current.step_name, self.n)
        """
        if step.name == shape.fragile:
            # Of several tasks the last one fails, once the others are through.
            lines += """
            if not os.path.exists('mended'):
                indices = [i for i, _, _ in self.foreach_stack()]
                last = [num - 1 for _, num, _ in self.foreach_stack()]
                if indices == last:
                    raise LookupError('not mended yet')
            """
        return lines

    def check(self, ran: Ran) -> None:
        done = [task for task in ran.all_tasks() if task.finished]
        (ran.folder / "mended").touch()

        resumed = ran.again("resume")

        assert resumed.code == 0, resumed.text
        assert resumed.run.successful
        assert len(resumed.all_tasks()) == ran.shape.tasks
        cloned = [task for task in resumed.all_tasks() if task.origin_pathspec]
        assert sorted(task.origin_pathspec for task in cloned) == sorted(t.pathspec for t in done)
        notes = [line for line in ran.notes() if line.startswith("2 ")]
        assert len(notes) == ran.shape.tasks - len(cloned)
        for task in resumed.all_tasks():
            run = "1" if task in cloned else "2"
            assert task.data.left_by == (run, task.parent.id, 7)

        once_more = resumed.again("resume")

        assert once_more.code == 0, once_more.text
        assert len([line for line in ran.notes() if line.startswith("3 ")]) == 0
        assert all(task.origin_pathspec for task in once_more.all_tasks())


class ResumeFromAStep(Behaviour):
    """``resume STEP`` runs that step and all behind it again, and nothing else."""

    header = NOTE

    def code(self, step: Step, shape: Shape) -> str:
        return f"note(f'{{current.run_id}} {step.name}')"

    def check(self, ran: Ran) -> None:
        step = ran.shape.fragile

        resumed = ran.again("resume", step)

        assert resumed.code == 0, resumed.text
        again = {line.split()[1] for line in ran.notes() if line.startswith("2 ")}
        assert {step, ran.shape.last} <= again
        assert ran.shape.entry not in again or ran.shape.entry == step
        assert len(resumed.all_tasks()) == ran.shape.tasks
        for task in resumed.all_tasks():
            assert bool(task.origin_pathspec) is (task.parent.id not in again)


class KeepGoingFinishesTheRest(Behaviour):
    """One task fails; what does not depend on it is done all the same."""

    options = ("--keep-going",)
    exit_code = 1

    def code(self, step: Step, shape: Shape) -> str:
        if step.name != shape.fragile:
            return "pass"
        return "if not any(i for i, _, _ in self.foreach_stack()): raise ValueError('one fails')"

    def check(self, ran: Ran) -> None:
        failed = [task for task in ran.all_tasks() if not task.finished]
        assert [task.parent.id for task in failed] == [ran.shape.fragile]
        for step in ran.shape.steps:
            tasks = ran.tasks(step.name)
            if step.depth == 0 and ran.shape.step(ran.shape.fragile).depth > 0 and step.is_join:
                continue  # behind the failure
            if step.name == ran.shape.fragile:
                assert len(tasks) == step.tasks
        assert ran.shape.last == ran.shape.fragile or not ran.tasks(ran.shape.last)


class TagsAreOnTheRunAndItsParts(Behaviour):
    """``--tag`` on the run, seen on tasks and in ``current``."""

    options = ("--tag", "red", "--tag", "blue sky")

    def code(self, step: Step, shape: Shape) -> str:
        return "assert {'red', 'blue sky', 'user:tester'} <= set(current.tags)"

    def check(self, ran: Ran) -> None:
        assert ran.run.user_tags == frozenset({"red", "blue sky"})
        for task in ran.all_tasks():
            assert {"red", "blue sky", "user:tester"} <= task.tags


class TheClientSeesEverything(Behaviour):
    """Every step and task, newest first, with its parents and children."""

    def check(self, ran: Ran) -> None:
        run = ran.run
        assert run.successful
        assert run.finished
        assert {step.id for step in run} == {s.name for s in ran.shape.steps if s.tasks}
        for step in ran.shape.steps:
            tasks = ran.tasks(step.name)
            assert len(tasks) == step.tasks, step.name
            assert all(task.successful and task.finished for task in tasks)
            for task in tasks:
                assert task.created_at <= task.finished_at
                parents = task.parent_tasks
                if step.name == ran.shape.entry:
                    assert [parent.pathspec for parent in parents] in (
                        [],
                        [f"{run.pathspec}/_parameters/0"],
                    )
                else:
                    assert parents
                    for parent in parents:
                        assert task.pathspec in [child.pathspec for child in parent.child_tasks]
        ids = [task.id for task in ran.all_tasks()]
        assert len(set(ids)) == ran.shape.tasks
        assert run.end_task.parent.id == ran.shape.last


class EnvironmentIsTheStepsOwn(Behaviour):
    """Variables are set for one step's tasks, children included, and for no other."""

    header = "import os, subprocess"

    def heads(self, step: Step, shape: Shape) -> list[str]:
        return [f"@environment(vars={{'OF_{step.name.upper()}': 7}})"]

    def code(self, step: Step, shape: Shape) -> str:
        return f"""
            assert os.environ['OF_{step.name.upper()}'] == '7'
            assert [name for name in os.environ if name.startswith('OF_')] == [
                'OF_{step.name.upper()}'
            ]
            shown = subprocess.run(['env'], capture_output=True, text=True).stdout
            assert 'OF_{step.name.upper()}=7' in shown
            assert os.environ['SWELL_RUN_ID'] == current.run_id
        """

    def check(self, ran: Ran) -> None:
        assert ran.run.successful


class CardsExist(Behaviour):
    """Every task leaves its page."""

    def heads(self, step: Step, shape: Shape) -> list[str]:
        return ["@card"]

    def code(self, step: Step, shape: Shape) -> str:
        return f"self.shown = 'value of {step.name}'"

    def check(self, ran: Ran) -> None:
        from swell.cards import get_cards

        for task in ran.all_tasks()[:8]:
            (card,) = get_cards(task)
            page = card.get()
            assert "<html" in page
            assert f"value of {task.parent.id}" in page


class WhatTheScriptDefinesIsStored(Behaviour):
    """Lambdas, closures, local classes, and classes of the script itself."""

    header = """
        import collections, enum

        class Color(enum.Enum):
            RED = 1

        Point = collections.namedtuple('Point', 'x y')
    """

    def code(self, step: Step, shape: Shape) -> str:
        if step.name == shape.entry:
            return """
                offset = 10
                class Local:
                    def __init__(self, value):
                        self.value = value
                self.double = lambda x: 2 * x
                self.shift = lambda x: x + offset
                self.local = Local(5)
                self.color, self.point = Color.RED, Point(1, 2)
            """
        names = "['double', 'shift', 'local', 'color', 'point']"
        take = f"self.merge_artifacts(inputs, include={names})" if step.is_join else "pass"
        return f"""
            {take}
            assert (self.double(4), self.shift(1), self.local.value) == (8, 11, 5)
            assert self.color is Color.RED
            assert isinstance(self.point, Point) and self.point.y == 2
        """

    def check(self, ran: Ran) -> None:
        data = ran.run.data
        assert (data.double(4), data.shift(1), data.local.value) == (8, 11, 5)


class RandomStateDiffers(Behaviour):
    """No two tasks, in no two runs, draw the same numbers; ids of uuid differ as well."""

    header = "import random, uuid"

    def code(self, step: Step, shape: Shape) -> str:
        return "self.drawn = (random.random(), uuid.uuid4().hex, random.getrandbits(64))"

    def check(self, ran: Ran) -> None:
        again = ran.again("run", *ran.behaviour.options)
        drawn = [task.data.drawn for task in [*ran.all_tasks(), *again.all_tasks()]]
        for values in zip(*drawn, strict=True):
            assert len(set(values)) == 2 * ran.shape.tasks


class StandardInputIsEmpty(Behaviour):
    """A step that reads its stdin gets nothing, and no run waits for a key."""

    header = "import sys"

    def code(self, step: Step, shape: Shape) -> str:
        return "assert sys.stdin.read() == ''"

    def check(self, ran: Ran) -> None:
        assert ran.run.successful


class Together(Behaviour):
    """Behaviours that do not stand in each other's way, shown by one run."""

    def __init__(self, name: str, *parts: type[Behaviour]) -> None:
        self.name = name
        self.parts = [part() for part in parts]
        self.header = "\n".join(textwrap.dedent(part.header) for part in self.parts)
        self.members = "\n".join(textwrap.dedent(part.members) for part in self.parts)
        self.options = tuple(option for part in self.parts for option in part.options)

    def heads(self, step: Step, shape: Shape) -> list[str]:
        return [head for part in self.parts for head in part.heads(step, shape)]

    def code(self, step: Step, shape: Shape) -> str:
        return "\n".join(textwrap.dedent(part.code(step, shape)) for part in self.parts)

    def check(self, ran: Ran) -> None:
        for part in self.parts:
            part.check(ran)


DATA = Together(
    "DataIsKept",
    ArtifactsAreHandedOn,
    ChangesInPlaceAreKept,
    HiddenAndDeletedArtifacts,
    ParametersAndConstantsAreEverywhere,
    WhatTheScriptDefinesIsStored,
)
FACTS = Together(
    "FactsAreTold",
    CurrentKnowsTheTask,
    PlaceInForeach,
    InputsComeInOrder,
    LogsAreCompleteAndInOrder,
    TagsAreOnTheRunAndItsParts,
    TheClientSeesEverything,
    EnvironmentIsTheStepsOwn,
    StandardInputIsEmpty,
    RandomStateDiffers,
)
BEHAVIOURS: tuple[Behaviour, ...] = (
    DATA,
    FACTS,
    MergingTellsConflicts(),
    RetryThenSuccess(),
    ExceptionsAreCaught(),
    DeathsAreCaught(),
    TimeoutsEndATask(),
    AFailureEndsTheRun(),
    ResumeRunsOnlyWhatIsNeeded(),
    ResumeFromAStep(),
    KeepGoingFinishesTheRest(),
    CardsExist(),
)
