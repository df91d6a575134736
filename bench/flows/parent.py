"""Many tasks that all read the same large artifact of their parent, or do not."""

import numpy

from swell import FlowSpec, Parameter, step


def pss_mb(kind):
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


class ParentFlow(FlowSpec):
    n = Parameter("n", default=100)
    mb = Parameter("mb", default=200)
    kind = Parameter("kind", default="doubles")
    touch = Parameter("touch", default=True)

    @step
    def start(self):
        random = numpy.random.default_rng(0)
        count = self.mb * 125_000
        if self.kind == "doubles":
            self.x = random.random(count)
        else:
            self.x = random.integers(0, 1000, count)
        self.items = range(self.n)
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.total = float(self.x.sum()) if self.touch else 0.0
        # A look costs as much as a fourth of the sum: four tasks of the hundred tell enough.
        looks = self.index < 4
        self.own = pss_mb("Pss_Anon:") if looks else 0.0
        self.shared = pss_mb("Pss_File:") if looks else 0.0
        self.next(self.join)

    @step
    def join(self, inputs):
        totals = {task.total for task in inputs}
        assert len(totals) == 1
        print("PSS", 2 * max(inputs.values("own")) + max(inputs.values("shared")))
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ParentFlow()
