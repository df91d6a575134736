"""1,000 no-op tasks and their sum on Ray, two workers; keeps nothing."""

import ray


@ray.remote
def work(item: int) -> int:
    return item


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    total = sum(ray.get([work.remote(item) for item in range(1000)]))
    ray.shutdown()
    assert total == 499_500
