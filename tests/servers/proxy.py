"""A TCP proxy that a test can make slow, cut or deaf: the network between client and server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_REQUEST = b" HTTP/1.1\r\n"


class Proxy:
    """Forwards connections to ``port`` on loopback; use it in a ``with`` statement.

    ``cut_after`` breaks off every connection that has sent so many bytes to the client,
    ``is_down`` closes new ones, ``is_deaf`` leaves them without an answer. ``requests`` counts
    what clients asked for.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.socket()
        self.cut_after: int | None = None
        self.is_down = False
        self.is_deaf = False
        self.cuts = 0
        self.connections = 0
        self.requests = 0
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Proxy:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        # Shutting down wakes the thread that accepts; closing alone would not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(timeout=20)
        self.drop()
        for thread in self._threads:
            thread.join(timeout=20)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def drop(self) -> None:
        """Break off every connection."""
        dropped, self._open = self._open, []
        for one in dropped:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(client)
            if self.is_deaf:
                continue
            try:
                if self.is_down:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            self._open.append(server)
            self._start(self._pump, client, server, False)
            self._start(self._pump, server, client, True)

    def _pump(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        sent = 0
        end = b""
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not is_answer:
                    self.requests += (end + data).count(_REQUEST)
                    end = data[1 - len(_REQUEST) :]
                target.sendall(data)
                sent += len(data)
                if is_answer and self.cut_after is not None and sent > self.cut_after:
                    self.cuts += 1
                    break
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
