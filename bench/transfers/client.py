"""Put and get with the S3 client of swell or Metaflow. Prints seconds as JSON."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path


def main(system: str, root: str, folder: str, size: int, count: int) -> None:
    client = importlib.import_module(system).S3
    found = {}
    large = os.urandom(size)
    small = [(f"small/{i}", large[i * 97 : i * 97 + 10_000]) for i in range(count)]
    with client(s3root=root, tmproot=folder) as s3:
        began = time.perf_counter()
        s3.put("large", large)
        found["put large"] = time.perf_counter() - began
        began = time.perf_counter()
        path = s3.get("large").path
        found["get large"] = time.perf_counter() - began
        assert Path(path).read_bytes() == large
        began = time.perf_counter()
        s3.put_many(small)
        found["put many"] = time.perf_counter() - began
        began = time.perf_counter()
        got = s3.get_many([key for key, _ in small])
        found["get many"] = time.perf_counter() - began
        assert got[-1].blob == small[-1][1]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:6]))
