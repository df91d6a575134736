"""What a bare job on AWS Batch does: imports what a task finds loaded, reads and writes as often.

Sent as text; `LAYERS` is where the packages are, `WORK` says the rest as JSON.
"""

import importlib
import json
import os
import sys

sys.path[:0] = os.environ["LAYERS"].split(os.pathsep)
work = json.loads(os.environ["WORK"])

from swell.bootstrap.store import Store  # noqa: E402

with open(os.path.join(work["folder"], "modules.json")) as file:
    modules = json.load(file)
for name in modules:
    try:
        importlib.import_module(name)
    except Exception as error:
        print("not here:", name, error)
store = Store(os.environ["SWELL_STORE"], os.environ)
for _ in range(work["gets"]):
    store.read("bare/object")
me = os.environ["AWS_BATCH_JOB_ID"].replace(":", "-")
for number in range(work["puts"]):
    key = f"bare/{me}/{number}"
    store.write(lambda key=key: key, b"x" * 1000)
