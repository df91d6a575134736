"""HTTP as servers speak it, over a connection that stays open."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from swell.bootstrap.connection import Answer, Connection
from swell.bootstrap.loader import Passing, ask

OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def speaking(*connections: list[bytes], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that sends so many answers on each connection, one a request, then closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answers in connections:
            link, _ = listener.accept()
            if tls is not None:
                try:
                    link = tls.wrap_socket(link, server_side=True)
                except ssl.SSLError:
                    link.close()  # the client does not trust this server
                    continue
            with link:
                for answer in answers:
                    asked = b""
                    while b"\r\n\r\n" not in asked:
                        asked += link.recv(4096)
                    link.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(10)
        listener.close()


def get(link: Connection, limit_s: float = 5.0) -> Answer:
    return link.ask(("GET", "/"), {}, limit_s=limit_s)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 5\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
        OK + b"Connection: close\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello",
    ],
)
def test_a_body_is_read_in_each_form_that_it_comes_in(answer: bytes) -> None:
    with speaking([answer]) as url:
        link = Connection(url)
        assert get(link).body == b"hello"
        link.close()


def test_a_connection_is_used_again() -> None:
    first = OK + b"Content-Length: 2\r\n\r\nab"
    with speaking([first, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]) as url:
        link = Connection(url)
        assert (get(link).body, get(link).status) == (b"ab", 404)
        link.close()


def test_a_connection_that_the_server_has_closed_is_opened_anew() -> None:
    answer = OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nab"
    with speaking([answer], [answer]) as url:
        link = Connection(url)
        assert (get(link).body, get(link).body) == (b"ab", b"ab")
        assert not link.is_open


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (OK + b"Content-Length: 50\r\n\r\nhello", "broken off"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\nhel", "broken off"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"", "broken off"),
    ],
)
def test_an_answer_that_is_not_whole_is_an_error(answer: bytes, word: str) -> None:
    with speaking([answer]) as url, pytest.raises(OSError, match=word):
        get(Connection(url))


def test_a_server_that_says_nothing_is_given_up() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(OSError, match=r"timed out|too long"):
        get(Connection(url), limit_s=0.05)
    listener.close()


def test_an_error_does_not_go_where_the_content_should() -> None:
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"
    taken: list[bytes] = []
    with speaking([answer]) as url:
        link = Connection(url)
        assert link.ask(("GET", "/"), {}, sink=taken.append).body == b"gone"
        link.close()
    assert taken == []


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://169.254.169.254", ("169.254.169.254", 80)),
        ("https://bucket.s3.amazonaws.com", ("bucket.s3.amazonaws.com", 443)),
        ("http://[fd00:ec2::254]", ("fd00:ec2::254", 80)),
        ("http://[::1]:9000/path", ("::1", 9000)),
        ("http://127.0.0.1:9000", ("127.0.0.1", 9000)),
    ],
)
def test_an_address_is_read(url: str, address: tuple[str, int]) -> None:
    assert Connection(url).address == address


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that signs itself, with its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed.")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", path,
         "-out", f"{path}.crt", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


def test_a_server_with_a_trusted_certificate_is_spoken_to(
    certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with speaking([HELLO], [HELLO], tls=tls) as url:
        link = Connection(url, str(certificate))
        assert get(link).body == b"hello"
        link.close()
        assert ask("GET", url, {}) == b"hello"


def test_a_server_whose_certificate_nobody_trusts_is_not_spoken_to(tls: ssl.SSLContext) -> None:
    with speaking([HELLO], [HELLO], tls=tls) as url:
        with pytest.raises(ssl.SSLCertVerificationError):
            get(Connection(url))
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED") as failure:
            ask("GET", url, {})
        assert not isinstance(failure.value, Passing)


def test_the_loader_tries_again_what_broke_off() -> None:
    half = OK + b"Content-Length: 50\r\n\r\nhello"
    with speaking([half], [b"HTTP/1.1 503 No\r\n\r\n"], [HELLO]) as url:
        assert ask("GET", url, {}) == b"hello"


def test_the_loader_does_not_try_again_what_is_refused() -> None:
    refusal = b"HTTP/1.1 403 No\r\n\r\n<Code>AccessDenied</Code><Message>Not you</Message>"
    with (
        speaking([refusal]) as url,
        pytest.raises(OSError, match="it answered 403 AccessDenied Not you"),
    ):
        ask("GET", url, {})
