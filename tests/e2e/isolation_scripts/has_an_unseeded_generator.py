"""Makes a generator at module level that takes its seed from the system."""

import numpy

from swell import FlowSpec, step

generator = numpy.random.default_rng()


class UnseededGeneratorFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        self.found = float(generator.random())
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    UnseededGeneratorFlow()
