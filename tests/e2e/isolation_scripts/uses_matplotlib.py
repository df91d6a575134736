"""Draws a picture with Matplotlib before the flow starts."""

import io

import matplotlib

from swell import FlowSpec, step

matplotlib.use("agg")

import matplotlib.pyplot as plt


def draw(title: str) -> bytes:
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3])
    axes.set_title(title)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    plt.close(figure)
    return picture.getvalue()


first = draw("the same")


class MatplotlibFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        self.found = draw("the same") == first
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    MatplotlibFlow()
