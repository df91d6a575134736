"""Spreads work over processes before the flow starts and in its tasks."""

from swell import FlowSpec, parallel_map, step

squares = parallel_map(lambda n: n * n, range(5))


class ParallelMapFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        self.found = parallel_map(lambda n: n * self.input, squares)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    ParallelMapFlow()
