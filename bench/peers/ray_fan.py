"""No-op tasks, 1,000 or as many as said, and their sum on Ray, two workers; keeps nothing."""

import sys

import ray


@ray.remote
def work(item: int) -> int:
    return item


if __name__ == "__main__":
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    total = sum(ray.get([work.remote(item) for item in range(n)]))
    ray.shutdown()
    assert total == n * (n - 1) // 2
