"""`swell new`: a starter script that runs as it is."""

from __future__ import annotations

import os
import re
import shlex

import click

from swell.cli.looking import looking_of
from swell.errors import CommandException, UsageError

_DEFAULT = "hello"

STARTER = '''\
"""{flow}: squares some numbers at once, then adds them up."""

from swell import FlowSpec, Parameter, step


class {flow}(FlowSpec):
    """Squares the numbers from 1 to n, one task each, and adds them up."""

    n = Parameter("n", default=5, help="how many numbers")

    @step
    def start(self):
        """Begin here. What is put on self is kept, and the next steps have it."""
        self.numbers = list(range(1, self.n + 1))
        self.next(self.square, foreach="numbers")

    @step
    def square(self):
        """One task for each number: each runs in a process of its own."""
        self.result = self.input**2
        print(f"{{self.input}} squared is {{self.result}}")
        self.next(self.add)

    @step
    def add(self, inputs):
        """All results come together here."""
        self.total = sum(task.result for task in inputs)
        self.next(self.end)

    @step
    def end(self):
        """The last step."""
        print(f"The sum of {{self.n}} squares is {{self.total}}.")


if __name__ == "__main__":
    {flow}()
'''


def new_command(ctx: click.Context) -> click.Command:
    """``swell new [NAME]``."""
    del ctx
    return click.Command(
        "new",
        params=[click.Argument(["name"], required=False)],
        callback=_new,
        help="Write a starter script that runs as it is (NAME: 'train' makes train.py).",
    )


def names_of(text: str) -> tuple[str, str]:
    """The path of the script and the name of its flow: 'a/my-sum' → a/my-sum.py, MySumFlow.

    Raises UsageError for a name no flow can be called by.
    """
    folder, name = os.path.split(text)
    stem = name.removesuffix(".py")
    words = re.findall(r"[A-Za-z0-9]+", stem)
    flow = "".join(word[0].upper() + word[1:] for word in words)
    if not flow or not flow[0].isalpha() or not stem.isascii():
        raise UsageError(
            f"A flow cannot be named after '{text}'.",
            remedy="Choose letters, digits and '_', a letter first, such as 'swell new train'.",
        )
    if not flow.endswith("Flow"):
        flow += "Flow"
    return os.path.join(folder, f"{stem}.py"), flow


@click.pass_context
def _new(ctx: click.Context, /, name: str | None) -> None:
    looking = looking_of(ctx)
    path, flow = names_of(name or _DEFAULT)
    folder = os.path.dirname(path)
    try:
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(STARTER.format(flow=flow))
    except FileExistsError as error:
        raise CommandException(
            f"{path} is there already, and stays as it is.",
            remedy="Choose another name: 'swell new NAME'.",
        ) from error
    except OSError as error:
        raise CommandException(
            f"{path} cannot be written: {error.strerror}.", remedy="Choose a folder that can be."
        ) from error
    looking.say(f"{path} holds {flow}, which runs as it is:\n")
    script = f"python {shlex.quote(path)}"
    commands = [
        (f"{script} run", "run it"),
        (f"{script} run --n 20", "with another value of its parameter"),
        (f"{script} show", "its steps"),
        ("swell show", "the run, when it is over"),
    ]
    width = max(len(command) for command, _ in commands)
    looking.print(f"{command:<{width}}    {what}" for command, what in commands)
