"""What a foreach of any shape must do with its failure budget and its canaries."""

from __future__ import annotations

from tests.flows.failure_behaviours import NOTE
from tests.flows.shapes import Shape, Step
from tests.flows.writing import Behaviour, Ran


class _OfForeaches(Behaviour):
    """``asks`` stands behind the items of each foreach."""

    asks = ""

    def goes(self, step: Step) -> str:
        return f"{step.goes}, {self.asks}" if step.opens_foreach else step.goes

    def fits(self, shape: Shape) -> bool:
        return any(step.opens_foreach for step in shape.steps)


class FailuresWithinTheBudgetAreLost(_OfForeaches):
    """Of each innermost foreach one item fails; its join gets the others and is told of it."""

    asks = "max_failures=1"

    def victim(self, shape: Shape) -> Step:
        """The last step before the join of the innermost foreach."""
        deepest = max(step.depth for step in shape.steps)
        return [step for step in shape.steps if step.depth == deepest and not step.is_join][-1]

    def join(self, shape: Shape) -> Step:
        """Where its items meet."""
        behind = shape.steps[shape.steps.index(self.victim(shape)) :]
        return next(step for step in behind if step.is_join)

    def code(self, step: Step, shape: Shape) -> str:
        if step == self.victim(shape):
            return "if self.index == 1: raise LookupError('lost')"
        if step.is_join:
            return """
                self.kept = [one.index for one in inputs.succeeded()], len(inputs)
                self.lost = [
                    (one.index, one.task.split('/')[0], one.cause, str(one.error.exception))
                    for one in inputs.failures()
                ]
            """
        return "pass"

    def check(self, ran: Ran) -> None:
        victim, join = self.victim(ran.shape), self.join(ran.shape)
        items = victim.tasks // join.tasks
        assert ran.run.successful
        assert f"{join.tasks} task{'s' * (join.tasks > 1)} failed, within max_failures" in ran.text
        for task in ran.tasks(victim.name):
            assert task.finished is (task.index != 1)
        others = [index for index in range(items) if index != 1]
        assert len(ran.tasks(join.name)) == join.tasks
        for task in ran.tasks(join.name):
            assert task.data.kept == (others, items - 1)
            assert task.data.lost == [(1, victim.name, "user_error", "lost")]
        for step in ran.shape.steps:
            assert len(ran.tasks(step.name)) == step.tasks
            if step.is_join and step != join:
                assert {tuple(task.data.lost) for task in ran.tasks(step.name)} == {()}


class CanariesGoFirst(_OfForeaches):
    """No item begins before the canary of its foreach has reached the join."""

    asks = "canary=1"
    header = NOTE

    def code(self, step: Step, shape: Shape) -> str:
        return "note(' '.join(str(index) for index, _, _ in self.foreach_stack()))"

    def check(self, ran: Ran) -> None:
        assert ran.run.successful
        assert "Its canary goes first" in ran.text
        told = [tuple(map(int, line.split())) for line in ran.notes()]
        assert len(told) == ran.shape.tasks
        foreaches = {place[:depth] for place in told for depth in range(len(place))}
        for foreach in foreaches:
            order = [
                place[len(foreach)]
                for place in told
                if place[: len(foreach)] == foreach and len(place) > len(foreach)
            ]
            canary, steps = order[0], order.count(order[0])
            assert order[:steps] == [canary] * steps
