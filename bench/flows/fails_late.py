"""A foreach whose join fails until a file is there, and then notes when it began."""

import time
from pathlib import Path

from swell import FlowSpec, Parameter, step


class FailsLateFlow(FlowSpec):
    n = Parameter("n", default=1)
    mended = Parameter("mended", default="mended")

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
        began = time.time()
        Path(self.mended + ".began").write_text(str(began))
        if not Path(self.mended).exists():
            raise RuntimeError("not mended yet")
        self.total = sum(task.one for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    FailsLateFlow()
