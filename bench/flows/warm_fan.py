"""The same foreach as in fan.py, with NumPy and pandas loaded at the top of the script."""

import numpy  # noqa: F401
import pandas  # noqa: F401

from swell import FlowSpec, Parameter, step


class WarmFanFlow(FlowSpec):
    n = Parameter("n", default=1)

    @step
    def start(self):
        self.items = list(range(self.n))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.one = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(task.one for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        assert self.total == self.n * (self.n - 1) // 2


if __name__ == "__main__":
    WarmFanFlow()
