"""Movesense sensors with the GATT SensorData Protocol firmware (GSP), resource ``/Meas/IMU6``.

From the public documentation and the maker's open Python client (github.com/sensein/movesense-py,
docs/movesense-api.md). A notification is u8 type (2 data), u8 reference, u32 milliseconds of the first
sample, then k accelerometer triples in m/s^2 and k gyroscope triples in deg/s, float32, one block after the
other. A measurement that does not fit one notification comes in two (type 3 is its second part); the link
joins them. There is no counter: a lost packet shows as a jump of time only, and time has milliseconds only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np

from latemiles.errors import PacketError
from latemiles.signals.packets import Capabilities, DecodedPacket

__all__ = [
    "COMMAND",
    "DATA",
    "NAME",
    "SERVICE",
    "Movesense",
    "is_second_part",
    "joined",
    "subscribe",
    "unsubscribe",
]

NAME: Final = "movesense"
SERVICE: Final = "34802252-7185-4d5d-b431-630e7050e8f0"
COMMAND: Final = "34800001-7185-4d5d-b431-630e7050e8f0"
DATA: Final = "34800002-7185-4d5d-b431-630e7050e8f0"

RATES_HZ: Final = (13.0, 26.0, 52.0, 104.0, 208.0, 416.0, 833.0, 1666.0)
_SUBSCRIBE: Final = 1
_UNSUBSCRIBE: Final = 2
_IS_DATA: Final = 2
_IS_SECOND_PART: Final = 3
_HEAD: Final = struct.Struct("<BBI")
_PAIR_BYTES: Final = 24
_MOST_SAMPLES: Final = 64


def subscribe(rate_hz: int, reference: int = 1) -> bytes:
    """Command that starts accelerometer and gyroscope at a rate of ``RATES_HZ``."""
    return bytes((_SUBSCRIBE, reference)) + f"/Meas/IMU6/{rate_hz}\0".encode()


def unsubscribe(reference: int = 1) -> bytes:
    """Command that stops what was subscribed under a reference."""
    return bytes((_UNSUBSCRIBE, reference))


def is_second_part(notification: bytes) -> bool:
    """Whether a notification is the rest of the measurement before it."""
    return notification[:1] == bytes((_IS_SECOND_PART,))


def joined(first: bytes, second: bytes) -> bytes:
    """One measurement from its two notifications.

    Raises
    ------
    PacketError
        If they are not the two parts of one measurement.
    """
    if len(first) < 2 or len(second) < 2 or first[0] != _IS_DATA or second[0] != _IS_SECOND_PART:
        raise PacketError("These are not two parts of one Movesense measurement. They are left out.")
    if first[1] != second[1]:
        raise PacketError("Two Movesense parts have different references. They are left out.")
    return first + second[2:]


@dataclass(frozen=True, slots=True)
class Movesense:
    """Decoder of whole IMU6 measurements."""

    @property
    def name(self) -> str:
        """Name in the registry and in recordings."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """What the family can tell and do."""
        return Capabilities(
            has_index=False,
            has_device_time=True,
            can_resend=False,
            rates_hz=RATES_HZ,
            tick_hz=1000.0,
            tick_bits=32,
        )

    def decode(self, payload: bytes) -> DecodedPacket:
        """Interpret one measurement.

        Raises
        ------
        PacketError
            If it is no whole IMU6 measurement, or a value is not finite.
        """
        body = len(payload) - _HEAD.size
        if body < _PAIR_BYTES or body % _PAIR_BYTES or body > _PAIR_BYTES * _MOST_SAMPLES:
            raise PacketError(f"{len(payload)} bytes are no Movesense IMU6 measurement. They are left out.")
        kind, _, tick = _HEAD.unpack_from(payload)
        if kind != _IS_DATA:
            raise PacketError(f"A Movesense message of type {kind} holds no samples. It is left out.")
        values = np.frombuffer(payload, dtype="<f4", offset=_HEAD.size)
        # Before the cast: a signalling NaN would warn in it.
        if not np.isfinite(values).all():
            raise PacketError("A Movesense measurement holds values that are no numbers. It is left out.")
        acc, gyr = values.astype(np.float64).reshape(2, -1, 3)
        return DecodedPacket(
            acc=np.ascontiguousarray(acc),
            gyr=np.ascontiguousarray(gyr) * (pi / 180.0),
            flags=np.zeros(len(acc), dtype=np.int64),
            tick=tick,
            tick_hz=1000.0,
        )
