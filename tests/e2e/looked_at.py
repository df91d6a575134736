"""A store of a few runs that many looking commands are tried on."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.terminal import Done, python, run

SCRIPT = '''
import sys
from swell import FlowSpec, Parameter, card, catch, resources, retry, step
from swell.cards import Markdown


class SumFlow(FlowSpec):
    """Sums squares."""

    n = Parameter("n", default=3, help="how many", type=int)
    fail = Parameter("fail", default=False, type=bool)

    @card
    @card(id="second")
    @step
    def start(self):
        """Makes the list."""
        self.xs = list(range(self.n))
        self.large = b"x" * 100_000
        self._secret = 1
        print("made the list")
        print("a warning", file=sys.stderr)
        self.next(self.square, foreach="xs")

    @retry(times=1)
    @resources(memory=500)
    @step
    def square(self):
        print("\\r  0 %\\r 50 %\\r100 %")
        if self.fail and self.input == 1:
            raise ValueError("no ones here")
        self.result = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.result for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SumFlow()
'''

SWELL = Path(sys.executable).with_name("swell")


def make_runs(folder: Path) -> Path:
    """Run 1 went well; run 2 failed; run 3 resumed run 2, and failed again."""
    script = folder / "sums.py"
    script.write_text(SCRIPT)
    run(script, "run", "--tag", "good", store=folder)
    assert python(script, "run", "--fail", "true", store=folder).code == 1
    assert python(script, "resume", store=folder).code == 1
    return folder


def look(store: Path, *arguments: str, **variables: str) -> Done:
    """The command line of the script whose runs are in ``store``."""
    return python(store / "sums.py", *arguments, store=store, **variables)


def swell(store: Path, *arguments: str) -> Done:
    """The command `swell` in ``store``."""
    return python(SWELL, *arguments, store=store)
