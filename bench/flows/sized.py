"""Steps that take memory of known size, sized from history."""

import resource

from swell import FlowSpec, resources, step


def take(mb):
    """Fill so much memory, and say what the kernel counted at most in this process."""
    kept = b"x" * (mb << 20)
    return len(kept) and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class SizedFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.small)

    @resources(memory="auto")
    @step
    def small(self):
        self.peak_mb = take(150)
        self.next(self.middle)

    @resources(memory="auto")
    @step
    def middle(self):
        self.peak_mb = take(500)
        self.next(self.large)

    @resources(memory="auto")
    @step
    def large(self):
        self.peak_mb = take(1500)
        self.sizes = [180 + 2 * number for number in range(20)]
        self.next(self.each, foreach="sizes")

    @resources(memory="auto")
    @step
    def each(self):
        self.peak_mb = take(self.input)
        self.next(self.end_of_each)

    @step
    def end_of_each(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SizedFlow()
