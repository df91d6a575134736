"""A sandbox to measure in: flows and bare jobs on it, its calls and its requests counted."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import boto3

from bench.lab import HERE, Ended, Lab
from swell.sandbox.launching import ask, start, wait_until_down
from swell.sandbox.place import Running, SandboxFolder, Wanted, variables_for

BARE = HERE / "bare_job.py"
MEMORY_MB = 500
POLL_S = 0.1


class Requests(NamedTuple):
    """How often one attempt reads from the object store and writes to it."""

    gets: int
    puts: int


class SandboxLab:
    """One sandbox of ``vcpus`` job slots; use ``open_sandbox``."""

    def __init__(self, lab: Lab, running: Running) -> None:
        self._lab = lab
        self.running = running
        self.variables = variables_for(running, SandboxFolder(Path(running.folder)).credentials)
        session = boto3.Session(
            running.access_key_id, running.secret_access_key, region_name=running.region
        )
        self.batch: Any = session.client("batch", endpoint_url=running.batch_url)
        self.s3: Any = session.client("s3", endpoint_url=running.s3_url)

    def run(self, script: Path, *arguments: object, store: Path, **variables: str) -> Ended:
        """Run a flow in the sandbox, with its own settings for how often it looks."""
        command = [sys.executable, script, "--no-pylint", "run", *arguments]
        environ = {**self._lab.swell_variables(store), **self.variables, **variables}
        return self._lab.run(command, cwd=store, **environ)

    def calls(self) -> Counter[str]:
        """Calls of the Batch API so far, by operation, as the sandbox counts them."""
        return Counter(ask(self.running, "status")["calls"])

    # --- bare jobs --------------------------------------------------------------

    def define(self, name: str, *command: str) -> None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        self.batch.register_job_definition(
            jobDefinitionName=name,
            type="container",
            containerProperties={
                "image": f"python:{version}",
                "command": list(command),
                "resourceRequirements": [
                    {"type": "VCPU", "value": "1"},
                    {"type": "MEMORY", "value": str(MEMORY_MB)},
                ],
            },
        )

    def submit(self, name: str, count: int = 1, **environment: str) -> str:
        """``count`` jobs of definition ``name``, as one array."""
        variables = [{"name": key, "value": value} for key, value in environment.items()]
        array = {"arrayProperties": {"size": count}} if count > 1 else {}
        job = self.batch.submit_job(
            jobName=name, jobQueue=self.running.queue, jobDefinition=name,
            containerOverrides={"environment": variables}, **array,
        )  # fmt: skip
        return str(job["jobId"])

    def wait(self, job: str) -> None:
        """Until it has succeeded. Raises RuntimeError when it has failed."""
        while True:
            found = self.batch.describe_jobs(jobs=[job])["jobs"]
            if found and found[0]["status"] == "SUCCEEDED":
                return
            if found and found[0]["status"] == "FAILED":
                raise RuntimeError(f"bare job {job} failed: {found[0].get('statusReason')}")
            time.sleep(POLL_S)

    def bare_jobs(self, count: int, requests: Requests, loaded: dict[str, Any]) -> float:
        """Seconds that ``count`` bare jobs take from their submission to the end of the last."""
        folder = self._lab.fresh_folder()
        (folder / "modules.json").write_text(json.dumps(loaded["modules"]))
        bucket = self.running.bucket
        self.s3.put_object(Bucket=bucket, Key="bench/bare/object", Body=b"x" * 20_000)
        self.define("bare", "python3", "-I", "-S", "-c", BARE.read_text())
        work = {"folder": str(folder), **requests._asdict()}
        variables = {
            "LAYERS": loaded["path"],
            "WORK": json.dumps(work),
            "SWELL_STORE": f"s3://{bucket}/bench",
            "SWELL_S3_ENDPOINT_URL": self.running.s3_url,
            "SWELL_S3_REGION": self.running.region,
            "SWELL_S3_ADDRESSING": "path",
        }
        began = time.perf_counter()
        self.wait(self.submit("bare", count, **variables))
        return time.perf_counter() - began

    def own_start(self) -> float:
        """Seconds from the submission of a lone job to its first line of Python."""
        file = self._lab.fresh_folder() / "at"
        code = f"import time; open({str(file)!r}, 'w').write(str(time.time()))"
        self.define("first-line", "python3", "-I", "-S", "-c", code)
        began = time.time()
        self.wait(self.submit("first-line"))
        return float(file.read_text()) - began

    # --- what a task does ----------------------------------------------------------

    def loaded(self) -> dict[str, Any]:
        """The modules that a task finds loaded, and where its packages are."""
        store = self._lab.fresh_folder()
        said = self.run(
            HERE / "flows" / "loaded.py", "--with", f"batch:memory={MEMORY_MB}", store=store
        ).output
        found = re.search(r"loaded (\{.*\})", said)
        assert found is not None, said
        return dict(json.loads(found.group(1)))

    def requests_of_a_task(self, script: Path) -> Requests:
        """Counted on the way to the object store, the driver's own left out."""
        few, many = 2, 12
        found = {n: self._counted(script, n) for n in (few, many)}
        more = {kind: (found[many][kind] - found[few][kind]) / (many - few) for kind in found[many]}
        return Requests(round(more.get("GET", 0)), round(more.get("PUT", 0)))

    def _counted(self, script: Path, n: int) -> Counter[str]:
        with counting_proxy(self.running.s3_url) as (url, counts):
            self.run(
                script, "--n", n, "--with", f"batch:memory={MEMORY_MB}",
                store=self._lab.fresh_folder(), SWELL_S3_ENDPOINT_URL=url,
            )  # fmt: skip
        return counts


@contextmanager
def open_sandbox(lab: Lab, vcpus: int) -> Iterator[SandboxLab]:
    """A sandbox that ends with the block."""
    folder = lab.fresh_folder()
    wanted = Wanted(
        folder=str(folder), home=str(folder / "home"), vcpus=vcpus, ends_with_stdin=True
    )
    started = start(wanted)
    assert started.stdin is not None
    try:
        found = SandboxLab(lab, started.running)
        yield found
        found.batch.close()
        found.s3.close()
    finally:
        started.stdin.close()
        wait_until_down(SandboxFolder(folder))


@contextmanager
def counting_proxy(url: str) -> Iterator[tuple[str, Counter[str]]]:
    """Passes all on to ``url``, and counts requests of attempts by method."""
    port = int(url.rpartition(":")[2])
    counts: Counter[str] = Counter()
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.create_connection(("127.0.0.1", port))
                    for ends in ((client, server, counts), (server, client, None)):
                        threading.Thread(target=_pump, args=ends, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", counts
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


# What the driver itself reads and writes.
_OF_DRIVER = re.compile(rb"list-type=|PUT [^ ]*/submissions/|/lease/|GET [^ ]*/news/")


def _pump(source: socket.socket, target: socket.socket, counts: Counter[str] | None) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            line = data.split(b"\r\n", 1)[0]
            method = line.split(b" ", 1)[0]
            if counts is not None and method in (b"GET", b"PUT") and b"HTTP/1." in line:
                counts[method.decode()] += not _OF_DRIVER.search(line)
            target.sendall(data)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def free_environment() -> dict[str, str]:
    """Keys that a Batch on loopback takes."""
    return {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
