"""The S3 server that tests and benches use: the sandbox's own, with a second, weaker user."""

from __future__ import annotations

from pathlib import Path

from swell.sandbox import seaweedfs
from swell.sandbox.seaweedfs import Identity, program

__all__ = [
    "KEY",
    "READABLE_BUCKET",
    "READER_KEY",
    "READER_SECRET",
    "SECRET",
    "SeaweedFs",
    "program",
]

KEY, SECRET = "tester", "tester-secret"
READER_KEY, READER_SECRET = "reader", "reader-secret"
READABLE_BUCKET = "others"
IDENTITIES = (
    Identity("tester", KEY, SECRET),
    Identity(
        "reader", READER_KEY, READER_SECRET, [f"Read:{READABLE_BUCKET}", f"List:{READABLE_BUCKET}"]
    ),
)


class SeaweedFs(seaweedfs.SeaweedFs):
    """One server with its files in ``folder``. ``start`` may follow ``kill``: data stay."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, IDENTITIES)

    def start(self) -> None:
        """Return when requests are answered."""
        self.launch()
        self.wait_until_ready()

    def environ(self, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
        """What a process needs to use it."""
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
            "SWELL_S3_ENDPOINT_URL": self.endpoint,
        }
