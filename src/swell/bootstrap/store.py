"""The object store as an attempt sees it: read, write once, list; by signed requests to S3."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from swell.bootstrap.address import Address
from swell.bootstrap.connection import Answer, Connection
from swell.bootstrap.credentials import Credentials
from swell.bootstrap.signing import Keys, canonical_query, signed_headers
from swell.bootstrap.times import from_http, from_iso

PATIENCE_S = 60.0
"""How long one operation is tried again when the store does not do it."""
TRY_S = 10.0
"""The limit of one try that moves little."""
_SLOWEST_BYTES_PER_S = 1_000_000
_MAX_WAIT_S = 5.0


class StoreFailure(Exception):
    """The store did not do it. ``code`` is its own word for why; '' when it gave no answer."""

    def __init__(self, sentence: str, code: str = "", is_passing: bool = False) -> None:
        super().__init__(sentence)
        self.code = code
        self.is_passing = is_passing


class NoKeys(Exception):
    """There are no credentials to ask the store with."""


class Listed:
    """A key, relative to the store, and when the store took it (its own Unix seconds)."""

    def __init__(self, key: str, modified_at: float) -> None:
        self.key = key
        self.modified_at = modified_at


class Store:
    """The store at ``address`` (s3://bucket/prefix). Safe for threads.

    Failures that may pass are tried again with growing waits, ``patience_s`` in all; what
    is left is a StoreFailure with a sentence for people.
    """

    def __init__(
        self, address: str, environ: Mapping[str, str], credentials: Credentials | None = None
    ) -> None:
        try:
            self._address = Address(address, environ)
        except ValueError as error:
            raise StoreFailure(f"{error}.", "address") from error
        self._ca_file = environ.get("AWS_CA_BUNDLE") or None
        self._credentials = credentials or Credentials(environ)
        self._idle: list[Connection] = []
        self._clock_ahead: float | None = None

    def close(self) -> None:
        """Let go of the connections."""
        while self._idle:
            self._idle.pop().close()

    def now(self) -> float:
        """The store's own time, never ahead of it: it tells whole seconds only."""
        if self._clock_ahead is None:
            return time.time()
        return time.monotonic() + self._clock_ahead

    def read(
        self,
        key: str,
        start: int = 0,
        length: int | None = None,
        sink: Callable[[bytes], object] | None = None,
        limit_s: float = TRY_S,
    ) -> bytes:
        """``key`` from ``start``, at most ``length`` bytes; piece by piece to ``sink``.

        A connection that breaks off is taken up where it broke. ``limit_s`` is for one try.
        """
        parts: list[bytes] = []
        read = 0

        def take(data: bytes) -> None:
            nonlocal read
            read += len(data)
            (sink or parts.append)(data)

        def once() -> Answer:
            first = start + read
            last = "" if length is None else start + length - 1
            headers = {"range": f"bytes={first}-{last}"} if first or length is not None else {}
            return self._once(("GET", key), {}, headers, b"", limit_s, take)

        self._try(once, f"Reading {self._name(key)}", PATIENCE_S)
        return b"".join(parts)

    def write(self, key: Callable[[], str], body: bytes, patience_s: float = PATIENCE_S) -> bool:
        """Write ``body`` under the key that ``key`` gives at each try; False if it is there."""
        limit_s = TRY_S + len(body) / _SLOWEST_BYTES_PER_S

        def once() -> Answer:
            name = key()
            return self._once(("PUT", name), {}, {"if-none-match": "*"}, body, limit_s)

        return self._try(once, f"Writing {self._name(key())}", patience_s).status != 412

    def listing(self, prefix: str, after: str = "") -> list[Listed]:
        """Keys under ``prefix`` behind ``after``, all pages, in order."""
        base = self._address.prefix
        query = {"list-type": "2", "prefix": base + prefix}
        if after:
            query["start-after"] = base + after
        found: list[Listed] = []
        while True:
            answer = self._page(query, prefix)
            text = answer.body.decode()
            for entry in text.split("<Contents>")[1:]:
                key = _text_of(entry, "Key")[len(base) :]
                found.append(Listed(key, from_iso(_text_of(entry, "LastModified"))))
            token = _text_of(text, "NextContinuationToken")
            if not token or _text_of(text, "IsTruncated") != "true":
                return found
            query = dict(query, **{"continuation-token": token})

    def _page(self, query: Mapping[str, str], prefix: str) -> Answer:
        return self._try(
            lambda: self._once(("GET", ""), query, {}, b"", TRY_S),
            f"Listing {self._name(prefix)}",
            PATIENCE_S,
        )

    def _name(self, key: str) -> str:
        return f"s3://{self._address.bucket}/{self._address.prefix}{key}"

    def _try(self, once: Callable[[], Answer], what: str, patience_s: float) -> Answer:
        give_up = time.monotonic() + patience_s
        wait_s = 0.1
        mended = set()
        while True:
            try:
                answer = once()
                if answer.status in (200, 204, 206, 412):
                    return answer
                failure = self._failure(answer, what)
            except NoKeys as error:
                failure = StoreFailure(f"{what} failed: {error}.", "credentials")
            except OSError as error:
                failure = StoreFailure(
                    f"{what} failed: {self._address.site()} does not do it ({error}).",
                    is_passing="CERTIFICATE_VERIFY_FAILED" not in str(error),
                )
            # Each once: the next try is made with other credentials, time or region.
            is_mended = failure.code in _MENDED_BY_TRYING and failure.code not in mended
            mended.add(failure.code)
            if not (failure.is_passing or is_mended) or time.monotonic() + wait_s > give_up:
                raise failure
            time.sleep(wait_s * (0.5 + os.urandom(1)[0] / 510))
            wait_s = min(wait_s * 2, _MAX_WAIT_S)

    def _once(
        self,
        request: tuple[str, str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
        limit_s: float,
        sink: Callable[[bytes], object] | None = None,
    ) -> Answer:
        method, key = request
        path = self._address.path(key)
        keys = self._keys()
        text = canonical_query(query)
        url = self._address.site()
        link = self._idle.pop() if self._idle else Connection(url, self._ca_file)
        sent = signed_headers(
            (method, path, text),
            dict(headers, host=link.host),
            body,
            keys,
            (self._address.region, self.now()),
        )
        target = (method, path + ("?" + text if text else ""))
        try:
            answer = link.ask(target, sent, body, limit_s, sink)
        except OSError:
            self.close()  # where one connection was broken off, others were
            raise
        self._note_time(answer)
        is_expired = answer.status in (400, 403) and b"ExpiredToken" in answer.body
        if is_expired and self._credentials.are_renewed:
            self._keys(refused=keys)
        region = answer.headers.get("x-amz-bucket-region", self._address.region)
        if region != self._address.region:
            self._address.region = region
            link.close()
            self.close()
            return answer
        self._idle.append(link)
        return answer

    def _keys(self, refused: Keys | None = None) -> Keys:
        try:
            return self._credentials.keys(refused)
        except OSError as error:
            raise NoKeys(str(error)) from error

    def _note_time(self, answer: Answer) -> None:
        try:
            ahead = from_http(answer.headers["date"]) - time.monotonic()
        except (KeyError, ValueError):
            return
        # Each answer was sent a little before it came: the largest difference is the nearest.
        if self._clock_ahead is None or ahead > self._clock_ahead:
            self._clock_ahead = ahead

    def _failure(self, answer: Answer, what: str) -> StoreFailure:
        text = answer.body.decode("utf-8", "replace")
        code = _text_of(text, "Code") or str(answer.status)
        is_passing = answer.status >= 500 or answer.status in (408, 409, 425, 429)
        is_passing = (is_passing and answer.status != 501) or code in _PASSING
        said = _text_of(text, "Message") or text[:200]
        remedy = _REMEDIES.get(code) or _REMEDIES.get(str(answer.status), "")
        return StoreFailure(
            f"{what} failed: {answer.status} {code} {said.rstrip('.')}. {remedy}".strip(),
            code,
            is_passing,
        )


_PASSING = ("RequestTimeout", "SlowDown", "InternalError")
_MENDED_BY_TRYING = (
    "ExpiredToken",
    "RequestTimeTooSkewed",
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "301",
    "307",
)
_REMEDIES = {
    "ExpiredToken": "The credentials have expired: give the job a role (iam_role=), whose "
    "credentials are renewed, instead of keys.",
    "NoSuchKey": "It was deleted, or SWELL_STORE names another place than the one it was put in.",
    "404": "It was deleted, or SWELL_STORE names another place than the one it was put in.",
    "NoSuchBucket": "Look at SWELL_STORE and at the region.",
    "InvalidAccessKeyId": "Look at the credentials of the job.",
    "SignatureDoesNotMatch": "Look at the credentials of the job.",
    "RequestTimeTooSkewed": "The machine's clock is wrong.",
    "501": "The store does not offer writing only what is not there yet (If-None-Match).",
    "403": "The job's role must be allowed s3:GetObject, s3:PutObject and s3:ListBucket here.",
}


def _text_of(text: str, tag: str) -> str:
    found = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    for name, sign in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("apos", "'"), ("amp", "&")):
        found = found.replace(f"&{name};", sign)
    return found
