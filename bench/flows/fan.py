"""A foreach of tasks that do nothing but hand on their item, and a join that sums them."""

from swell import FlowSpec, Parameter, step


class FanFlow(FlowSpec):
    n = Parameter("n", default=1)

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
        self.total = sum(task.one for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        assert self.total == self.n * (self.n - 1) // 2


if __name__ == "__main__":
    FanFlow()
