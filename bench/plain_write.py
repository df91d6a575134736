"""Seconds that one plain write of so many MB takes: `plain_write.py FOLDER MB`, without and
with fsync. What is written is an array made as the step of the flow beside it makes it."""

import os
import sys
import time

import numpy

folder, size = sys.argv[1], int(sys.argv[2]) * 1_000_000
array = numpy.random.default_rng(0).random(size // 8)
array.sum()
data = memoryview(array).cast("B")
path = os.path.join(folder, "plain")
started = time.perf_counter()
fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
at = 0
while at < size:
    at += os.write(fd, data[at:])
written = time.perf_counter()
os.fsync(fd)
print(written - started, time.perf_counter() - started)
os.close(fd)
os.unlink(path)
