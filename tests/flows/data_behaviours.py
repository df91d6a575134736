"""What a flow of any shape must do with its data; each written once."""

from __future__ import annotations

from tests.flows.shapes import Shape, Step
from tests.flows.writing import Behaviour, Ran


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

    varying = frozenset({"differs"})

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


class WhatTheScriptDefinesIsStored(Behaviour):
    """Lambdas, closures, local classes, and classes of the script itself."""

    # Code by value carries the script's place, local classes a number that cloudpickle draws.
    varying = frozenset({"double", "shift", "local"})
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
    varying = frozenset({"drawn"})

    def code(self, step: Step, shape: Shape) -> str:
        return "self.drawn = (random.random(), uuid.uuid4().hex, random.getrandbits(64))"

    def check(self, ran: Ran) -> None:
        again = ran.again("run", *ran.behaviour.options)
        drawn = [task.data.drawn for task in [*ran.all_tasks(), *again.all_tasks()]]
        for values in zip(*drawn, strict=True):
            assert len(set(values)) == 2 * ran.shape.tasks
