"""Runs a program before the flow starts, and others in its tasks."""

import subprocess
import sys

from swell import FlowSpec, step

version = subprocess.run([sys.executable, "--version"], capture_output=True, text=True).stdout


class SubprocessFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        program = [sys.executable, "--version"]
        self.found = subprocess.run(program, capture_output=True, text=True).stdout == version
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    SubprocessFlow()
