"""Two tasks that run together, and a step that asks the client about its own run."""

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
        }
        self.next(self.train, num_parallel=2)

    @parallel
    @step
    def train(self):
        self.node = current.parallel.node_index
        self.next(self.join)

    @step
    def join(self, inputs):
        self.seen = inputs[0].seen
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    GangFlow()
