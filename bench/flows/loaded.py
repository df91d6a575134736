"""Tells what a task of a flow on AWS Batch has loaded, and from where."""

import json
import os
import sys

from swell import FlowSpec, step


class LoadedFlow(FlowSpec):
    @step
    def start(self):
        names = [name for name in sys.modules if name != "__main__"]
        print("loaded", json.dumps({"path": os.environ["PYTHONPATH"], "modules": names}))
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    LoadedFlow()
