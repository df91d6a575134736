"""Clusters with scikit-learn, in OpenMP threads, before the flow starts."""

import numpy
from sklearn.cluster import KMeans

from swell import FlowSpec, step

points = numpy.random.default_rng(1).random((5000, 5))
first = KMeans(4, n_init=1, random_state=0).fit(points).inertia_


class ScikitLearnFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        again = KMeans(4, n_init=1, random_state=0).fit(points).inertia_
        self.found = round(abs(again - first), 6)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    ScikitLearnFlow()
