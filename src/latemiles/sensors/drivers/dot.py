"""Movella (Xsens) DOT: rate quantities over the measurement service.

From "Xsens DOT BLE Services Specifications" (XD0506P). Mode 21, rate quantities: u32 microseconds,
acceleration in m/s^2 and turning rate in deg/s, three float32 each, one sample a notification; the medium
payload is padded to 40 bytes, and mode 20 has the magnetometer in the padding. 60 Hz is the most that it
streams live; 120 Hz is for recordings inside the sensor, which are exported as CSV (``latemiles import``). No
counter.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np

from latemiles.errors import PacketError
from latemiles.signals.packets import Capabilities, DecodedPacket

__all__ = ["CONTROL", "DATA", "NAME", "SERVICE", "Dot", "start", "stop", "synchronize"]

NAME: Final = "dot"


def _uuid(number: int) -> str:
    return f"1517{number:04x}-4947-11e9-8646-d663bd873d93"


SERVICE: Final = _uuid(0x2000)
CONTROL: Final = _uuid(0x2001)
DATA: Final = _uuid(0x2003)
"""Medium payload."""
RATES_HZ: Final = (1.0, 4.0, 10.0, 12.0, 15.0, 20.0, 30.0, 60.0)
RATE_QUANTITIES: Final = 21

_SAMPLE: Final = struct.Struct("<I6f")
_PADDED_BYTES: Final = 40
_SYNC: Final = 2
_START_SYNC: Final = 1


def start(mode: int = RATE_QUANTITIES) -> bytes:
    """Request on the control characteristic that starts a measurement."""
    return bytes((1, 1, mode))


def stop(mode: int = RATE_QUANTITIES) -> bytes:
    """Request on the control characteristic that ends it."""
    return bytes((1, 0, mode))


def synchronize(root_address: str) -> bytes:
    """Message that makes a sensor take the time of a root sensor, by its address.

    Raises
    ------
    PacketError
        If the address has not six parts.
    """
    parts = bytes(int(part, 16) for part in root_address.split(":"))
    if len(parts) != 6:
        raise PacketError(f"'{root_address}' is no Bluetooth address. Give one such as D4:CA:6E:F1:69:3D.")
    message = bytes((_SYNC, len(parts) + 1, _START_SYNC)) + parts[::-1]
    return message + bytes((-sum(message) & 0xFF,))


@dataclass(frozen=True, slots=True)
class Dot:
    """Decoder of rate quantities."""

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
            tick_hz=1e6,
            tick_bits=32,
        )

    def decode(self, payload: bytes) -> DecodedPacket:
        """Interpret one notification.

        Raises
        ------
        PacketError
            If it has neither 28 nor 40 bytes, or a value is not finite.
        """
        if len(payload) not in (_SAMPLE.size, _PADDED_BYTES):
            raise PacketError(f"{len(payload)} bytes are no rate quantities of a DOT. They are left out.")
        tick, *values = _SAMPLE.unpack_from(payload)
        table = np.array(values, dtype=np.float64).reshape(2, 1, 3)
        if not np.isfinite(table).all():
            raise PacketError("A DOT sample holds values that are no numbers. It is left out.")
        return DecodedPacket(
            acc=np.ascontiguousarray(table[0]),
            gyr=np.ascontiguousarray(table[1]) * (pi / 180.0),
            flags=np.zeros(1, dtype=np.int64),
            tick=tick,
            tick_hz=1e6,
        )
