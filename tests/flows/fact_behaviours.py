"""What a flow of any shape must tell: to its tasks, to the client, in logs; each written once."""

from __future__ import annotations

from tests.flows.shapes import Shape, Step
from tests.flows.writing import Behaviour, Ran


class CurrentKnowsTheTask(Behaviour):
    """``current`` and the client name the same things."""

    varying = frozenset({"facts"})

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


class StandardInputIsEmpty(Behaviour):
    """A step that reads its stdin gets nothing, and no run waits for a key."""

    header = "import sys"

    def code(self, step: Step, shape: Shape) -> str:
        return "assert sys.stdin.read() == ''"

    def check(self, ran: Ran) -> None:
        assert ran.run.successful
