"""Where a store's objects stand in requests: region, endpoint, addressing."""

from __future__ import annotations

from collections.abc import Mapping

from swell.bootstrap.signing import quoted


class Address:
    """``url`` is s3://bucket/prefix. Raises ValueError for another one.

    ``region`` may be changed, when the store names another.
    """

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        env = environ.get
        scheme, _, rest = url.partition("://")
        self.bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not self.bucket:
            raise ValueError(f"SWELL_STORE is '{url}'; it must be s3://bucket/prefix")
        self.prefix = prefix.strip("/") + "/" if prefix else ""
        self.region = region_of(environ)
        endpoint = env("SWELL_S3_ENDPOINT_URL") or env("AWS_ENDPOINT_URL_S3")
        self._endpoint = (endpoint or env("AWS_ENDPOINT_URL") or "").rstrip("/")
        style = env("SWELL_S3_ADDRESSING", "auto")
        # A bucket with dots does not fit the certificate of its host.
        self._is_virtual = "." not in self.bucket and (
            style == "virtual" or (style != "path" and not self._endpoint)
        )

    def site(self) -> str:
        """Scheme, host and port of requests."""
        url = self._endpoint or f"https://s3.{self.region}.{domain(self.region)}"
        return url.replace("://", f"://{self.bucket}.", 1) if self._is_virtual else url

    def path(self, key: str) -> str:
        """The encoded path of ``key``; of the whole bucket for ''."""
        path = "" if self._is_virtual else f"/{self.bucket}"
        return path + "/" + quoted(self.prefix + key, b"/") if key else path or "/"


def region_of(environ: Mapping[str, str]) -> str:
    """The region that the environment names."""
    names = ("SWELL_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION")
    return next((environ[name] for name in names if environ.get(name)), "us-east-1")


def domain(region: str) -> str:
    """Amazon's domain for a region: China has its own."""
    return "amazonaws.com" + (".cn" if region.startswith("cn-") else "")
