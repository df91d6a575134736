"""Steps on AWS Batch that say how long they took to begin, seen from where they were ready."""

import os
import time

from swell import FlowSpec, batch, step


def first_process_began_at():
    """When the container's first process began, the parent of the flow's own: Unix seconds.

    The kernel counts in ticks of 10 ms since boot.
    """
    with open(f"/proc/{os.getppid()}/stat") as stat:
        ticks = int(stat.read().rpartition(")")[2].split()[19])
    return since_boot(ticks)


def own_process_began_at():
    with open("/proc/self/stat") as stat:
        return since_boot(int(stat.read().rpartition(")")[2].split()[19]))


def since_boot(ticks):
    up_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - up_s + ticks / os.sysconf("SC_CLK_TCK")


class AwayFlow(FlowSpec):
    @step
    def start(self):
        self.ready_at = time.time()
        self.next(self.first)

    @batch(memory=500)
    @step
    def first(self):
        self.first_at = time.time()
        self.next(self.between)

    @step
    def between(self):
        self.first_s = self.first_at - self.ready_at
        self.ready_at = time.time()
        self.next(self.second)

    @batch(memory=500)
    @step
    def second(self):
        self.second_at = time.time()
        self.container_at = first_process_began_at()
        self.flow_at = own_process_began_at()
        self.next(self.end)

    @step
    def end(self):
        print("first", self.first_s)
        print("second", self.second_at - self.ready_at)
        print("bootstrap", self.flow_at - self.container_at)
        print("container", self.second_at - self.container_at)


if __name__ == "__main__":
    AwayFlow()
