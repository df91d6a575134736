"""No-op tasks, 1,000 or as many as said, and their sum on Parsl's HTEX, two workers.

Keeps nothing.
"""

import sys

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider


@parsl.python_app
def work(item: int) -> int:
    return item


if __name__ == "__main__":
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    config = Config(
        run_dir=sys.argv[1],
        executors=[
            HighThroughputExecutor(
                label="two",
                max_workers_per_node=2,
                address="127.0.0.1",
                encrypted=False,
                provider=LocalProvider(init_blocks=1, max_blocks=1),
            )
        ],
    )
    with parsl.load(config):
        total = sum(future.result() for future in [work(item) for item in range(n)])
    assert total == n * (n - 1) // 2
