"""Put and get with nothing but obstore: what the server gives at most. Prints seconds as JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import obstore
from obstore.store import S3Store

PART, PARTS, OBJECTS = 16 << 20, 8, 16


def main(endpoint: str, bucket: str, prefix: str, size: int, count: int) -> None:
    store = S3Store(
        bucket,
        prefix=prefix,
        config={"endpoint": endpoint, "region": "us-east-1"},
        client_options={"allow_http": True, "timeout": "300s"},
    )
    found = {}
    large = memoryview(os.urandom(size))
    small = [large[i * 97 : i * 97 + 10_000] for i in range(count)]

    began = time.perf_counter()
    pieces = [large[at : at + PART] for at in range(0, size, PART)]
    obstore.put(store, "large", pieces, chunk_size=PART, max_concurrency=PARTS)
    found["put large"] = time.perf_counter() - began

    target = memoryview(bytearray(size))

    def part(at: int) -> None:
        data = memoryview(obstore.get_range(store, "large", start=at, end=min(at + PART, size)))
        target[at : at + len(data)] = data

    began = time.perf_counter()
    with ThreadPoolExecutor(PARTS) as threads:
        list(threads.map(part, range(0, size, PART)))
    found["get large"] = time.perf_counter() - began
    assert target == large

    with tempfile.TemporaryFile(dir=".") as file:

        def part_of_file(at: int) -> None:
            data = obstore.get_range(store, "large", start=at, end=min(at + PART, size))
            assert os.pwrite(file.fileno(), data, at) == len(data)

        began = time.perf_counter()
        with ThreadPoolExecutor(PARTS) as threads:
            list(threads.map(part_of_file, range(0, size, PART)))
        found["get large file"] = time.perf_counter() - began

    with ThreadPoolExecutor(OBJECTS) as threads:
        began = time.perf_counter()
        list(threads.map(lambda i: obstore.put(store, f"small/{i}", small[i]), range(count)))
        found["put many"] = time.perf_counter() - began
        began = time.perf_counter()
        got = list(threads.map(lambda i: obstore.get(store, f"small/{i}").bytes(), range(count)))
        found["get many"] = time.perf_counter() - began
    assert memoryview(got[-1]) == small[-1]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:6]))
