"""moto's server as CloudWatch Logs of the sandbox, and as its S3 where there is no SeaweedFS."""

from __future__ import annotations

import http.client
import json
import sys
import threading
from pathlib import Path
from typing import Any

from swell.errors import ComputeError
from swell.sandbox.server_process import ServerProcess, free_ports, takes_connections

_PROGRAM = "import sys; from moto.server import main; main(sys.argv[1:])"
_TIMEOUT_S = 60.0


class MotoServer:
    """One server; it keeps everything in memory."""

    name = "moto"

    def __init__(self, folder: Path, region: str) -> None:
        self._region = region
        self._server = ServerProcess(self.name, folder / "moto.log")
        self.port = 0

    @property
    def endpoint(self) -> str:
        """Where all its services are served."""
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> None:
        """Start it without waiting; takes two to three seconds."""
        (self.port,) = free_ports(1)
        arguments = ["-H", "127.0.0.1", "-p", str(self.port)]
        self._server.launch([sys.executable, "-c", _PROGRAM, *arguments])

    def wait_until_ready(self) -> None:
        """Return when requests are answered. Raises ComputeError."""
        self._server.wait_until(lambda: takes_connections(self.port))

    def stop(self) -> None:
        """End it: nothing it holds is kept."""
        self._server.kill()

    def make_bucket(self, name: str) -> None:
        """Make a bucket, where moto is the S3."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        try:
            connection.request("PUT", f"/{name}", headers=_signed_for("s3", self._region))
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise ComputeError(f"The bucket '{name}' could not be made: status {answer.status}.")


class MotoLogs:
    """Calls CloudWatch Logs at moto; one call at a time, from any thread."""

    def __init__(self, port: int, region: str) -> None:
        self._headers = {
            **_signed_for("logs", region),
            "Content-Type": "application/x-amz-json-1.1",
        }
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._lock = threading.Lock()

    def call(self, operation: str, request: dict[str, Any]) -> bytes:
        """The answer's body. Raises ComputeError for any status but 200, with its text."""
        status, body = self.forward(
            {**self._headers, "X-Amz-Target": f"Logs_20140328.{operation}"},
            json.dumps(request).encode(),
        )
        if status != http.client.OK:
            raise ComputeError(f"{operation}: {body.decode(errors='replace')}")
        return body

    def forward(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Pass a request on as it came; status and body of the answer. Raises ComputeError."""
        with self._lock:
            for is_last in (False, True):
                try:
                    self._connection.request("POST", "/", body=body, headers=headers)
                    answer = self._connection.getresponse()
                    return answer.status, answer.read()
                except (OSError, http.client.HTTPException) as error:
                    # The server may have closed a connection that was idle.
                    self._connection.close()
                    if is_last:
                        raise ComputeError(f"moto does not answer: {error}.") from error
        raise AssertionError

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _signed_for(service: str, region: str) -> dict[str, str]:
    # moto looks at the scope of a signature, to know the service and region, and no further.
    scope = f"swell/20200101/{region}/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=, Signature="}
