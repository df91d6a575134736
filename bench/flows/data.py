"""Two steps: one makes large data, the next one reads all of it. Each says what that cost."""

import time

import numpy

from swell import FlowSpec, Parameter, step


def make(kind, mb):
    count = mb * 125_000
    random = numpy.random.default_rng(0).random
    if kind == "random":
        return random(count)
    if kind == "zeros":
        return numpy.zeros(count)
    if kind == "pattern":
        return numpy.tile(numpy.arange(1000.0), count // 1000)
    if kind == "strided":
        return random((count // 1000, 2000))[:, ::2]
    if kind == "fortran-slice":
        return random((count // 1000, 2000)).T[::2]
    if kind == "polars":
        import polars

        return polars.DataFrame({f"c{n}": random(count // 10) for n in range(10)})
    import pandas

    rows = mb * 10_000
    return pandas.DataFrame(
        {
            "id": numpy.arange(rows),
            "name": numpy.arange(rows).astype(str),
            "city": numpy.array(["Oslo", "Kyiv", "Lima"])[numpy.arange(rows) % 3],
            "price": random(rows),
        }
    )


def consume(kind, data):
    if kind == "polars":
        return float(data.sum().row(0)[0])
    if kind == "frame":
        return float(data["price"].sum()) + int(data["name"].str.len().sum())
    return float(data.sum())


class DataFlow(FlowSpec):
    kind = Parameter("kind", default="random")
    mb = Parameter("mb", default=100)

    @step
    def start(self):
        started = time.perf_counter()
        self.x = make(self.kind, self.mb)
        made = time.perf_counter()
        self.total = consume(self.kind, self.x)
        print("MADE", made - started, "SUMMED", time.perf_counter() - made)
        self.ended_at = time.time()
        self.next(self.use)

    @step
    def use(self):
        print("HANDED", time.time() - self.ended_at)
        started = time.perf_counter()
        # Sums of other orders of the same numbers differ in the last digits.
        assert numpy.isclose(consume(self.kind, self.x), self.total)
        print("USED", time.perf_counter() - started)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    DataFlow()
