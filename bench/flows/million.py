"""A foreach over a million small items; meant to be interrupted."""

from swell import FlowSpec, Parameter, step

COUNT = 1_000_000


class MillionFlow(FlowSpec):
    kind = Parameter("kind", default="range")

    @step
    def start(self):
        self.items = range(COUNT) if self.kind == "range" else [f"{n}" for n in range(COUNT)]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        print("SEEN", self.input)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    MillionFlow()
