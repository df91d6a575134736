"""Credentials that are asked for anew before they expire."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from swell.bootstrap.connection import Connection
from swell.bootstrap.signing import Keys
from swell.bootstrap.sources import CONTAINER_URL, fetch_keys
from swell.bootstrap.times import from_iso

RENEW_S = 300.0
"""Credentials are asked for anew so long before they expire."""
_TRIES = 3
_TRY_S = 5.0


class Credentials:
    """The credentials of this container. Safe for threads."""

    def __init__(self, environ: Mapping[str, str], container_url: str = CONTAINER_URL) -> None:
        self._environ = environ
        self._container_url = container_url
        self._keys: Keys | None = None
        self._expires_at = 0.0
        self._lock = threading.Lock()

    def keys(self, refused: Keys | None = None) -> Keys:
        """Credentials that are valid now, and not those that a service has just ``refused``.

        Raises OSError when there are none; those of before are given while they last.
        """
        with self._lock:
            old = self._keys
            is_over = old is None or old is refused or self._expires_at < time.time()
            if is_over or self._expires_at < time.time() + RENEW_S:
                try:
                    self._keys = self._fetch()
                except OSError:
                    if is_over:
                        raise
            assert self._keys is not None
            return self._keys

    @property
    def are_renewed(self) -> bool:
        """Whether asking again can give others: not for keys in the environment."""
        return not self._environ.get("AWS_ACCESS_KEY_ID")

    def _fetch(self) -> Keys:
        keys = fetch_keys(self._environ, self._ask, self._container_url)
        try:
            self._expires_at = from_iso(keys.expires) if keys.expires else float("inf")
        except ValueError as error:
            raise OSError(f"credentials that expire at '{keys.expires}'") from error
        return keys

    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> bytes:
        return ask_near(method, url, headers, self._environ.get("AWS_CA_BUNDLE"))


class Denied(OSError):
    """The service answered, and said no: asking again is of no use."""


def ask_near(
    method: str,
    url: str,
    headers: Mapping[str, str],
    ca_file: str | None = None,
    tries: int = _TRIES,
) -> bytes:
    """Ask a service near this machine. Raises OSError without an answer 200; Denied for a no."""
    link = Connection(url, ca_file)
    target = "/" + url.partition("://")[2].partition("/")[2]
    try:
        while True:
            tries -= 1
            try:
                answer = link.ask((method, target), headers, limit_s=_TRY_S)
            except OSError:
                if not tries:
                    raise
            else:
                if answer.status == 200:
                    return answer.body
                if not tries or (answer.status < 500 and answer.status != 429):
                    said = answer.body[:200].decode("utf-8", "replace")
                    raise Denied(f"it answered {answer.status} {said}")
            time.sleep(0.5 / (tries + 1))
    finally:
        link.close()
