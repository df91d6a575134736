"""A join of thousands whose inputs lie in a bucket asks it for a few things, not for thousands."""

from __future__ import annotations

from pathlib import Path

from swell.datastore.packs import write_pack
from swell.model.job import Inputs, Opened
from swell.model.record import Items, Record
from swell.model.wire import encode
from swell.session.datastores import Datastores
from swell.session.task_store import TaskStore
from swell.settings import load_settings
from swell.task.inputs import JoinInputs
from tests.servers.proxy import Proxy
from tests.servers.seaweedfs import SeaweedFs

COUNT = 10_000


def test_one_small_artifact_of_each_of_ten_thousand_inputs_costs_few_requests(
    s3_server: SeaweedFs, s3_url: str, tmp_path: Path
) -> None:
    # given: the Records of 10,000 tasks, packed where a driver puts them for another machine
    given = TaskStore(Datastores.away(s3_url, load_settings()), "flow.py")
    records = [encode(Record(given.save({"x": number}))) for number in range(COUNT)]
    write_pack(str(tmp_path / "pack"), records)
    Datastores.away(s3_url, load_settings()).own.write(
        "runs/1/packs/join-1", [(tmp_path / "pack").read_bytes()]
    )
    inputs = Inputs(
        tuple(f"work/{number}" for number in range(COUNT)),
        pack=f"{s3_url}/runs/1/packs/join-1",
        opened=Opened("start", "items", COUNT, Items(range=(0, 1))),
    )

    # when: the join reads them through a proxy that counts
    with Proxy(s3_server.ports["s3.port"]) as proxy:
        settings = load_settings(
            {**s3_server.environ(), "SWELL_S3_ENDPOINT_URL": proxy.endpoint, "SWELL_CACHE_GB": "0"}
        )
        store = TaskStore(Datastores.away(s3_url, settings), "flow.py")
        values = JoinInputs(inputs, (), store, "JoinFlow").values("x")

    # then
    assert values == list(range(COUNT))
    assert 1 <= proxy.requests < 12
