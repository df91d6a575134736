"""A foreach, a retry, a caught failure, and an end that fails while a file "broken" is there."""

import os
import sys

from swell import FlowSpec, IncludeFile, Parameter, card, catch, current, retry, step


class StoryFlow(FlowSpec):
    """What the client is asked about."""

    unit = "cm"
    n = Parameter("n", default=2)
    notes = IncludeFile("notes", default="notes.txt")

    @step
    def start(self):
        print("hello from start")
        print("careful", file=sys.stderr)
        self._hidden = 1
        self.words = ["a" * 40, *"bcdefghijklmnop"[: self.n - 1]]
        self.next(self.each, foreach="words")

    @card
    @step
    def each(self):
        self.length = len(self.input)
        self.same = [1, 2, 3]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.length for one in inputs)
        self.next(self.flaky)

    @retry(times=2)
    @step
    def flaky(self):
        self.tries = current.retry_count + 1
        print(f"try {self.tries}")
        if self.tries < 2:
            raise OSError("not yet")
        self.next(self.risky)

    @catch(var="problem")
    @step
    def risky(self):
        self.before = "kept"
        raise ValueError("too risky")
        self.next(self.end)

    @step
    def end(self):
        if os.path.exists("broken"):
            raise RuntimeError("still broken")
        self.y = self.total
        print("the end")


if __name__ == "__main__":
    StoryFlow()
