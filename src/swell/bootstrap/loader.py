"""What the job definition's command holds: it fetches the supervisor, and runs it.

Sent as text together with what it imports, see ``loading``, so it holds little: one
HTTP/1.0 request at a time, whose answer ends with the connection.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import time
from collections.abc import Mapping

from swell.bootstrap.address import Address
from swell.bootstrap.folders import cache_folder, put_whole
from swell.bootstrap.signing import signed_headers
from swell.bootstrap.sources import fetch_keys

_TRIES = 6


class Passing(OSError):
    """What may go well at another try: exit code 75."""


def load() -> int:
    """Run the supervisor of SWELL_BOOTSTRAP; returns the exit code, see ``supervisor``."""
    try:
        path = fetch_supervisor(os.environ)
    except (LookupError, OSError, ValueError) as error:
        sys.stderr.write(f"swell: this attempt cannot start: {error!s} ({type(error).__name__})\n")
        return 75 if isinstance(error, Passing) else 78
    sys.path.insert(0, path)
    from swell.bootstrap.supervisor import main

    del sys.path[0]
    ended = main()
    if callable(ended):
        return ended()  # this is the flow's own process now
    # Its threads may wait for what never comes, and nothing here needs to be taken apart.
    sys.stderr.flush()
    os._exit(ended)


def fetch_supervisor(environ: Mapping[str, str]) -> str:
    """The path of the checked zip file, from this machine or from the store."""
    key, _, wanted = environ["SWELL_BOOTSTRAP"].partition("#")
    path = os.path.join(cache_folder(environ), wanted + ".zip")
    if os.path.exists(path):
        with open(path, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() == wanted:
                return path
    address = Address(environ["SWELL_STORE"], environ)
    keys = fetch_keys(environ, ask)
    site = address.site()
    headers = signed_headers(
        ("GET", address.path(key), ""),
        {"host": site.partition("://")[2]},
        b"",
        keys,
        (address.region, time.time()),
    )
    data = ask("GET", site + address.path(key), headers)
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise ValueError(f"{key} is damaged: its SHA-256 is {found}, not {wanted}")
    put_whole(path, data)
    return path


def ask(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    """The body of an answer 200; Passing when there is none at the last try, else OSError."""
    tries = _TRIES
    while True:
        tries -= 1
        try:
            return _ask_once(method, url, headers)
        except OSError as error:
            is_passing = isinstance(error, Passing) or "CERTIFICATE" not in str(error)
            if type(error) is PermissionError or not is_passing:
                raise OSError(f"{url.partition('?')[0]}: {error}") from error
            if not tries:
                raise Passing(f"{url.partition('?')[0]}: {error}") from error
        time.sleep(2**-tries * 4)


def _ask_once(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    name, _, port = host.rpartition(":") if host.rpartition(":")[2].isdigit() else (host, "", "")
    name = name.strip("[]")
    is_secure = scheme == "https"
    link = socket.create_connection((name, int(port or (443 if is_secure else 80))), 5)
    try:
        link.settimeout(20)
        if is_secure:
            import ssl

            context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))
            link = context.wrap_socket(link, server_hostname=name)
        lines = [f"{method} /{path} HTTP/1.0", *map("{}: {}".format, headers, headers.values())]
        link.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b"".join(iter(lambda: link.recv(1 << 18), b""))
    finally:
        link.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(b"".join(head.split()[1:2]) or 0)
    length = head.lower().partition(b"content-length:")[2].split()[:1]
    if length and int(length[0]) != len(body):
        raise Passing("the answer broke off")
    if status == 200:
        return body
    told = body[:2000].decode("utf-8", "replace")
    if "<Code>" in told:
        told = " ".join(told.split(f"<{tag}>")[-1].split("<")[0] for tag in ("Code", "Message"))
    told = f"it answered {status} {' '.join(told.split())}"
    raise (Passing if status in (0, 429) or status >= 500 else PermissionError)(told)
