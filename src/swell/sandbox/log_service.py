"""CloudWatch Logs of the sandbox: moto answers, and is given what jobs printed when it is asked."""

from __future__ import annotations

import json
import threading
from typing import Any

from swell.errors import ComputeError
from swell.sandbox.log_streams import LogStreams, StreamName, in_batches
from swell.sandbox.moto_server import MotoLogs

_TARGET = "x-amz-target"


class LogService:
    """Between clients and moto; from any thread.

    Only what a request may look at is sent first, so that ten thousand jobs whose logs
    nobody reads cost moto nothing.
    """

    def __init__(self, streams: LogStreams, moto: MotoLogs) -> None:
        self._streams = streams
        self._moto = moto
        self._lock = threading.Lock()
        self._groups: set[str] = set()
        self._sent: set[StreamName] = set()

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Answer one request of the API: status and body. Header names are in small letters."""
        operation = headers.get(_TARGET, "").rpartition(".")[2]
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            request = {}
        try:
            self._bring(operation, request if isinstance(request, dict) else {})
            passed = {name: headers[name] for name in headers if name not in _NOT_PASSED}
            return self._moto.forward(passed, body)
        except ComputeError as error:
            failure = {"__type": "ServiceUnavailableException", "message": str(error)}
            return 503, json.dumps(failure).encode()

    def _bring(self, operation: str, request: dict[str, Any]) -> None:
        """Send moto what the request may look at."""
        if operation.startswith(("Put", "Create", "Delete", "Tag")):
            return
        group = _text(request.get("logGroupName") or request.get("logGroupIdentifier"))
        group = group.rpartition("log-group:")[2].removesuffix(":*")
        with self._lock:
            if not group:
                for known in self._streams.groups():
                    self._have_group(known)
                return
            named = request.get("logStreamNames") or [request.get("logStreamName")]
            if named != [None]:
                for stream in map(_text, named):
                    self._send(StreamName(group, stream))
                return
            for name in self._streams.names(group, _text(request.get("logStreamNamePrefix"))):
                self._send(name)

    def _send(self, name: StreamName) -> None:
        events = self._streams.take(name)
        if events is None:
            return
        self._have_group(name.group)
        if name not in self._sent:
            self._make("CreateLogStream", logGroupName=name.group, logStreamName=name.stream)
            self._sent.add(name)
        for batch in in_batches(events):
            told = [{"timestamp": event.at_ms, "message": event.text} for event in batch]
            self._moto.call(
                "PutLogEvents",
                {"logGroupName": name.group, "logStreamName": name.stream, "logEvents": told},
            )

    def _have_group(self, group: str) -> None:
        if group not in self._groups:
            self._make("CreateLogGroup", logGroupName=group)
            self._groups.add(group)

    def _make(self, operation: str, **request: str) -> None:
        try:
            self._moto.call(operation, request)
        except ComputeError as error:
            if "ResourceAlreadyExistsException" not in str(error):
                raise


_NOT_PASSED = {"host", "connection", "content-length", "accept-encoding"}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
