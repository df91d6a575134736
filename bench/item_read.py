"""Stores 100,000 items of 1 kB and reads one at a time: `item_read.py FOLDER` prints the
median seconds of a read and the bytes it asked the kernel for."""

import os
import statistics
import sys
import time

from swell.datastore.items import load_item, store_items
from swell.datastore.local import LocalStorage

TIMES = 200


def bytes_asked_for() -> int:
    with open("/proc/self/io") as lines:
        return int(next(lines).split()[1])


storage = LocalStorage(sys.argv[1])
stored = store_items(storage, (os.urandom(1000) for _ in range(100_000)), 10**6)
ref = stored.items.ref(77_777)
load_item(storage, ref)
before = bytes_asked_for()
empty = bytes_asked_for() - before
load_item(storage, ref)
asked = bytes_asked_for() - before - 2 * empty
seconds = []
for number in range(TIMES):
    started = time.perf_counter()
    load_item(storage, stored.items.ref(number * 499))
    seconds.append(time.perf_counter() - started)
print(statistics.median(seconds), asked)
