"""Groups a table with Polars before the flow starts, so that its thread pool runs."""

import polars

from swell import FlowSpec, step

table = polars.DataFrame({"carrier": ["a", "b", "c"] * 1000, "delay": range(3000)})
carriers = table.group_by("carrier").agg(polars.col("delay").mean()).height


class PolarsFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        grouped = table.lazy().group_by("carrier").agg(polars.col("delay").mean())
        self.found = grouped.collect().height
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    PolarsFlow()
