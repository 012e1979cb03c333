"""Heart Rate (service 0x180D, measurement 0x2A37): chest and arm straps."""

from __future__ import annotations

import struct
from math import nan
from typing import Final, NamedTuple

from latemiles.sensors.profiles.fields import Fields

__all__ = ["MEASUREMENT", "SERVICE", "HeartRate", "decode", "encode"]

SERVICE: Final = "0000180d-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002a37-0000-1000-8000-00805f9b34fb"

_WIDE: Final = 1
_CONTACT: Final = 2
_HAS_CONTACT: Final = 4
_ENERGY: Final = 8
_INTERVALS: Final = 16


class HeartRate(NamedTuple):
    """One measurement."""

    bpm: float
    """NaN while the strap says that it does not touch the skin."""
    intervals_s: tuple[float, ...] = ()
    """Between beats, oldest first."""


def decode(payload: bytes) -> HeartRate:
    """Interpret one notification.

    Raises
    ------
    PacketError
        If it is too short for its flags.
    """
    fields = Fields(payload, "A heart rate")
    flags = fields.take(1)
    bpm = float(fields.take(2 if flags & _WIDE else 1))
    if flags & _ENERGY:
        fields.skip(2)
    intervals: list[float] = []
    if flags & _INTERVALS:
        while fields.left >= 2:
            intervals.append(fields.take(2) / 1024.0)
    is_off = bool(flags & _HAS_CONTACT) and not flags & _CONTACT
    return HeartRate(nan if is_off or bpm == 0.0 else bpm, tuple(intervals))


def encode(value: HeartRate) -> bytes:
    """The bytes of one measurement, as a strap sends them."""
    flags = _CONTACT | _HAS_CONTACT | (_INTERVALS if value.intervals_s else 0)
    beats = [round(interval * 1024.0) for interval in value.intervals_s]
    return struct.pack(f"<BB{len(beats)}H", flags, round(value.bpm), *beats)
