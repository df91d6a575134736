"""The sum of a large random matrix: two steps, one parameter, one artifact.

    python bigsum.py run
    python bigsum.py run --n 8000
    python bigsum.py dump 1/start

``@resources`` is the step's wish: on this machine it is weighed against what there is,
on a bigger one it is what the step gets.
"""

from swell import FlowSpec, Parameter, resources, step


class BigSumFlow(FlowSpec):
    """The sum of a large random matrix."""

    n = Parameter("n", default=4000, help="rows and columns")

    @resources(memory=60_000, cpu=1)
    @step
    def start(self):
        import numpy

        self.sum = float(numpy.random.exponential(size=(self.n, self.n)).sum())
        self.next(self.end)

    @step
    def end(self):
        print("sum is:", self.sum)


if __name__ == "__main__":
    BigSumFlow()
