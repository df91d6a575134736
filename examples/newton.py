"""Repeat a step until it is good enough: a square root by Newton's method.

    python newton.py run --number 2
    python newton.py run --number 2 --digits 50
    python newton.py dump 1/improve

Shows a switch (``condition=``) and a step that goes to itself; each round is a task with
its own artifacts, so the whole path to the answer can be looked at afterwards.
"""

from decimal import Decimal, getcontext

from swell import FlowSpec, Parameter, step


class NewtonFlow(FlowSpec):
    """The square root of a number, to as many digits as wanted."""

    number = Parameter("number", default="2", help="whose root")
    digits = Parameter("digits", default=30, help="digits wanted")

    @step
    def start(self):
        self.sign = "negative" if Decimal(self.number) < 0 else "fine"
        self.next({"fine": self.guess, "negative": self.refuse}, condition="sign")

    @step
    def guess(self):
        self.root = max(Decimal(self.number), Decimal(1))
        self.rounds = 0
        self.next(self.improve)

    @step
    def improve(self):
        getcontext().prec = self.digits + 5
        better = (self.root + Decimal(self.number) / self.root) / 2
        self.good_enough = abs(better - self.root) < Decimal(10) ** -self.digits
        self.root = better
        self.rounds += 1
        print(f"round {self.rounds}: {self.root}")
        self.next({True: self.end, False: self.improve}, condition="good_enough")

    @step
    def refuse(self):
        self.root, self.rounds = None, 0
        print(f"{self.number} has no real root")
        self.next(self.end)

    @step
    def end(self):
        print(f"after {self.rounds} rounds: {self.root}")


if __name__ == "__main__":
    NewtonFlow()
