"""A large artifact of which a later step reads one row."""

import time

import numpy

from swell import FlowSpec, Parameter, step

COLUMNS = 1000


class RowFlow(FlowSpec):
    mb = Parameter("mb", default=100)

    @step
    def start(self):
        rows = self.mb * 1_000_000 // (8 * COLUMNS)
        self.x = numpy.random.default_rng(0).random((rows, COLUMNS))
        self.next(self.end)

    @step
    def end(self):
        started = time.perf_counter()
        row = self.x[len(self.x) // 2].sum()
        print("OPENED", time.perf_counter() - started, row)


if __name__ == "__main__":
    RowFlow()
