"""Fitness Machine: treadmill data (service 0x1826, characteristic 0x2ACD)."""

from __future__ import annotations

import struct
from math import isnan, nan
from typing import Final, NamedTuple

from latemiles.sensors.profiles.fields import Fields

__all__ = ["MEASUREMENT", "SERVICE", "Treadmill", "decode", "encode"]

SERVICE: Final = "00001826-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002acd-0000-1000-8000-00805f9b34fb"

_MORE_DATA: Final = 1
"""Inverted: 0 means that the speed is there."""
_AVERAGE_SPEED: Final = 1 << 1
_DISTANCE: Final = 1 << 2
_INCLINE: Final = 1 << 3
_ELEVATION: Final = 1 << 4
_PACE: Final = 1 << 5
_AVERAGE_PACE: Final = 1 << 6
_ENERGY: Final = 1 << 7
_HEART_RATE: Final = 1 << 8
_NO_INCLINE: Final = 0x7FFF


class Treadmill(NamedTuple):
    """One record; a machine may split what it knows over two, so anything may be missing (NaN)."""

    speed_m_s: float = nan
    distance_m: float = nan
    """Total since the machine was started."""
    grade: float = nan
    """Rise over run."""
    heart_rate_bpm: float = nan


def decode(payload: bytes) -> Treadmill:
    """Interpret one notification; fields behind the heart rate are passed over.

    Pace was 8 bits wide in early machines and is 16 in the specification; the length tells nothing of it, so
    heart rate is read as the specification says.

    Raises
    ------
    PacketError
        If it is too short for its flags.
    """
    fields = Fields(payload, "A treadmill record")
    flags = fields.take(2)
    speed = nan if flags & _MORE_DATA else fields.take(2) / 360.0
    if flags & _AVERAGE_SPEED:
        fields.skip(2)
    distance = float(fields.take(3)) if flags & _DISTANCE else nan
    grade = nan
    if flags & _INCLINE:
        incline = fields.take(2, signed=True)
        grade = nan if incline == _NO_INCLINE else incline / 1000.0
        fields.skip(2)
    for flag, size in ((_ELEVATION, 4), (_PACE, 2), (_AVERAGE_PACE, 2), (_ENERGY, 5)):
        if flags & flag:
            fields.skip(size)
    heart = float(fields.take(1)) if flags & _HEART_RATE else nan
    return Treadmill(speed, distance, grade, heart if heart > 0.0 else nan)


def encode(value: Treadmill) -> bytes:
    """The bytes of one record, as a machine sends them."""
    flags, tail = 0, b""
    if isnan(value.speed_m_s):
        flags |= _MORE_DATA
    else:
        tail += struct.pack("<H", round(value.speed_m_s * 360.0))
    if not isnan(value.distance_m):
        flags |= _DISTANCE
        tail += round(value.distance_m).to_bytes(3, "little")
    if not isnan(value.grade):
        flags |= _INCLINE
        tail += struct.pack("<hh", round(value.grade * 1000.0), _NO_INCLINE)
    if not isnan(value.heart_rate_bpm):
        flags |= _HEART_RATE
        tail += bytes([round(value.heart_rate_bpm)])
    return struct.pack("<H", flags) + tail
