"""Talks to a server over a kept connection before the flow starts."""

import os

import requests

from swell import FlowSpec, step

address = os.environ["ISOLATION_TEST_SERVER"]
session = requests.Session()
session.trust_env = False
first = session.get(address, timeout=10).text


class RequestsFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        self.found = [session.get(f"{address}/{self.input}", timeout=10).text for _ in range(20)]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    RequestsFlow()
