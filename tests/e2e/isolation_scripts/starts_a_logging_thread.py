"""Logs through a queue and its listener thread from the start."""

import logging
import logging.handlers
import queue
import sys

from swell import FlowSpec, step

lines: queue.Queue = queue.Queue()
listener = logging.handlers.QueueListener(lines, logging.StreamHandler(sys.stdout))
listener.start()
log = logging.getLogger("flow")
log.setLevel(logging.INFO)
log.addHandler(logging.handlers.QueueHandler(lines))


class LoggingThreadFlow(FlowSpec):
    @step
    def start(self):
        self.parts = [1, 2]
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        log.info("part %s", self.input)
        listener.stop()
        self.found = lines.qsize()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = [task.found for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    LoggingThreadFlow()
