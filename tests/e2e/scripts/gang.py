"""Two tasks that run together, and a step that asks the client about its own run."""

import os

from swell import Flow, FlowSpec, current, get_metadata, get_namespace, parallel, step


class GangFlow(FlowSpec):
    @step
    def start(self):
        self.seen = {
            "run": current.run.pathspec,
            "task": current.task.pathspec,
            "running": current.task.finished_at is None,
            "namespace": get_namespace(),
            "metadata": get_metadata(),
            "latest": Flow("GangFlow").latest_run.pathspec,
            "types": {name: node["type"] for name, node in current.graph["steps"].items()},
        }
        self.next(self.train, num_parallel=2)

    @parallel
    @step
    def train(self):
        self.node = current.parallel.node_index
        names = [name for name in os.environ if name.startswith("MF_PARALLEL_")]
        self.variables = {name: os.environ[name] for name in ("SWELL_RUN_ID", *names)}
        self.next(self.join)

    @step
    def join(self, inputs):
        self.seen = inputs[0].seen
        self.variables = [one.variables for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    GangFlow()
