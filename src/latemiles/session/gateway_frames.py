"""Raw records on their way from a gateway to the machine that runs the pipeline: frames and answers.

The records of a run are numbered from 0, the header. A frame carries a stretch of them, as the recording
would keep them, with a checksum; an answer says how many the other side has written down. Both are in
docs/data-plane.md.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from latemiles.errors import PacketError
from latemiles.recording.format import CHANNELS, FormatError, decode, encode, header_to_json
from latemiles.signals.records import Record, RunHeader
from latemiles.sinks.messages import topic

__all__ = ["RAW_PATTERN", "Answer", "Frame", "ack_topic", "pack", "raw_topic", "unpack"]

MAGIC: Final = b"LMG1"
_HEAD: Final = struct.Struct("<4sBIHI")
_RECORD: Final = struct.Struct("<BQI")
_LAST: Final = 1
ANSWER_SCHEMA: Final = "latemiles/gateway-answer/1"
RAW_PATTERN: Final = "latemiles/v1/+/+/raw/+"
"""Topic filter of the frames of all runs."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A stretch of a run's records."""

    first: int
    """Number of its first record; for an empty last frame the number of records in all."""
    records: tuple[Record, ...]
    is_last: bool = False
    """Nothing comes after it: the run is over."""

    @property
    def end(self) -> int:
        """Number of the record after its last one."""
        return self.first + len(self.records)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side has."""

    next: int
    """Records written down; the number of the next one it wants."""
    resend: bool = False
    """Something is missing: begin again with ``next``."""
    is_over: bool = False
    """The run is whole and closed."""

    def to_bytes(self) -> bytes:
        """As JSON."""
        fields = {"schema": ANSWER_SCHEMA, "next": self.next, "resend": self.resend, "is_over": self.is_over}
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, payload: bytes) -> Answer:
        """Read what ``to_bytes`` wrote; raises PacketError."""
        try:
            told = json.loads(payload)
            return cls(int(told["next"]), bool(told["resend"]), bool(told["is_over"]))
        except (ValueError, KeyError, TypeError) as error:
            raise PacketError("An answer to a gateway cannot be read. Update latemiles on both.") from error


def raw_topic(header: RunHeader) -> str:
    """Topic of the frames of a run.

    Its last level tells runs apart that are named alike: by the same athlete, by one whose clock begins anew
    each day, or by two gateways.
    """
    return f"{topic(header.athlete, header.run, 'raw')}/{zlib.crc32(header_to_json(header)):08x}"


def ack_topic(raw: str) -> str:
    """Topic of the answers to what is sent on a topic of frames."""
    return f"{raw}/answer"


def pack(first: int, records: Sequence[Record], *, is_last: bool = False) -> bytes:
    """A frame as bytes.

    Parameters
    ----------
    first : int
        Number of the first record.
    records : sequence of Record
        At most 65535.
    is_last : bool
        Whether the run is over with it.
    """
    parts = []
    for record in records:
        channel, arrival_ns, body = encode(record)
        parts += [_RECORD.pack(channel, arrival_ns, len(body)), body]
    content = b"".join(parts)
    head = _HEAD.pack(MAGIC, _LAST * is_last, first, len(records), zlib.crc32(content))
    return head + content


def unpack(payload: bytes) -> Frame:
    """Read what ``pack`` wrote.

    Raises
    ------
    PacketError
        If the bytes are not a whole frame.
    """
    try:
        magic, flags, first, count, crc = _HEAD.unpack_from(payload)
        content = payload[_HEAD.size :]
        if magic != MAGIC or zlib.crc32(content) != crc:
            raise PacketError("A gateway's frame is damaged. It will be asked for again.")
        records, at = [], 0
        for _ in range(count):
            channel, arrival_ns, length = _RECORD.unpack_from(content, at)
            at += _RECORD.size
            records.append(decode(CHANNELS[channel - 1].topic, arrival_ns, content[at : at + length]))
            at += length
    except (struct.error, IndexError, FormatError) as error:
        raise PacketError("A gateway's frame cannot be read. Update latemiles on both sides.") from error
    return Frame(first, tuple(records), bool(flags & _LAST))
