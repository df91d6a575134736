"""Reads one small artifact of each of 10,000 inputs of a join: `join_read.py FOLDER` prints
the seconds of `inputs.values("x")` and of a loop over `inputs`, medians of 5."""

import os
import statistics
import sys
import time

from swell.datastore.packs import write_pack
from swell.model.job import Inputs, Opened
from swell.model.record import Items, Record
from swell.model.wire import encode
from swell.session.datastores import Datastores
from swell.session.task_store import TaskStore
from swell.settings import Settings
from swell.task.inputs import JoinInputs

COUNT, TIMES = 10_000, 5

folder = sys.argv[1]
store = TaskStore(Datastores(folder, None, Settings(), None), "flow.py")
records = [
    encode(Record(store.save({"x": number, "name": f"task {number}", "scores": [1.0, 2.0]})))
    for number in range(COUNT)
]
pack = os.path.join(folder, "pack")
write_pack(pack, records)
given = Inputs(
    tuple(f"work/{number}" for number in range(COUNT)),
    pack=pack,
    opened=Opened("start", "items", COUNT, Items(range=(0, 1))),
)


def seconds_of(read):
    found = []
    for _ in range(TIMES):
        inputs = JoinInputs(given, (), store, "JoinFlow")
        started = time.perf_counter()
        assert read(inputs) == list(range(COUNT))
        found.append(time.perf_counter() - started)
    return statistics.median(found)


print(
    seconds_of(lambda inputs: inputs.values("x")),
    seconds_of(lambda inputs: [one.x for one in inputs]),
)
