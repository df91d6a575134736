"""Threads of numerical libraries follow the processors, unless the user has said otherwise."""

from __future__ import annotations

import json

import pytest

from swell.bootstrap.manifest import Manifest
from swell.bootstrap.supervisor import Prepared, child_environment
from swell.bootstrap.threads import THREAD_VARIABLES, thread_variables
from swell.model.remote import Manifest as Written
from swell.model.remote import Package, encode_manifest


def test_every_library_is_told() -> None:
    assert thread_variables(3, {"PATH": "/bin"}) == dict.fromkeys(THREAD_VARIABLES, "3")


@pytest.mark.parametrize("name", THREAD_VARIABLES)
def test_a_count_that_is_set_already_stays_alone(name: str) -> None:
    assert thread_variables(3, {name: "8"}) == {}


def manifest(threads: int | None) -> Manifest:
    package = Package("code/a.zip", "a" * 64, 1)
    written = Written(
        *("F", "1", "start", "s3://b/p", "runs/F/1", package, (), "flow.py", "3.11", "x86_64", ""),
        threads=threads,
    )
    return Manifest(encode_manifest(written))


def started_with(threads: int | None, **environ: str) -> dict[str, str]:
    prepared = Prepared("python", "/tmp/x", [])
    found = child_environment(environ, manifest(threads), prepared, "/tmp/notice")
    return {name: value for name, value in found.items() if name in THREAD_VARIABLES}


def test_the_flow_in_a_container_is_told_by_its_processors() -> None:
    assert started_with(2) == dict.fromkeys(THREAD_VARIABLES, "2")
    assert started_with(None) == {}


def test_what_the_image_sets_stays() -> None:
    assert started_with(2, OMP_NUM_THREADS="1") == {"OMP_NUM_THREADS": "1"}


def test_a_manifest_of_an_earlier_driver_says_nothing_of_threads() -> None:
    told = json.loads(manifest(2).data)
    del told["threads"]
    assert Manifest(json.dumps(told).encode()).threads is None
