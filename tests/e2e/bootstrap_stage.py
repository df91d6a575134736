"""A submission in a store and its attempts as processes, without a driver and without an engine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from swell.bootstrap.loading import bootstrap_zip, loader_program
from swell.bootstrap.log_feed import NOTICE
from swell.bootstrap.store import Store
from tests.servers.seaweedfs import SeaweedFs

LIMIT_S = 60.0
ROOT = "runs/Hello/7"
NAME = "swell-hello-7"
STREAMS = ("system", "stdout", "stderr")
OWN_PYTHON = "{}.{}".format(*sys.version_info[:2])
# Of the base interpreter: an image has no virtual environment of ours.
PYTHON = os.path.realpath(sys.executable)


def zipped(files: Mapping[str, str | bytes], modes: Mapping[str, int] | None = None) -> bytes:
    """A zip file of ``files``; ``modes`` are their st_mode where they matter."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (modes or {}).get(name, 0o100644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def pack(members: list[tuple[int, bytes]], shared: list[bytes]) -> bytes:
    """The object of a submission."""
    parts = [struct.pack("<I", number) + launch for number, launch in members] + shared
    offsets = list(accumulate(map(len, parts), initial=20 + 8 * (len(parts) + 1)))
    head = struct.pack("<8sIII", b"swellsub", 1, len(members), len(shared))
    return head + struct.pack(f"<{len(offsets)}Q", *offsets) + b"".join(parts)


@dataclass(frozen=True)
class News:
    """One object that an attempt wrote for the driver."""

    stamp: int
    kind: str
    index: int
    attempt: int
    number: int
    body: bytes

    @property
    def told(self) -> dict[str, object]:
        told: dict[str, object] = json.loads(self.body.partition(b"\n")[0])
        return told

    @property
    def result(self) -> bytes:
        return self.body.partition(b"\n")[2]


@dataclass
class Stage:
    """A store with one submission of ``members`` of a flow whose script is ``script``."""

    server: SeaweedFs
    folder: Path
    url: str = field(default_factory=lambda: f"s3://data/{uuid.uuid4().hex[:12]}")
    members: int = 1
    changes: dict[str, object] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    layers: list[dict[str, object]] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @cached_property
    def store(self) -> Store:
        return Store(self.url, self.server.environ())

    def put(self, key: str, body: bytes) -> None:
        assert self.store.write(lambda: key, body)

    def add_layer(self, files: Mapping[str, str | bytes]) -> None:
        self.layers.append(self._package("layers", zipped(files)))

    def prepare(self, script: str) -> None:
        """Put everything in the store that a driver puts there."""
        archive, digest = bootstrap_zip()
        self.put(f"bootstrap/{digest}.zip", archive)
        manifest = {
            "format": 1, "flow": "Hello", "run": "7", "step": "work", "store": self.url,
            "root": ROOT, "code": self._package("code", zipped({"flow.py": script})),
            "layers": self.layers, "script": "flow.py", "arguments": ["run"],
            "python": OWN_PYTHON, "machine": os.uname().machine, "executable": None,
            "environment": {"SWELL_USER": "ada"}, "context": base64.b64encode(b"c").decode(),
            "timeout_s": None, "lease_s": None, "log_segment_s": 0.2, "max_log_bytes": 1_000_000,
            **self.changes,
        }  # fmt: skip
        text = json.dumps(manifest).encode()
        manifest_digest = hashlib.sha256(text).hexdigest()
        self.put(f"{ROOT}/manifests/{manifest_digest}.json", text)
        launches = [(0, f"launch {number}".encode()) for number in range(self.members)]
        self.put(f"{ROOT}/submissions/{NAME}", pack(launches, [b"inputs"]))
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        self.environ = {
            **self.server.environ(),
            "PATH": os.environ["PATH"],
            "TMPDIR": str(temporary),
            "SWELL_STORE": self.url,
            "SWELL_BOOTSTRAP": f"bootstrap/{digest}.zip#{digest}",
            "SWELL_MANIFEST": f"{ROOT}/manifests/{manifest_digest}.json#{manifest_digest}",
            "SWELL_SUBMISSION": f"{ROOT}/submissions/{NAME}",
            "AWS_BATCH_JOB_ID": "job-1",
            "AWS_BATCH_JOB_ATTEMPT": "1",
            "AWS_BATCH_CE_NAME": "ce",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def begin(self, **environ: str) -> subprocess.Popen[bytes]:
        """Start an attempt as an engine does: the loader, and an environment."""
        process = subprocess.Popen(
            [PYTHON, "-u", "-c", loader_program()],
            env={**self.environ, **environ},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def run(self, **environ: str) -> subprocess.CompletedProcess[bytes]:
        """Start an attempt and wait for its end."""
        return ended(self.begin(**environ))

    def news(self, kind: str | None = None) -> list[News]:
        """What was written for the driver, in the order of the keys."""
        found = []
        store = self.store
        for entry in store.listing(f"{ROOT}/news/"):
            stamp, its_kind, _, index, attempt, number = entry.key.split("/")[-6:]
            if kind in (None, its_kind):
                found.append(
                    News(int(stamp), its_kind, int(index), int(attempt), int(number),
                         store.read(entry.key))
                )  # fmt: skip
        return found

    def end(self) -> News:
        """The one end that was told."""
        (end,) = self.news("end")
        return end

    def frames(self) -> list[tuple[str, bytes, bool]]:
        """All pieces of output, in order: stream, bytes, whether it is a notice."""
        found = []
        for news in sorted(self.news("log"), key=lambda one: one.number):
            at = 0
            while at < len(news.body):
                stream, _, length = struct.unpack_from("<BdI", news.body, at)
                data = news.body[at + 13 : at + 13 + length]
                found.append((STREAMS[stream & ~NOTICE], data, bool(stream & NOTICE)))
                at += 13 + length
        return found

    def text(self, stream: str) -> str:
        return b"".join(data for name, data, _ in self.frames() if name == stream).decode()

    def close(self) -> None:
        """End what still runs."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=LIMIT_S)
        self.store.close()

    def _package(self, kind: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        self.put(f"{kind}/{digest}.zip", data)
        return {"key": f"{kind}/{digest}.zip", "sha256": digest, "size": len(data)}


def ended(process: subprocess.Popen[bytes]) -> subprocess.CompletedProcess[bytes]:
    out, err = process.communicate(timeout=LIMIT_S)
    return subprocess.CompletedProcess([], process.returncode, out, err)


def until(condition: Callable[[], object], process: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for what other processes do."""
    give_up = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < give_up
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)
