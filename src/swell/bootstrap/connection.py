"""HTTP/1.1 over one connection that stays open; no proxies, no redirects.

``http.client`` would do, but loads the mail parser for its headers: a fifth of the time
that an attempt may take to start.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping

SILENCE_S = 20.0
"""A server that sends nothing for so long has failed."""
_PIECE = 1 << 18


class Answer:
    """What came back; header names are lower-case."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Connection:
    """To ``url`` (http or https, host, port), opened by the first request.

    Raises OSError for all that goes wrong, ssl.SSLCertVerificationError among it; the
    connection is closed then, and opened again by the next request.
    """

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        scheme, _, self.host = url.partition("://")
        self.host = self.host.split("/")[0]
        name, _, port = self.host.partition("]")[2 if "]" in self.host else 0].rpartition(":")
        if "]" in self.host:
            name = self.host[1:].split("]")[0]
        elif not name:
            name, port = self.host, ""
        self._is_secure = scheme == "https"
        self.address = name, int(port or (443 if self._is_secure else 80))
        self._ca_file = ca_file
        self._socket: socket.socket | None = None
        self._ahead = b""
        self._give_up = 0.0

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._ahead = b""

    def ask(
        self,
        request: tuple[str, str],
        headers: Mapping[str, str],
        body: bytes = b"",
        limit_s: float = SILENCE_S,
        sink: Callable[[bytes], object] | None = None,
    ) -> Answer:
        """Send ``request`` (method, target) and read the answer within ``limit_s``.

        The body of an answer 200 or 206 goes to ``sink``, piece by piece, if there is one.
        """
        self._give_up = time.monotonic() + limit_s
        is_kept = False
        try:
            link = self._socket or self._open()
            lines = ["{} {} HTTP/1.1".format(*request)]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            if "host" not in headers:
                lines.append(f"host: {self.host}")
            if body or request[0] != "GET":
                lines.append(f"content-length: {len(body)}")
            link.settimeout(self._time_left())
            link.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            answer, is_kept = self._answer(sink)
            return answer
        finally:
            if not is_kept:
                self.close()

    def _open(self) -> socket.socket:
        link = socket.create_connection(self.address, min(5.0, self._time_left()))
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._is_secure:
                import ssl

                context = ssl.create_default_context(cafile=self._ca_file)
                link = context.wrap_socket(link, server_hostname=self.address[0])
        except BaseException:
            link.close()
            raise
        self._socket = link
        return link

    def _time_left(self) -> float:
        left = self._give_up - time.monotonic()
        if left <= 0:
            raise OSError("it took too long")
        return min(left, SILENCE_S)

    def _more(self) -> bytes:
        assert self._socket is not None
        self._socket.settimeout(self._time_left())
        data = self._socket.recv(_PIECE)
        if not data:
            raise OSError("the connection was broken off")
        return data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._ahead:
            if len(self._ahead) > 1 << 16:
                raise OSError("the answer is not HTTP")
            self._ahead += self._more()
        found, _, self._ahead = self._ahead.partition(mark)
        return found

    def _answer(self, sink: Callable[[bytes], object] | None) -> tuple[Answer, bool]:
        status = 100
        while status < 200:
            first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            words = first.split()
            if not first.startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
                raise OSError("the answer is not HTTP")
            status = int(words[1])
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        kept: list[bytes] = []
        take = sink if sink is not None and status in (200, 206) else kept.append
        is_kept = "close" not in headers.get("connection", "").lower() and "HTTP/1.1" in first
        if status in (204, 304):
            pass
        elif "chunked" in headers.get("transfer-encoding", "").lower():
            self._take_chunks(take)
        elif "content-length" in headers:
            self._take(int(headers["content-length"]), take)
        else:
            is_kept = False
            self._take_all(take)
        return Answer(status, headers, b"".join(kept)), is_kept

    def _take(self, size: int, take: Callable[[bytes], object]) -> None:
        while size:
            data = self._ahead or self._more()
            take(data[:size])
            self._ahead = data[size:]
            size -= min(size, len(data))

    def _take_chunks(self, take: Callable[[bytes], object]) -> None:
        size = 1
        while size:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            self._take(size, take)
            if size:
                self._until(b"\r\n")
        while self._until(b"\r\n"):
            pass

    def _take_all(self, take: Callable[[bytes], object]) -> None:
        assert self._socket is not None
        data = self._ahead
        while data:
            take(data)
            self._socket.settimeout(self._time_left())
            data = self._socket.recv(_PIECE)
        self._ahead = b""
