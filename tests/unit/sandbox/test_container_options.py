"""What a job asks for stands in the options of its container."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from swell.sandbox.container_options import common_options, job_command, job_options
from swell.sandbox.engine import Engine, plain
from swell.sandbox.jobs import JobSpec, Mount, Tmpfs

DOCKER = Engine("docker", ("docker",))
HOST = Path("/sandbox/host")


def spec(**more: Any) -> JobSpec:
    given = {"image": "python:3.11", "command": ("python", "-V"), "environment": {}, "vcpus": 1}
    return JobSpec(job_id="j", attempt=1, memory_mib=512, **{**given, **more})


def options(**more: Any) -> list[str]:
    return job_options(DOCKER, spec(**more), {}, HOST, ())


def test_memory_is_limited_and_swap_is_no_way_around_it():
    assert options()[:2] == ["--memory=512m", "--memory-swap=512m"]


def test_vcpus_are_a_share_of_an_instance_and_a_limit_on_fargate(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert options(vcpus=2)[2:] == ["--cpu-shares=2048"]
    assert options(vcpus=0.5, cpu_limit=0.5)[2:] == ["--cpu-shares=512", "--cpus=0.5"]


def test_what_an_engine_would_refuse_is_not_asked_of_it(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert options(vcpus=4, cpu_limit=4)[2:] == ["--cpu-shares=4096"]
    rootless = Engine("podman", ("podman",), limits_cpu=False)
    assert not [one for one in job_options(rootless, spec(), {}, HOST, ()) if "cpu" in one]


def test_folders_of_the_instance_are_those_of_the_sandbox_never_of_this_machine():
    mounts = (Mount("/var/data", "/data"), Mount("/etc", "/conf", read_only=True))
    assert options(mounts=mounts)[3:] == [
        "--volume=/sandbox/host/var/data:/data", "--volume=/sandbox/host/etc:/conf:ro"
    ]  # fmt: skip


def test_what_else_a_job_may_ask_for():
    more = options(
        tmpfs=(Tmpfs("/fast", 64),), shared_memory_mib=128, user="1000", has_init=True
    )  # fmt: skip
    assert more[3:] == ["--tmpfs=/fast:size=64m", "--shm-size=128m", "--user=1000", "--init"]


def test_variables_and_files_that_all_see():
    found = job_options(DOCKER, spec(), {"A": "x=y z"}, HOST, [Path("/sandbox/token")])
    assert found[0] == "--env=A=x=y z"
    assert found[-1] == "--volume=/sandbox/token:/sandbox/token:ro"


def test_an_engine_without_an_init_runs_the_command_below_a_shell_that_passes_signals_on():
    bare = Engine("docker", ("docker",), has_init=False)
    assert job_command(bare, spec()) == ["python", "-V"]
    command = job_command(bare, spec(has_init=True))
    assert command[:2] == ["/bin/sh", "-c"]
    assert command[-2:] == ["python", "-V"]
    assert "--init" not in job_options(bare, spec(has_init=True), {}, HOST, ())


def test_no_image_is_fetched_and_no_proxy_of_the_user_s_gets_in():
    podman = common_options(Engine("podman", ("podman",)), "n", "a=b")
    assert {"--pull=never", "--http-proxy=false", "--name=n", "--label=a=b"} <= set(podman)
    assert "--http-proxy=false" not in common_options(DOCKER, "n", "a=b")


def test_what_an_engine_says_is_told_without_its_own_name():
    said = "Error: runc: exec failed:\n  no such file\n"
    assert plain(said) == "runc: exec failed: no such file"
    assert plain("docker: Error response from daemon: gone.") == "gone."
