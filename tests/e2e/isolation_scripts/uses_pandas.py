"""Reads and groups a table with pandas before the flow starts."""

import pandas

from swell import FlowSpec, step

table = pandas.DataFrame({"carrier": ["a", "b", "c"] * 1000, "delay": range(3000)})
by_carrier = table.groupby("carrier").delay.mean()


class PandasFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        self.found = float((table.groupby("carrier").delay.mean() - by_carrier).abs().sum())
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    PandasFlow()
