"""The second address of the sandbox: logs for its users, metadata and credentials for its jobs."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from swell.sandbox.instance_metadata import Found, InstanceMetadata
from swell.sandbox.log_service import LogService


class Doors:
    """An HTTP server on loopback with a thread for each connection: few, and short."""

    def __init__(self, metadata: InstanceMetadata) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.metadata = metadata
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="sandbox-doors", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def serve_logs(self, logs: LogService) -> None:
        """Answer for CloudWatch Logs as well."""
        self._server.logs = logs

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    metadata: InstanceMetadata
    logs: LogService | None = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._look()

    def do_PUT(self) -> None:
        self._look()

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._body()
        if self.server.logs is None or not headers.get("x-amz-target", "").startswith("Logs_"):
            self._send(Found(404))
            return
        status, text = self.server.logs.answer(headers, body)
        self._send(Found(status, text, "application/x-amz-json-1.1"))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _look(self) -> None:
        self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.metadata.answer(self.command, self.path, headers))

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, found: Found) -> None:
        self.send_response(found.status)
        self.send_header("Content-Type", found.kind)
        self.send_header("Content-Length", str(len(found.body)))
        self.end_headers()
        self.wfile.write(found.body)
