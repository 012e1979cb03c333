"""Record to bytes and back, exactly: the messages of docs/recording-format.md, version 1.

A packet's bytes are its payload; every other record is one JSON object whose fields are those of its
dataclass, so that the codec and the schema follow `signals.records` without a second list of names.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from latemiles.signals.frames import Segment
from latemiles.signals.records import Gone, Link, Mark, Packet, Pose, Record, RunHeader, SensorInfo, Speed

__all__ = [
    "CHANNELS",
    "FORMAT_VERSION",
    "HEADER_METADATA",
    "PROFILE",
    "RECOVERY_METADATA",
    "ChannelSpec",
    "Decoder",
    "FormatError",
    "decode",
    "decoder_for",
    "encode",
    "header_from_json",
    "header_to_json",
    "kind_of",
    "packet_lane",
    "profile_version",
]

FORMAT_VERSION: Final = 1
PROFILE: Final = f"latemiles/{FORMAT_VERSION}"
HEADER_METADATA: Final = "latemiles.header"
RECOVERY_METADATA: Final = "latemiles.recovery"
MAX_TIME_NS: Final = 2**63 - 1
"""Largest ``arrival_ns`` that is written: what a signed 64-bit integer holds, 292 years."""

PACKET_SCHEMA: Final = (
    "The bytes of one notification of one sensor, as heard, without any framing. log_time is the host time "
    "of arrival in ns since the run started. The driver named in the run header for the segment in the topic "
    "says how to read them."
)


class FormatError(ValueError):
    """Bytes that are not what the format says; the reader adds the file's name and the advice."""


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """One channel of a recording; its id is its place in `CHANNELS`, counted from 1."""

    topic: str
    schema_name: str
    message_encoding: str
    schema_encoding: str
    schema: bytes


# A field's JSON form follows from its annotation; the module uses deferred annotations, so these are words.
def _float_to_json(value: Any) -> float | str | None:
    number = float(value)
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return None
    return "Infinity" if number > 0.0 else "-Infinity"


def _float_from_json(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise FormatError("a number is too large for a double") from error
    if value in ("Infinity", "-Infinity"):
        return float(value)
    raise FormatError(f"{value!r:.40} is not a number")


def _int_from_json(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise FormatError(f"{value!r:.40} is not a whole number")


def _str_from_json(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise FormatError(f"{value!r:.40} is not a text")


def _segment_from_json(value: Any) -> Segment:
    try:
        return Segment(value)
    except ValueError as error:
        raise FormatError(f"{value!r:.40} is not a segment") from error


def _texts_to_json(value: Mapping[str, str]) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()}


def _texts_from_json(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {key: _str_from_json(text) for key, text in value.items()}
    raise FormatError(f"{value!r:.40} is not an object of texts")


def _sensors_to_json(value: tuple[SensorInfo, ...]) -> list[dict[str, Any]]:
    return [_to_fields(sensor) for sensor in value]


def _sensors_from_json(value: Any) -> tuple[SensorInfo, ...]:
    if isinstance(value, list):
        return tuple(_from_fields(SensorInfo, item) for item in value)
    raise FormatError(f"{value!r:.40} is not a list of sensors")


@dataclass(frozen=True, slots=True)
class _FieldCodec:
    to_json: Callable[[Any], Any]
    from_json: Callable[[Any], Any]
    schema: Mapping[str, Any]
    as_is: type[Any] | None = None
    """Values of this type are what they are; the others are asked about."""


_CODECS: Final[Mapping[str, _FieldCodec]] = {
    "float": _FieldCodec(
        _float_to_json,
        _float_from_json,
        {"type": ["number", "null", "string"], "description": "null is NaN"},
        float,
    ),
    "int": _FieldCodec(int, _int_from_json, {"type": "integer"}),
    "str": _FieldCodec(str, _str_from_json, {"type": "string"}),
    "Segment": _FieldCodec(str, _segment_from_json, {"type": "string", "enum": [s.value for s in Segment]}),
    "dict[str, str]": _FieldCodec(
        _texts_to_json, _texts_from_json, {"type": "object", "additionalProperties": {"type": "string"}}
    ),
    "tuple[SensorInfo, ...]": _FieldCodec(
        _sensors_to_json, _sensors_from_json, {"type": "array", "items": {"type": "object"}}
    ),
}


def _json_fields(kind: type[Any]) -> list[tuple[str, _FieldCodec, bool]]:
    """Name, codec and whether it must be there, of each field but the arrival (which is ``log_time``)."""
    return [
        (f.name, _CODECS[str(f.type)], f.default is MISSING and f.default_factory is MISSING)
        for f in fields(kind)
        if f.name != "arrival_ns"
    ]


_KINDS: Final = {"header": RunHeader, "gone": Gone, "link": Link, "mark": Mark, "pose": Pose, "speed": Speed}
_FIELDS: Final = {kind: _json_fields(kind) for kind in (*_KINDS.values(), SensorInfo)}
_READERS: Final = {
    kind: [(name, codec.as_is, codec.from_json, needed) for name, codec, needed in listed]
    for kind, listed in _FIELDS.items()
}
"""The same, as every record that is read asks for it."""


def _to_fields(record: Any) -> dict[str, Any]:
    return {name: codec.to_json(getattr(record, name)) for name, codec, _ in _FIELDS[type(record)]}


def _from_fields(kind: type[Any], value: Any, **more: int) -> Any:
    if not isinstance(value, dict):
        raise FormatError(f"{kind.__name__} is not a JSON object")
    found: dict[str, Any] = {}
    for name, as_is, from_json, needed in _READERS[kind]:
        if name in value:
            said = value[name]
            found[name] = said if type(said) is as_is else from_json(said)
        elif needed:
            raise FormatError(f"{kind.__name__} lacks the field {name!r}")
    return kind(**more, **found)


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def _loads(data: bytes) -> Any:
    try:
        # Ours is ASCII without blanks around it; given bytes, json would look for their encoding first.
        text = data.decode()
        if text[:1] == "{":
            value, end = _DECODER.raw_decode(text)
            if end == len(text):
                return value
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError("the JSON of a record cannot be read") from error


_DECODER: Final = json.JSONDecoder()


def _json_schema(kind: type[Any]) -> bytes:
    named = {name: dict(codec.schema) for name, codec, _ in _FIELDS[kind]}
    if "sensors" in named:
        named["sensors"]["items"] = json.loads(_json_schema(SensorInfo))
    needed = [name for name, _, is_needed in _FIELDS[kind] if is_needed]
    return _dumps({"title": kind.__name__, "type": "object", "properties": named, "required": needed})


def _packet_channel(segment: Segment) -> ChannelSpec:
    return ChannelSpec(
        f"packet/{segment.value}", "latemiles.Packet", "x-latemiles-packet", "x-text", PACKET_SCHEMA.encode()
    )


def _json_channel(topic: str) -> ChannelSpec:
    kind = _KINDS[topic]
    return ChannelSpec(topic, f"latemiles.{kind.__name__}", "json", "jsonschema", _json_schema(kind))


CHANNELS: Final = (
    _json_channel("header"),
    *(_packet_channel(s) for s in (Segment.PELVIS, Segment.LEFT_THIGH, Segment.RIGHT_THIGH, Segment.TRUNK)),
    *(_json_channel(topic) for topic in ("gone", "link", "mark", "pose", "speed")),
)
"""Every channel of a recording, in the order of their ids, which the format fixes."""

_TOPIC_ID: Final = {spec.topic: k for k, spec in enumerate(CHANNELS, start=1)}
_PACKET_ID: Final = {s: _TOPIC_ID[f"packet/{s.value}"] for s in Segment}
_KIND_ID: Final[dict[type[Any], int]] = {kind: _TOPIC_ID[topic] for topic, kind in _KINDS.items()}


def encode(record: Record) -> tuple[int, int, bytes]:
    """A record as channel id, ``arrival_ns`` and message bytes.

    Raises
    ------
    FormatError
        If the arrival is negative or does not fit 63 bits.
    TypeError
        If it is not a record.
    """
    if isinstance(record, Packet):
        channel, arrival_ns, data = _PACKET_ID[record.segment], int(record.arrival_ns), bytes(record.payload)
    elif isinstance(record, RunHeader):
        channel, arrival_ns, data = _KIND_ID[RunHeader], 0, header_to_json(record)
    elif type(record) in _KIND_ID:
        channel, arrival_ns = _KIND_ID[type(record)], int(record.arrival_ns)
        data = _dumps(_to_fields(record))
    else:
        raise TypeError(f"{type(record).__name__} is not a record; pass one of signals.records.Record.")
    if not 0 <= arrival_ns <= MAX_TIME_NS:
        raise FormatError(f"arrival_ns of {arrival_ns} is not between 0 and 2^63 - 1")
    return channel, arrival_ns, data


Decoder = Callable[[int, bytes], Record]
"""Takes ``arrival_ns`` and the message bytes."""


def _packet_decoder(segment: Segment) -> Decoder:
    def packet(arrival_ns: int, data: bytes) -> Record:
        return Packet(arrival_ns, segment, data)

    return packet


def _json_decoder(kind: type[Any]) -> Decoder:
    def from_json(arrival_ns: int, data: bytes) -> Record:
        record: Record = _from_fields(kind, _loads(data), arrival_ns=arrival_ns)
        return record

    return from_json


def header_to_json(header: RunHeader) -> bytes:
    """The header as ASCII JSON, as in its message and in the metadata."""
    return _dumps(_to_fields(header))


def header_from_json(data: bytes) -> RunHeader:
    """Read what `header_to_json` wrote; raises FormatError."""
    header: RunHeader = _from_fields(RunHeader, _loads(data))
    return header


def _header_decoder(arrival_ns: int, data: bytes) -> Record:
    del arrival_ns  # A header has no arrival: it is what session time zero belongs to.
    return header_from_json(data)


_DECODERS: Final[Mapping[str, Decoder]] = {
    "header": _header_decoder,
    **{f"packet/{s.value}": _packet_decoder(s) for s in Segment},
    **{topic: _json_decoder(kind) for topic, kind in _KINDS.items() if kind is not RunHeader},
}


_PACKET_LANES: Final = {f"packet/{s.value}": s.lane for s in Segment}


def decoder_for(topic: str) -> Decoder | None:
    """The function that reads the messages of a topic; None for a topic of another making, to be skipped."""
    return _DECODERS.get(topic)


def packet_lane(topic: str) -> int | None:
    """``Segment.lane`` of the sensor whose packets a topic holds; None for a topic of other records."""
    return _PACKET_LANES.get(topic)


def decode(topic: str, arrival_ns: int, data: bytes) -> Record:
    """One message as a record; raises FormatError for an unknown topic or bytes that do not fit it."""
    decoder = _DECODERS.get(topic)
    if decoder is None:
        raise FormatError(f"unknown topic {topic!r:.60}")
    return decoder(arrival_ns, data)


def kind_of(record: Record) -> str:
    """Word for the kind of a record in counts and reports: ``packet``, ``mark``, ..."""
    return type(record).__name__.lower() if not isinstance(record, RunHeader) else "header"


def profile_version(profile: str) -> int | None:
    """Format version in an MCAP profile; None if the file is not one of ours."""
    name, slash, version = profile.partition("/")
    if name != "latemiles" or not slash or not (version.isascii() and version.isdigit()) or len(version) > 6:
        return None
    return int(version)
