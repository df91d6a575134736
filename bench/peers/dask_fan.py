"""1,000 no-op tasks and their sum on Dask distributed, two workers; keeps nothing."""

from dask.distributed import Client, LocalCluster


def work(item: int) -> int:
    return item


if __name__ == "__main__":
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        total = client.submit(sum, client.map(work, range(1000), pure=False)).result()
    assert total == 499_500
