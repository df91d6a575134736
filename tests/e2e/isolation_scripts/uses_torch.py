"""Multiplies with PyTorch on the CPU, in parallel, before the flow starts."""

import torch

from swell import FlowSpec, step

torch.manual_seed(1)
matrix = torch.rand(1000, 1000)
total = float((matrix @ matrix).sum())
state = torch.get_rng_state()
following = float(torch.rand(1))
torch.set_rng_state(state)


class TorchFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        again = float((matrix @ matrix).sum())
        self.found = [abs(again - total) < 1, float(torch.rand(1)) == following]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    TorchFlow()
