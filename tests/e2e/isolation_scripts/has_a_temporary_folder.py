"""Keeps a temporary folder for the time of the run."""

import tempfile
from pathlib import Path

from swell import FlowSpec, step

folder = tempfile.TemporaryDirectory()
(Path(folder.name) / "shared.txt").write_text("from the script")


class TemporaryFolderFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        (Path(folder.name) / f"{self.input}.txt").write_text("from a task")
        self.found = (Path(folder.name) / "shared.txt").read_text()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    TemporaryFolderFlow()
