"""The words between a driver and attempts it never sees: keys, packs and notes in an object
store. See docs/decisions/0011-remote-attempts.md; nothing here does I/O."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from swell.errors import InternalError
from swell.model.cause import Evidence
from swell.model.job import Inputs, Launch
from swell.model.record import Usage

_HEAD = struct.Struct("<8sIII")
_MAGIC = b"swellsub"
_VERSION = 1
_OFFSET = struct.Struct("<Q")
_SHARED = struct.Struct("<I")
_FRAME = struct.Struct("<BdI")

STREAMS = ("system", "stdout", "stderr")
"""Streams by their number in log frames; the highest bit marks a line that the supervisor
added, such as the one that says what was cut."""
_STREAM_BITS = 0x7F


# --- keys ---------------------------------------------------------------------


class RunKeys(NamedTuple):
    """Keys of one run; ``root`` is ``runs/<flow>/<run>``."""

    root: str

    @property
    def news(self) -> str:
        """Where attempts tell what they did."""
        return f"{self.root}/news/"

    @property
    def lease(self) -> str:
        """Where the driver shows that it lives."""
        return f"{self.root}/lease/"

    @property
    def submissions(self) -> str:
        """Where submissions are written down."""
        return f"{self.root}/submissions/"

    def submission(self, name: str) -> str:
        """The packed Launches of one submission."""
        return f"{self.submissions}{name}"

    def engine_id(self, name: str) -> str:
        """What the engine calls it, once it answered."""
        return f"{self.submissions}{name}.id"

    @property
    def manifests(self) -> str:
        """What the keys of all manifests begin with."""
        return f"{self.root}/manifests/"

    def manifest(self, sha256: str) -> str:
        """What all attempts of a step share."""
        return f"{self.manifests}{sha256}.json"

    def pack(self, name: str) -> str:
        """Records of a join of thousands."""
        return f"{self.root}/packs/{name}"

    def beat(self, number: int) -> str:
        """One sign of life of the driver."""
        return f"{self.lease}{number:010d}"

    def news_since(self, at: float) -> str:
        """A key before all news from Unix second ``at`` on."""
        return f"{self.news}{max(0, int(at * 1000)):013d}"


class News(NamedTuple):
    """One thing an attempt told; ``kind`` is 'began', 'log' or 'end'."""

    key: str
    at_ms: int
    kind: str
    name: str
    member: int
    attempt: int
    number: int


def parse_news(key: str) -> News | None:
    """The parts of a key of news; None for a key that is something else."""
    parts = key.rsplit("/", 6)
    if len(parts) != 7:
        return None
    _, at_ms, kind, name, member, attempt, number = parts
    try:
        return News(key, int(at_ms), kind, name, int(member), int(attempt), int(number))
    except ValueError:
        return None


# --- what attempts are given ---------------------------------------------------


class Package(msgspec.Struct, frozen=True):
    """A zip in the store, by its content."""

    key: str
    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True):
    """What all attempts of one step share; JSON, since the supervisor reads it.

    ``threads`` is as in Launch.
    ``script`` is the path inside the code; ``context`` an encoded RunContext in base64.
    """

    flow: str
    run: str
    step: str
    store: str
    root: str
    code: Package
    layers: tuple[Package, ...]
    script: str
    python: str
    machine: str
    context: str
    arguments: tuple[str, ...] = ("run",)
    executable: str | None = None
    environment: Mapping[str, str] = {}
    timeout_s: float | None = None
    lease_s: float = 600.0
    log_segment_s: float = 3.0
    max_log_bytes: int = 10_000_000
    threads: int | None = None
    format: int = 1
    bootstrap: Package | None = None

    def packages(self) -> tuple[Package, ...]:
        """All that attempts of the step fetch."""
        return (self.code, *self.layers, *((self.bootstrap,) if self.bootstrap else ()))


def encode_manifest(manifest: Manifest) -> bytes:
    """As JSON with its keys in order: the same manifest gives the same bytes."""
    return msgspec.json.encode(manifest, order="deterministic")


def decode_manifest(data: bytes) -> Manifest:
    """Raises InternalError when ``data`` is not a Manifest."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise InternalError(f"{len(data)} bytes are not a manifest: {error}.") from error


def pack_submission(launches: Sequence[Launch]) -> list[bytes]:
    """The buffers of the object that holds ``launches``; what several read is written once."""
    encode = msgspec.msgpack.Encoder().encode
    shared: dict[int, int] = {}
    parts: list[bytes] = []
    members = []
    for launch in launches:
        number = shared.get(id(launch.inputs))
        if number is None:
            number = shared[id(launch.inputs)] = len(parts)
            parts.append(encode(launch.inputs))
        alone = msgspec.structs.replace(launch, inputs=Inputs())
        members.append(_SHARED.pack(number) + encode(alone))
    entries = [*members, *parts]
    head = _HEAD.pack(_MAGIC, _VERSION, len(members), len(parts))
    at = len(head) + (len(entries) + 1) * _OFFSET.size
    offsets = bytearray()
    for entry in entries:
        offsets += _OFFSET.pack(at)
        at += len(entry)
    offsets += _OFFSET.pack(at)
    return [head, bytes(offsets), *entries]


def join_member(member: bytes, shared: bytes) -> Launch:
    """The Launch from the two parts of a pack that belong to it."""
    try:
        launch = msgspec.msgpack.decode(member[_SHARED.size :], type=Launch)
        inputs = msgspec.msgpack.decode(shared, type=Inputs)
    except msgspec.DecodeError as error:
        raise InternalError(f"The pack of a submission is damaged: {error}.") from error
    return msgspec.structs.replace(launch, inputs=inputs)


def unpack_submission(data: bytes | memoryview) -> list[Launch]:
    """All Launches of a whole pack. Raises InternalError when it is not one."""
    view = memoryview(data)
    try:
        magic, version, members, shared = _HEAD.unpack_from(view)
        offsets = [
            _OFFSET.unpack_from(view, _HEAD.size + number * _OFFSET.size)[0]
            for number in range(members + shared + 1)
        ]
    except struct.error as error:
        raise InternalError(f"{len(view)} bytes are not the pack of a submission.") from error
    if magic != _MAGIC or version != _VERSION or offsets[-1] != len(view):
        raise InternalError(
            f"{len(view)} bytes are not the pack of a submission of version {_VERSION}."
        )
    parts = [bytes(view[start:end]) for start, end in pairwise(offsets)]
    return [
        join_member(part, parts[members + _SHARED.unpack_from(part)[0]]) for part in parts[:members]
    ]


# --- what attempts tell ----------------------------------------------------------


class EndNote(msgspec.Struct, frozen=True):
    """The first line of an ``end``: what the supervisor saw of the flow's process.

    ``ended_by`` is one of timeout, lease, stop, spot, claimed, environment, or None.
    ``started_at`` is None when that process was never started.
    """

    job: str = ""
    attempt: int = 1
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    ended_by: str | None = None
    sentence: str = ""
    oom_kills: int | None = None
    memory_limit_mb: float | None = None
    peak_memory_mb: float | None = None
    cpu_s: float | None = None
    read_mb: float | None = None
    written_mb: float | None = None
    how: str = ""
    log_segments: int = 0
    facts: Mapping[str, str] = {}

    def usage(self) -> Usage:
        """What the attempt used, by the kernel's own counters."""
        limit = self.memory_limit_mb
        return Usage(
            self.peak_memory_mb,
            self.cpu_s,
            self.how,
            self.read_mb,
            self.written_mb,
            memory_limit_mb=int(limit) if limit is not None else None,
        )

    def evidence(self) -> Evidence:
        """What is known of an attempt that left no result."""
        limit = self.memory_limit_mb
        return Evidence(
            exit_code=self.exit_code,
            signal=self.signal,
            ended_by=self.ended_by,
            oom_kills=self.oom_kills,
            memory_limit_mb=int(limit) if limit is not None else None,
            peak_memory_mb=self.peak_memory_mb,
            reason=self.sentence,
        )


class Ended(NamedTuple):
    """An ``end`` in its two parts; ``result`` is an encoded AttemptResult, if one was left."""

    note: EndNote
    result: bytes | None


def parse_end(data: bytes) -> Ended:
    """Raises InternalError when ``data`` is not an ``end``."""
    line, _, result = data.partition(b"\n")
    try:
        note = msgspec.json.decode(line, type=EndNote)
    except msgspec.DecodeError as error:
        raise InternalError(f"{len(data)} bytes are not the end of an attempt: {error}.") from error
    return Ended(note, result or None)


class LogFrame(NamedTuple):
    """Bytes that an attempt printed at ``at`` (Unix seconds) on ``stream``."""

    stream: str
    at: float
    data: bytes


def parse_log(data: bytes) -> list[LogFrame]:
    """The frames of one log segment; a frame that is cut off is left out."""
    frames = []
    position = 0
    while position + _FRAME.size <= len(data):
        stream, at, length = _FRAME.unpack_from(data, position)
        position += _FRAME.size
        stream &= _STREAM_BITS
        if position + length > len(data) or stream >= len(STREAMS):
            break
        frames.append(LogFrame(STREAMS[stream], at, data[position : position + length]))
        position += length
    return frames
