"""A TCP proxy that a test can make slow, cut or deaf: the network between client and server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Proxy:
    """Forwards connections to ``port`` on loopback; use it in a ``with`` statement.

    ``cut_after`` breaks off every connection that has sent so many bytes to the client,
    ``spoil`` changes what goes to the client, ``is_down`` refuses to forward.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.socket()
        self.cut_after: int | None = None
        self.is_down = False
        self.is_deaf = False
        self.cuts = 0
        self.connections = 0
        self._open: list[socket.socket] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Proxy:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Break off every connection."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(client)
            if self.is_down:
                client.close()
                continue
            if self.is_deaf:
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open.append(server)
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        sent = 0
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
                sent += len(data)
                if is_answer and self.cut_after is not None and sent > self.cut_after:
                    self.cuts += 1
                    break
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
