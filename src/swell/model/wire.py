"""Bytes to records and back: the only place that knows encodings and their versions."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from swell.errors import InternalError
from swell.model.graph import Graph
from swell.model.job import Launch, Pack, RunContext
from swell.model.record import ArtifactRef, AttemptResult, Outcome, Record


class _Refs(msgspec.Struct, array_like=True):
    """A Record whose artifacts are left as they are."""

    artifacts: dict[str, msgspec.Raw] = {}


_encoder = msgspec.msgpack.Encoder()
_result_decoder = msgspec.msgpack.Decoder(AttemptResult)
_record_decoder = msgspec.msgpack.Decoder(Record)
_refs_decoder = msgspec.msgpack.Decoder(_Refs)
_ref_decoder = msgspec.msgpack.Decoder(ArtifactRef)
_launch_decoder = msgspec.msgpack.Decoder(Launch)

EMPTY_RECORD = _encoder.encode(Record())


def encode(value: AttemptResult | Record | Outcome | Launch | Pack | RunContext | Graph) -> bytes:
    """A record as MessagePack."""
    return _encoder.encode(value)


def decode_result(data: bytes) -> AttemptResult:
    """Raises InternalError when ``data`` is not an AttemptResult."""
    return _decode(_result_decoder, data, "the result of an attempt")


def decode_record(data: bytes) -> Record:
    """Raises InternalError when ``data`` is not a Record."""
    return _decode(_record_decoder, data, "a record of artifacts")


def decode_ref(data: bytes, name: str) -> ArtifactRef | None:
    """One artifact of an encoded Record, without decoding the others; None if it has none.

    Raises InternalError when ``data`` is not a Record.
    """
    raw = _decode(_refs_decoder, data, "a record of artifacts").artifacts.get(name)
    return None if raw is None else _decode(_ref_decoder, bytes(raw), "an artifact")


def decode_launch(data: bytes) -> Launch:
    """Raises InternalError when ``data`` is not a Launch."""
    return _decode(_launch_decoder, data, "a launch")


def decode_pack(data: bytes) -> Pack:
    """Raises InternalError when ``data`` is not a Pack."""
    return _decode(msgspec.msgpack.Decoder(Pack), data, "a pack of launches")


def decode_context(data: bytes) -> RunContext:
    """Raises InternalError when ``data`` is not a RunContext."""
    return _decode(msgspec.msgpack.Decoder(RunContext), data, "a run context")


def decode_graph(data: bytes) -> Graph:
    """Raises InternalError when ``data`` is not a Graph."""
    return _decode(msgspec.msgpack.Decoder(Graph), data, "a graph")


def decode_outcome(data: bytes) -> Outcome:
    """Raises InternalError when ``data`` is not an Outcome."""
    return _decode(msgspec.msgpack.Decoder(Outcome), data, "an outcome")


_T = TypeVar("_T")


def _decode(decoder: msgspec.msgpack.Decoder[_T], data: bytes, what: str) -> _T:
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise InternalError(f"{len(data)} bytes are not {what}: {error}.") from error
