"""Samples of imported files, packed as they are: 64-bit floats in, the same bits out."""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import PacketError
from latemiles.signals.blocks import ImuStream
from latemiles.signals.frames import Segment
from latemiles.signals.packets import Capabilities, DecodedPacket, DecodedStretch
from latemiles.signals.records import Packet, Record, RunHeader, SensorInfo

__all__ = ["NAME", "Samples", "encode", "records"]

NAME: Final = "samples"
PACKET_S: Final = 0.1
"""Length of a packet, s: what a radio would bring at once."""
MAX_SAMPLES: Final = 4096

_MAGIC: Final = b"LMS1"
_HEADER: Final = struct.Struct("<4sI")
_FIELDS: Final = np.dtype([("magic", "S4"), ("k", "<u4")])
"""The header, for many packets at once."""
_COLUMNS: Final = 7


def encode(t_s: NDArray[np.float64], acc: NDArray[np.float64], gyr: NDArray[np.float64]) -> bytes:
    """Pack k samples: t (k,) s, acc (k, 3) m/s^2, gyr (k, 3) rad/s; 1 to 4096 of them.

    Raises
    ------
    PacketError
        If there are none or too many.
    """
    k = len(t_s)
    if not 1 <= k <= MAX_SAMPLES:
        raise PacketError(
            f"A packet holds 1 to {MAX_SAMPLES} samples, not {k}. Split them over more packets."
        )
    table = np.empty((k, _COLUMNS), dtype="<f8")
    table[:, 0], table[:, 1:4], table[:, 4:] = t_s, acc, gyr
    return _HEADER.pack(_MAGIC, k) + table.tobytes()


@dataclass(frozen=True, slots=True)
class Samples:
    """Decoder of packed samples."""

    @property
    def name(self) -> str:
        """Name in the registry and in recordings."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """What the family can tell and do."""
        return Capabilities(
            has_index=False, has_device_time=False, can_resend=False, rates_hz=(), has_exact_time=True
        )

    def decode(self, payload: bytes) -> DecodedPacket:
        """Interpret one packet; ``t_s`` is exact, missing samples are NaN as they were.

        Raises
        ------
        PacketError
            If the bytes are no such packet or its time does not strictly increase.
        """
        if len(payload) < _HEADER.size:
            raise PacketError(f"{len(payload)} bytes are too few for packed samples. Import the file again.")
        magic, k = _HEADER.unpack_from(payload)
        if magic != _MAGIC or not 1 <= k <= MAX_SAMPLES or len(payload) != _HEADER.size + 8 * _COLUMNS * k:
            raise PacketError(
                f"A packet of {len(payload)} bytes does not hold packed samples. Import the file again."
            )
        table = np.frombuffer(payload, dtype="<f8", offset=_HEADER.size).reshape(k, _COLUMNS)
        t_s = np.array(table[:, 0], dtype=np.float64)
        if not np.all(np.isfinite(t_s)) or not np.all(t_s[1:] > t_s[:-1]):
            raise PacketError("The times of packed samples do not increase. Import the file again.")
        return DecodedPacket(
            acc=np.array(table[:, 1:4], dtype=np.float64, order="C"),
            gyr=np.array(table[:, 4:], dtype=np.float64, order="C"),
            flags=np.zeros(k, dtype=np.int64),
            t_s=t_s,
        )

    def decode_many(self, data: bytes, start: NDArray[np.int64], stop: NDArray[np.int64]) -> DecodedStretch:
        """Interpret many packets, each as ``decode`` does; see `StretchDriver`."""
        raw = np.frombuffer(data, dtype=np.uint8)
        is_sound = stop - start >= _HEADER.size
        heads = np.zeros((len(start), _HEADER.size), dtype=np.uint8)
        heads[is_sound] = raw[start[is_sound, None] + np.arange(_HEADER.size)]
        head = heads.view(_FIELDS)[:, 0]
        k = head["k"].astype(np.int64)
        is_sound &= (head["magic"] == _MAGIC) & (k >= 1) & (k <= MAX_SAMPLES)
        is_sound &= stop - start == _HEADER.size + 8 * _COLUMNS * k
        count = np.where(is_sound, k, 0)
        table = _rows(raw, start + _HEADER.size, count)
        packet = np.repeat(np.arange(len(count)), count)
        t_s = table[:, 0]
        bad = ~np.isfinite(t_s)
        bad[1:] |= (packet[1:] == packet[:-1]) & ~(t_s[1:] > t_s[:-1])
        if bad.any():
            is_sound[packet[bad]] = False
            table, count = table[is_sound[packet]], np.where(is_sound, count, 0)
        none = np.full(len(count), -1, dtype=np.int64)
        never = np.zeros(len(count), dtype=np.bool_)
        return DecodedStretch(
            acc=np.array(table[:, 1:4], order="C"),
            gyr=np.array(table[:, 4:], order="C"),
            flags=np.zeros(len(table), dtype=np.int64),
            sizes=count,
            is_damaged=~is_sound,
            first_index=none,
            tick=none,
            epoch=np.zeros(len(count), dtype=np.int64),
            is_resent=never,
            is_marked=never,
            t_s=np.array(table[:, 0]),
        )


def _rows(raw: NDArray[np.uint8], start: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Samples (N, 7) of packets whose ``count`` samples begin at byte ``start``."""
    size = 8 * _COLUMNS
    before = np.cumsum(count) - count
    at = np.repeat(start - size * before, count) + size * np.arange(int(count.sum()))
    rows: NDArray[np.float64] = raw[at[:, None] + np.arange(size)].view("<f8").astype(np.float64, copy=False)
    return rows


def records(streams: Mapping[Segment, ImuStream], header: Mapping[str, Any]) -> Iterator[Record]:
    """Whole streams as the records that a run would have heard, in order of arrival.

    Parameters
    ----------
    streams : mapping of Segment to ImuStream
        Times are session seconds, kept to the bit.
    header : mapping
        Further fields of the RunHeader: ``run``, ``source``, ...

    Yields
    ------
    Record
        The header, then packets of about 0.1 s, each arriving at the time of its last sample (not before
        time zero).
    """
    infos = tuple(_info(segment, streams[segment]) for segment in sorted(streams, key=lambda s: s.lane))
    yield RunHeader(sensors=infos, **header)
    yield from heapq.merge(
        *(_packets(info.segment, streams[info.segment]) for info in infos), key=lambda p: p.arrival_ns
    )


def _info(segment: Segment, stream: ImuStream) -> SensorInfo:
    rate_hz = 1.0 / float(np.median(np.diff(stream.t))) if len(stream.t) > 1 else float("nan")
    return SensorInfo(segment=segment, driver=NAME, rate_hz=rate_hz)


def _packets(segment: Segment, stream: ImuStream) -> Iterator[Packet]:
    """Cut one stream where another tenth of a second of session time begins."""
    tenth = np.floor(stream.t / PACKET_S)
    cuts = np.flatnonzero(np.diff(tenth)) + 1
    edges = np.concatenate([[0], cuts, [len(stream.t)]]) if len(stream.t) else np.zeros(1, dtype=np.int64)
    for start, stop in pairwise(edges):
        for first in range(int(start), int(stop), MAX_SAMPLES):
            part = slice(first, min(first + MAX_SAMPLES, int(stop)))
            yield Packet(
                arrival_ns=max(0, round(float(stream.t[part][-1]) * 1e9)),
                segment=segment,
                payload=encode(stream.t[part], stream.acc[part], stream.gyr[part]),
            )
