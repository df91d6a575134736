"""A real PostgreSQL server in a temporary folder on a free port, started and ended by tests."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

USER, PASSWORD = "swell_team", "s3cret-word"
_DEBIAN = Path("/usr/lib/postgresql")
_DEADLINE_S = 60.0


class Unavailable(Exception):
    """No server can be had here; says why."""


class PostgresServer:
    """One cluster; databases in it are made for each test."""

    def __init__(self, folder: Path, programs: Path, account: dict[str, Any]) -> None:
        self.folder = folder
        self.port = _free_port()
        self._programs = programs
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None

    def initialise(self) -> None:
        """Make the cluster."""
        password = self.folder / "password"
        password.write_text(PASSWORD)
        for path in (self.folder, password):
            if self._account:
                shutil.chown(path, self._account["user"])
        initdb = [self._programs / "initdb", "-D", self.folder / "data", "-U", USER]
        options = ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
        done = subprocess.run(
            [*initdb, *options, "--locale=C", "--no-sync"],
            capture_output=True,
            check=False,
            timeout=_DEADLINE_S,
            cwd=self.folder,
            **self._account,
        )
        if done.returncode:
            raise Unavailable(done.stderr.decode())

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            # What is not flushed survives the kill of a server, though not of a machine.
            "fsync": "off",
            "max_connections": "40",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", "data", "-p", str(self.port), *words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._account,
            )
        deadline = time.monotonic() + _DEADLINE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable((self.folder / "log").read_text()[-2000:])
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: ends sessions and writes all; SIGQUIT: at once, as in a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=_DEADLINE_S)
            self._process = None

    def url(self, database: str = "postgres", user: str = USER, password: str = PASSWORD) -> str:
        """The address of a database in it."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a database that is empty."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.ask(f"CREATE DATABASE {name}")
        return self.url(name)

    def ask(self, sql: str, url: str = "") -> list[tuple[Any, ...]]:
        """Run one statement as the administrator."""
        import psycopg

        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextlib.contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server at work. Raises Unavailable."""
    programs = _programs() or _installed()
    folder = Path(tempfile.mkdtemp(prefix="swell-pg-"))
    try:
        server = PostgresServer(folder, programs, _account())
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    """Where the server's programs are."""
    found = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: path.parts[-3])
    if found:
        return found[-1].parent
    here = shutil.which("postgres")
    return Path(here).resolve().parent if here else None


def _installed() -> Path:
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable("PostgreSQL is not installed, and only root could install it")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
        done = subprocess.run(
            ["apt-get", "-q", *words], capture_output=True, env=quiet, check=False, timeout=300
        )
    found = _programs()
    if found is None:
        raise Unavailable(f"apt-get could not install PostgreSQL: {done.stderr.decode()[-300:]}")
    return found


def _account() -> dict[str, Any]:
    """The server refuses to run as root: then the account of its Debian package, or nobody."""
    if getpass.getuser() != "root" and os.getuid() != 0:
        return {}
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in known else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
