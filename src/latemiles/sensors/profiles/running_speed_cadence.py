"""Running Speed and Cadence (service 0x1814, measurement 0x2A53): foot pods and some watches."""

from __future__ import annotations

import struct
from math import isnan, nan
from typing import Final, NamedTuple

from latemiles.sensors.profiles.fields import Fields

__all__ = ["MEASUREMENT", "SERVICE", "RunningSpeed", "decode", "encode"]

SERVICE: Final = "00001814-0000-1000-8000-00805f9b34fb"
MEASUREMENT: Final = "00002a53-0000-1000-8000-00805f9b34fb"

_STRIDE: Final = 1
_DISTANCE: Final = 2
_RUNNING: Final = 4
_STEPS_FROM: Final = 120.0
"""Nobody runs with fewer steps a minute, or with more strides."""


class RunningSpeed(NamedTuple):
    """One measurement."""

    speed_m_s: float
    cadence_per_min: float
    """As sent: pods differ on whether they count one foot or both."""
    stride_length_m: float = nan
    distance_m: float = nan
    """Total since the pod began to count."""
    is_running: bool = False

    @property
    def steps_per_min(self) -> float:
        """Steps of both feet a minute; NaN unless running, where alone a pod that counts one foot shows."""
        if not self.is_running or self.cadence_per_min <= 0.0:
            return nan
        return self.cadence_per_min * (2.0 if self.cadence_per_min < _STEPS_FROM else 1.0)


def decode(payload: bytes) -> RunningSpeed:
    """Interpret one notification.

    Raises
    ------
    PacketError
        If it is too short for its flags.
    """
    fields = Fields(payload, "A running speed")
    flags = fields.take(1)
    speed = fields.take(2) / 256.0
    cadence = float(fields.take(1))
    stride = fields.take(2) / 100.0 if flags & _STRIDE else nan
    distance = fields.take(4) / 10.0 if flags & _DISTANCE else nan
    return RunningSpeed(speed, cadence, stride, distance, bool(flags & _RUNNING))


def encode(value: RunningSpeed) -> bytes:
    """The bytes of one measurement, as a pod sends them."""
    flags = _RUNNING if value.is_running else 0
    tail = b""
    if not isnan(value.stride_length_m):
        flags |= _STRIDE
        tail += struct.pack("<H", round(value.stride_length_m * 100.0))
    if not isnan(value.distance_m):
        flags |= _DISTANCE
        tail += struct.pack("<I", round(value.distance_m * 10.0))
    return struct.pack("<BHB", flags, round(value.speed_m_s * 256.0), round(value.cadence_per_min)) + tail
