"""No-op tasks, 1,000 or as many as said, and their sum on Dask distributed, two workers.

Keeps nothing.
"""

import sys

from dask.distributed import Client, LocalCluster


def work(item: int) -> int:
    return item


if __name__ == "__main__":
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        total = client.submit(sum, client.map(work, range(n), pure=False)).result()
    assert total == n * (n - 1) // 2
