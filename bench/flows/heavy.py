"""Eight tasks that each declare 6,000 MB and touch a part of it; `--scale 1` is all of it."""

import time

from swell import FlowSpec, Parameter, resources, step

DECLARED_MB = 6000


class HeavyFlow(FlowSpec):
    scale = Parameter("scale", default=0.1, type=float)
    hold = Parameter("hold", default=1.0, type=float, help="seconds to hold the memory")

    @step
    def start(self):
        self.items = list(range(8))
        self.next(self.work, foreach="items")

    @resources(memory=DECLARED_MB)
    @step
    def work(self):
        # A tenth less than declared: the rest is for the interpreter.
        held = b"1" * int(DECLARED_MB * self.scale * 0.9 * (1 << 20))
        time.sleep(self.hold)
        self.size = len(held)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.sizes = [one.size for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        assert len(self.sizes) == 8


if __name__ == "__main__":
    HeavyFlow()
