"""What the machine needs to map and sum the same file in many forks, two at a time, beyond the
forks: `sum_loop.py FOLDER COUNT MB` prints seconds, the median of 3."""

import mmap
import os
import statistics
import sys
import time

import numpy

path, count, size = f"{sys.argv[1]}/data", int(sys.argv[2]), int(sys.argv[3]) * 1_000_000


def loop(work):
    started = time.perf_counter()
    live = 0
    for _ in range(count):
        if live == 2:
            os.wait()
            live -= 1
        if os.fork() == 0:
            work()
            os._exit(0)
        live += 1
    while live:
        os.wait()
        live -= 1
    return time.perf_counter() - started


def sum_all():
    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE)
    numpy.frombuffer(mapped).sum()


with open(path, "wb") as file:
    file.write(memoryview(numpy.random.default_rng(0).random(size // 8)))
beyond = [loop(sum_all) - loop(lambda: None) for _ in range(3)]
print(statistics.median(beyond))
