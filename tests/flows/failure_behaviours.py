"""What a flow of any shape must do when steps fail, and on resume; each written once."""

from __future__ import annotations

import re

import swell
from swell.errors import ExceptionWrapper
from tests.flows.shapes import Shape, Step
from tests.flows.writing import Behaviour, Ran

NOTE = """
def note(text):
    with open(f'{HERE}/notes', 'a') as notes:
        notes.write(text + '\\n')
"""


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

    varying = frozenset({"problem"})  # its traceback names the place of the script

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
    varying = frozenset({"problem"})

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
        assert not re.search(r'File ".*/swell/', ran.text)
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
    varying = frozenset({"left_by"})

    def code(self, step: Step, shape: Shape) -> str:
        lines = f"""
            import os
            note(f'{{current.run_id}} {step.name} {{self.foreach_stack()}}')
            self.left_by = (current.run_id, current.step_name, self.n)
        """
        if step.name == shape.fragile:
            # Of several tasks the last one fails, once the others are through.
            lines += """
            if not os.path.exists(f'{HERE}/mended'):
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
