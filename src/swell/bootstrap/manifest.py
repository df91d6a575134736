"""What all attempts of a step share (JSON), and one attempt's own parts of the pack."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Callable

from swell.bootstrap.place import Refused

FORMAT = 1
PACK_MAGIC = b"swellsub"
PACK_VERSION = 1
_HEAD = struct.Struct("<8sIII")
_OFFSETS = struct.Struct("<QQ")
_FIRST_READ = 1 << 16
"""Small submissions come whole in one request, of large ones most offsets."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Evaluated by type checkers only: Python 3.8 cannot.
    ReadRange = Callable[[int, int], bytes]
    """Gives bytes of an object: start, at most so many."""


class Package:
    """A zip file in the store."""

    def __init__(self, key: str, sha256: str, size: int) -> None:
        self.key = key
        self.sha256 = sha256
        self.size = size


class Manifest:
    """The manifest, checked. Raises Refused where it is not what this program reads."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        try:
            told = json.loads(data)
            if told["format"] != FORMAT:
                raise Refused(
                    f"The manifest has format {told['format']}, this program reads {FORMAT}."
                )
            self.root: str = told["root"]
            self.code = Package(**told["code"])
            self.layers = [Package(**layer) for layer in told["layers"]]
            self.script: str = told["script"]
            self.arguments: list[str] = told["arguments"]
            self.python: str = told["python"]
            self.machine: str = told["machine"]
            self.executable: str | None = told["executable"]
            self.environment: dict[str, str] = told["environment"]
            self.timeout_s: float | None = told["timeout_s"]
            self.lease_s: float | None = told["lease_s"]
            self.log_segment_s: float = told["log_segment_s"]
            self.max_log_bytes: int = told["max_log_bytes"]
            self.threads: int | None = told.get("threads")
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(
                f"The manifest cannot be read: {type(error).__name__} {error}."
            ) from error


def check_interpreter(manifest: Manifest) -> str:
    """The interpreter for the flow. Raises Refused when it is not what the flow needs."""
    path = manifest.executable or sys.executable
    version, machine = "{}.{}".format(*sys.version_info[:2]), os.uname().machine
    if manifest.executable:
        version, machine = _ask_interpreter(manifest.executable)
    if version != manifest.python:
        raise Refused(
            f"The image has Python {version}; this flow and its packages were made for Python "
            f"{manifest.python}. Use an image with it, like image=python:{manifest.python}."
        )
    if machine != manifest.machine:
        raise Refused(
            f"The machine is {machine}; the packages of this flow were made for "
            f"{manifest.machine}. Use a queue with such machines and an image for them."
        )
    return path


def _ask_interpreter(path: str) -> tuple[str, str]:
    import subprocess

    code = "import os, sys; print('%d.%d' % sys.version_info[:2], os.uname()[4])"
    try:
        done = subprocess.run([path, "-ISc", code], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60, check=True)  # fmt: skip
        version, machine = done.stdout.decode().split()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Refused(f"The image's '{path}' (executable=) is no Python: {error}.") from error
    return version, machine


def read_member(read: ReadRange, index: int) -> tuple[bytes, bytes]:
    """Member ``index`` and its shared part, as they are in the pack.

    Reads what is needed of it. Raises Refused when there is no such member.
    """
    first = read(0, _FIRST_READ)

    def take(start: int, length: int) -> bytes:
        data = first[start : start + length] if start + length <= len(first) else b""
        return data if len(data) == length else read(start, length)

    if len(first) < _HEAD.size:
        raise Refused("The submission is shorter than its head.")
    magic, version, members, shared = _HEAD.unpack_from(first)
    if magic != PACK_MAGIC or version != PACK_VERSION:
        raise Refused(f"The submission is of version {version}, this program reads {PACK_VERSION}.")
    if index >= members:
        raise Refused(f"The submission has {members} members, and none with index {index}.")

    def part(number: int) -> bytes:
        start, end = _OFFSETS.unpack(take(_HEAD.size + 8 * number, 16))
        return take(start, end - start) if end > start else b""

    member = part(index)
    (number,) = struct.unpack_from("<I", member)
    if number >= shared:
        raise Refused(f"Member {index} names shared part {number} of {shared}.")
    return member, part(members + number)
