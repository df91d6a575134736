"""Reads a Parquet file with Arrow threads before the flow starts."""

import tempfile

import pyarrow
import pyarrow.parquet

from swell import FlowSpec, step

folder = tempfile.TemporaryDirectory()
path = f"{folder.name}/table.parquet"
pyarrow.parquet.write_table(pyarrow.table({"n": list(range(50_000))}), path, row_group_size=1000)
rows = pyarrow.parquet.read_table(path).num_rows


class ArrowFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        self.found = pyarrow.parquet.read_table(path).num_rows
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    ArrowFlow()
