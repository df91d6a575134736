"""`swell sandbox` as people use it: up, status, chaos, down, run; a flow with its profile."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swell.sandbox.place import Running, SandboxFolder
from swell.settings import load_settings

pytest.importorskip("moto")
boto3 = pytest.importorskip("boto3")

DEADLINE_S = 90.0
FLOW = """
from swell import FlowSpec, step

class KeepFlow(FlowSpec):
    @step
    def start(self):
        self.big = bytes(range(256)) * 1000
        self.next(self.end)

    @step
    def end(self):
        print("has", len(self.big))

if __name__ == "__main__":
    KeepFlow()
"""


class Terminal:
    """Types commands with a home and a sandbox folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = SandboxFolder(folder / "state")
        kept = {
            name: value for name, value in os.environ.items() if name[:4] not in ("AWS_", "SWEL")
        }
        self.environ = {
            **kept,
            "SWELL_HOME": str(folder / "home"),
            "SWELL_SANDBOX": str(folder / "state"),
            "SWELL_SANDBOX_RUNNER": "process",
        }

    def swell(self, *words: str, code: int = 0) -> str:
        return self.type(sys.executable, "-c", _SWELL, *words, code=code)

    def type(self, *words: str, code: int = 0, **variables: str) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env={**self.environ, **variables}, capture_output=True,
            text=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def running(self) -> Running:
        running = self.state.running()
        assert running is not None
        return running

    def client(self, service: str, url: str = "") -> Any:
        running = self.running
        url = url or {"batch": running.batch_url, "logs": running.logs_url}[service]
        session = boto3.Session(
            running.access_key_id, running.secret_access_key, region_name=running.region
        )
        return session.client(service, endpoint_url=url)


_SWELL = "from swell.cli.main import swell_command; swell_command()"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """With a sandbox that is up."""
    terminal = Terminal(tmp_path_factory.mktemp("sandbox"))
    terminal.swell("sandbox", "up")
    yield terminal
    if terminal.state.holder() is not None:
        terminal.swell("sandbox", "down")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Terminal]:
    """Without one."""
    terminal = Terminal(tmp_path)
    yield terminal
    if terminal.state.holder() is not None:
        terminal.swell("sandbox", "down")


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that name ``folder``, or work in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
                place = os.readlink(entry / "cwd")
            except OSError:
                continue
            if str(folder) in line or place.startswith(str(folder)):
                found.append(line)
    return found


def test_a_flow_of_the_profile_keeps_its_artifacts_in_the_sandbox(terminal):
    (terminal.folder / "flow.py").write_text(FLOW)
    stranger = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SESSION_TOKEN": "mine", "AWS_PROFILE": "none"}
    said = terminal.type(
        sys.executable,
        "flow.py",
        "--profile",
        "sandbox",
        "run",
        AWS_SECRET_ACCESS_KEY="x",
        **stranger,
    )
    assert "has 256000" in said
    assert not (terminal.folder / ".swell" / "blobs").exists()


def test_up_a_second_time_says_that_it_is_up(terminal):
    said = terminal.swell("sandbox", "up")
    assert "The sandbox is up already." in said
    assert terminal.running.batch_url in said
    assert "python flow.py --profile sandbox run --with batch" in said


def test_a_runner_that_does_not_exist_or_is_not_the_one_that_runs_is_refused(terminal):
    said = terminal.swell("sandbox", "up", "--runner", "lxc", code=2)
    assert "'lxc' is nothing that runs" in said
    assert "auto, process, podman, docker" in said
    said = terminal.swell("sandbox", "up", "--runner", "podman", code=1)
    assert "its runner is process, not podman" in said
    assert "swell sandbox down" in said


def test_an_engine_that_was_asked_for_and_does_not_work_is_told_and_nothing_is_left(fresh):
    # A program of the name that is no engine.
    (fresh.folder / "bin").mkdir()
    (fresh.folder / "bin" / "docker").symlink_to("/bin/false")
    path = f"{fresh.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = (sys.executable, "-c", _SWELL, "sandbox", "up", "--runner", "docker")
    said = fresh.type(*command, code=1, PATH=path)
    assert "Jobs cannot run in containers of docker: its program does not run." in said
    assert "--runner process" in said
    assert processes_of(fresh.state.path) == []


def test_a_job_runs_its_log_is_read_and_the_status_counts_it(terminal):
    batch, logs = terminal.client("batch"), terminal.client("logs")
    batch.register_job_definition(
        jobDefinitionName="say",
        type="container",
        containerProperties={
            "image": f"python:{sys.version_info.major}.{sys.version_info.minor}",
            "command": ["python", "-c", "print('said by a job')"],
            "resourceRequirements": [
                {"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}
            ],
        },
    )  # fmt: skip
    job = batch.submit_job(jobName="say", jobQueue="swell", jobDefinition="say")["jobId"]

    def ended() -> list[Any]:
        found = batch.describe_jobs(jobs=[job])["jobs"]
        return [one for one in found if one["status"] in ("SUCCEEDED", "FAILED")]

    until(lambda: bool(ended()))
    (described,) = ended()
    assert described["status"] == "SUCCEEDED"
    events = logs.get_log_events(
        logGroupName="/aws/batch/job", logStreamName=described["container"]["logStreamName"]
    )
    assert [event["message"] for event in events["events"]] == ["said by a job"]
    assert "1 succeeded" in terminal.swell("sandbox", "status")
    batch.close()
    logs.close()


def test_faults_hold_until_they_are_taken_off(terminal):
    assert "spot=0.1 seed=7" in terminal.swell("sandbox", "chaos", "spot=0.1", "seed=7")
    assert "spot=0.1 seed=7" in terminal.swell("sandbox", "status")
    assert "a share between 0 and 1" in terminal.swell("sandbox", "chaos", "spot=3", code=2)
    assert "Faults now: none." in terminal.swell("sandbox", "chaos", "off")


def test_down_leaves_no_process_and_no_profile_and_up_finds_the_data_again(fresh):
    (fresh.folder / "flow.py").write_text(FLOW)
    fresh.swell("sandbox", "up")
    fresh.type(sys.executable, "flow.py", "--profile", "sandbox", "run")
    assert "nothing of it runs" in fresh.swell("sandbox", "down")
    assert processes_of(fresh.state.path) == []
    assert not (fresh.folder / "home" / "sandbox.toml").exists()
    said = fresh.type(sys.executable, "flow.py", "--profile", "sandbox", "run", code=2)
    assert "Start it: swell sandbox up." in said
    fresh.swell("sandbox", "up", "--vcpus", "64")
    said = fresh.type(sys.executable, "flow.py", "--profile", "sandbox", "dump", "1/start")
    assert "0 of 64 vCPUs" in fresh.swell("sandbox", "status")
    fresh.swell("sandbox", "down")
    assert "256.0 kB" in said


@pytest.mark.parametrize("victim", ["parent", "child"])
def test_nothing_of_it_outlives_a_sandbox_that_was_killed(fresh, victim):
    fresh.swell("sandbox", "up")
    pid = fresh.running.pid
    if victim == "child":
        (pid,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    os.kill(pid, signal.SIGKILL)
    until(lambda: fresh.state.holder() is None)
    assert processes_of(fresh.state.path) == []
    assert not (fresh.folder / "home" / "sandbox.toml").exists()


def test_after_both_its_processes_were_killed_at_once_up_finds_the_data_and_nothing_left(fresh):
    fresh.swell("sandbox", "up")
    batch, s3 = fresh.client("batch"), fresh.client("s3", fresh.running.s3_url)
    s3.put_object(Bucket="swell", Key="k", Body=b"kept")
    definition = batch.register_job_definition(
        jobDefinitionName="waits",
        type="container",
        containerProperties={
            "image": "python:3.11",
            "command": ["sh", "-c", "sleep 1000 & sleep 1000"],
            "resourceRequirements": [
                {"type": "VCPU", "value": "1"},
                {"type": "MEMORY", "value": "100"},
            ],
        },
    )["jobDefinitionArn"]
    batch.submit_job(jobName="waits", jobQueue="swell", jobDefinition=definition)
    until(lambda: sleepers(fresh.state.path) == 2)
    pid = fresh.running.pid
    (child,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    os.kill(pid, signal.SIGSTOP)  # else it takes down what its child leaves
    os.kill(child, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    until(lambda: fresh.state.holder() is None)
    until(
        lambda: not any("moto" in line or "weed" in line for line in processes_of(fresh.state.path))
    )
    fresh.swell("sandbox", "up")

    assert sleepers(fresh.state.path) == 0
    again = fresh.client("s3", fresh.running.s3_url)
    if fresh.running.s3_by == "SeaweedFS":
        assert again.get_object(Bucket="swell", Key="k")["Body"].read() == b"kept"
    fresh.swell("sandbox", "down")
    assert processes_of(fresh.state.path) == []


def sleepers(folder: Path) -> int:
    """Processes of the job: each of its two sleeps."""
    return sum(line.startswith("sleep\0") for line in processes_of(folder))


def test_run_gives_its_command_a_sandbox_and_passes_its_exit_code_on(fresh):
    code = (
        "import os, sys, boto3; from swell.settings import load_settings\n"
        "boto3.client('s3').put_object(Bucket='swell', Key='k', Body=b'1')\n"
        "print('queue', load_settings().batch_queue)\n"
        "print('queues', len(boto3.client('batch').describe_job_queues()['jobQueues']))\n"
        "sys.exit(5)"
    )
    said = fresh.swell("sandbox", "run", sys.executable, "-c", code, code=5)
    assert "queue swell" in said
    assert "queues 4" in said
    assert not (fresh.folder / "home").exists()
    assert fresh.state.holder() is None


@pytest.mark.parametrize("command", ["down", "status", "chaos"])
def test_without_a_sandbox_the_remedy_is_named(fresh, command):
    said = fresh.swell("sandbox", command, code=1)
    assert "No sandbox is up." in said
    assert "swell sandbox up" in said


def test_a_port_that_is_taken_is_told_and_nothing_is_left(fresh):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = fresh.swell("sandbox", "up", "--port", str(port), code=1)
    assert f"Port {port} cannot be had" in said
    assert processes_of(fresh.state.path) == []
    assert fresh.state.holder() is None


def test_a_profile_of_the_user_s_own_is_never_overwritten(fresh):
    own = fresh.folder / "home" / "sandbox.toml"
    own.parent.mkdir()
    own.write_text('user = "ada"\n')
    assert "a profile of your own" in fresh.swell("sandbox", "up", code=1)
    assert own.read_text() == 'user = "ada"\n'


def test_without_the_extra_the_command_to_install_it_is_named(fresh):
    hidden = f"import sys; sys.modules['moto'] = None; {_SWELL}"
    said = fresh.type(sys.executable, "-c", hidden, "sandbox", "up", code=2)
    assert "not installed: moto" in said
    assert "pip install 'swell[sandbox]'" in said


def test_the_profile_holds_settings_only_and_keys_that_nobody_else_may_read(terminal):
    settings = load_settings({"SWELL_HOME": terminal.running.home, "SWELL_PROFILE": "sandbox"})
    assert settings.datastore == "s3://swell/sandbox"
    assert settings.batch_endpoint_url == terminal.running.batch_url
    assert settings.aws_credentials_file is not None
    assert os.stat(settings.aws_credentials_file).st_mode & 0o077 == 0
