"""Large data and files through a whole run: shared, changed in place, opened by path."""

import os

import numpy

from swell import File, FlowSpec, Folder, step

ROWS = 400_000


class DataFlow(FlowSpec):
    @step
    def start(self):
        self.table = numpy.random.default_rng(0).random((ROWS, 8))
        self.columns = self.table[:, ::2]
        os.makedirs("out/plots", exist_ok=True)
        with open("out/plots/a.txt", "w") as file:
            file.write("plot")
        self.table.tofile("model.bin")
        self.model = File("model.bin")
        self.out = Folder("out")
        self.items = range(3)
        self.next(self.work, foreach="items")

    @step
    def work(self):
        os.truncate("model.bin", 0)
        self.total = float(self.table[:, self.input].sum())
        if self.input == 1:
            self.table[0, 0] = -1.0
        self.first = self.model.read_range(0, 8)
        self.copy = self.model.path
        assert os.path.getsize(self.copy) == self.table.nbytes
        with open(os.path.join(self.out.path, "plots", "a.txt")) as file:
            assert file.read() == "plot"
        self.next(self.join)

    @step
    def join(self, inputs):
        self.totals = inputs.values("total")
        self.firsts = [float(one.table[0, 0]) for one in inputs]
        assert not any(os.path.exists(path) for path in inputs.values("copy"))
        assert len(set(inputs.values("first"))) == 1
        self.columns = inputs[0].columns
        self.merge_artifacts(inputs, include=["model", "out"])
        self.next(self.end)

    @step
    def end(self):
        assert self.columns.shape == (ROWS, 4)
        assert [file.name for file in self.out] == ["plots/a.txt"]
        self.size = self.model.size


if __name__ == "__main__":
    DataFlow()
