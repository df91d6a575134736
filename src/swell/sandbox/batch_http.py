"""The Batch API over HTTP/1.1 on loopback, each call checked against AWS's description of it."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import msgspec

from swell.sandbox.batch.api_model import ApiModel
from swell.sandbox.batch.chaos import ChaosRequest
from swell.sandbox.batch.default_resources import ResourceCall
from swell.sandbox.batch.refusal import SERVER, Refused
from swell.sandbox.deciding import Decider

_LOOPBACK = "127.0.0.1"
_CHAOS, _STATUS, _RESOURCES = "/_sandbox/chaos", "/_sandbox/status", "/_sandbox/resources"
_SIGNED = "AWS4-HMAC-SHA256 "
_LONGEST_BODY = 1 << 20
_POLL_S = 0.05
"""How often the listening thread looks whether it should stop."""


class BatchServer:
    """Serves ``decider``, which is opened and closed by whoever made it."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._http: _Http | None = None

    def open(self, port: int = 0) -> str:
        """Listen on ``port`` of loopback, 0: a free one; the endpoint's URL."""
        self._http = _Http((_LOOPBACK, port), self._decider, ApiModel())
        # Accepts connections; each has a thread of its own, as clients keep them open.
        threading.Thread(target=self._http.serve_forever, args=(_POLL_S,), daemon=True).start()
        return f"http://{_LOOPBACK}:{self._http.server_port}"

    def close(self) -> None:
        """Stop listening and hang up."""
        if self._http is not None:
            self._http.shutdown()
            self._http.hang_up()
            self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], decider: Decider, model: ApiModel) -> None:
        self.decider = decider
        self.model = model
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the other side was first

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle of its call is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Answers are small and must not wait for the acknowledgement of the ones before.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Http

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LONGEST_BODY:
            self.close_connection = True
            self._refuse(Refused("The request is larger than 1 MiB.", status=413))
            return
        body = self.rfile.read(length)
        try:
            if self.path.startswith("/_sandbox/"):
                self._send(200, self._of_the_sandbox(body))
                return
            if self.server.decider.is_down():
                # No answer at all, as from a network that is gone.
                self.close_connection = True
                return
            self._check_signature()
            operation, request = self.server.model.request(self.command, self.path, body)
            answer = self.server.decider.call(operation, request)
            wrong = self.server.model.wrong_with_answer(operation, answer)
            if wrong:
                raise Refused(f"The sandbox's answer is wrong: {wrong}", code=SERVER, status=500)
            self._send(200, msgspec.json.encode(answer))
        except Refused as refused:
            self._refuse(refused)
        except Exception as error:  # the border: a bug must not hang the caller
            self._refuse(Refused(f"{type(error).__name__}: {error}", code=SERVER, status=500))

    def _check_signature(self) -> None:
        signed = self.headers.get("Authorization", "").startswith(_SIGNED)
        if self.server.decider.settings.checks_signature and not signed:
            raise Refused(
                "Missing Authentication Token",
                code="MissingAuthenticationTokenException",
                status=403,
            )

    def _of_the_sandbox(self, body: bytes) -> bytes:
        decider = self.server.decider
        routes: dict[tuple[str, str], Callable[[], object]] = {
            ("GET", _STATUS): decider.status,
            ("POST", _CHAOS): lambda: decider.chaos(_decoded(body, ChaosRequest)),
            ("POST", _RESOURCES): lambda: self._make(_decoded(body, list[ResourceCall])),
        }
        act = routes.get((self.command, self.path))
        if act is None:
            raise Refused(f"The sandbox knows no {self.command} {self.path}.", status=404)
        return msgspec.json.encode(act())

    def _make(self, calls: list[ResourceCall]) -> object:
        for call in calls:
            self.server.model.check_request(call.operation, call.request)
        return self.server.decider.make(calls)

    def _refuse(self, refused: Refused) -> None:
        body = msgspec.json.encode({"message": refused.message})
        self._send(refused.status, body, refused.code)

    def _send(self, status: int, body: bytes, error: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        if error:
            self.send_header("x-amzn-errortype", error)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Calls are not logged: there are thousands."""


_T = TypeVar("_T")


def _decoded(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(str(error)) from None
