"""WitMotion BLE sensors (BWT901BLE5.0, WT901BLECL, WT9011DCL-BT): data frames ``55 61``.

From the maker's manual and open examples (github.com/WITMOTION). A notification holds whole frames of 20
bytes: ``55 61``, then acceleration, turning rate and angles, three int16 each, at 16 g, 2000 deg/s and 180
deg full scale. There is neither time nor counter: the host's time of arrival is all there is, a loss cannot
be seen, and nothing that needs good timing is to be claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np

from latemiles.errors import PacketError
from latemiles.sensors.drivers.limits import clipping
from latemiles.signals.packets import Capabilities, DecodedPacket

__all__ = ["DATA", "NAME", "SERVICE", "WRITE", "WitMotion", "set_rate"]

NAME: Final = "witmotion"
# 9a34fb, not the 9b34fb of the Bluetooth SIG.
SERVICE: Final = "0000ffe5-0000-1000-8000-00805f9a34fb"
DATA: Final = "0000ffe4-0000-1000-8000-00805f9a34fb"
WRITE: Final = "0000ffe9-0000-1000-8000-00805f9a34fb"

ACC_RANGE_M_S2: Final = 16.0 * 9.80665
GYR_RANGE_RAD_S: Final = 2000.0 * pi / 180.0
RATES_HZ: Final = (10.0, 20.0, 50.0, 100.0, 200.0)
_RATE_CODES: Final = {10: 0x06, 20: 0x07, 50: 0x08, 100: 0x09, 200: 0x0B}

_FRAME_BYTES: Final = 20
_START: Final = 0x55
_SAMPLE: Final = 0x61
_REGISTERS: Final = 0x71


def set_rate(rate_hz: int) -> list[bytes]:
    """Writes that unlock the sensor, set its rate and keep it.

    Raises
    ------
    PacketError
        If the rate is not on offer.
    """
    if rate_hz not in _RATE_CODES:
        raise PacketError(f"{rate_hz} Hz is not on offer. Use one of {', '.join(map(str, _RATE_CODES))}.")
    return [
        bytes.fromhex("ffaa6988b5"),
        bytes((0xFF, 0xAA, 0x03, _RATE_CODES[rate_hz], 0)),
        bytes.fromhex("ffaa000000"),
    ]


@dataclass(frozen=True, slots=True)
class WitMotion:
    """Decoder of data frames."""

    @property
    def name(self) -> str:
        """Name in the registry and in recordings."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """What the family can tell and do: next to nothing."""
        return Capabilities(has_index=False, has_device_time=False, can_resend=False, rates_hz=RATES_HZ)

    def decode(self, payload: bytes) -> DecodedPacket:
        """Interpret one notification; register replies in it are passed over.

        Raises
        ------
        PacketError
            If it does not consist of whole frames, or holds no sample.
        """
        if not payload or len(payload) % _FRAME_BYTES:
            raise PacketError(f"{len(payload)} bytes are no whole WitMotion frames. They are left out.")
        table = np.frombuffer(payload, dtype=np.uint8).reshape(-1, _FRAME_BYTES)
        is_sample = table[:, 1] == _SAMPLE
        if not ((table[:, 0] == _START) & (is_sample | (table[:, 1] == _REGISTERS))).all():
            raise PacketError("These are no WitMotion frames. They are left out; nothing to do.")
        if not is_sample.any():
            raise PacketError("A WitMotion reply holds no sample. It is left out; nothing to do.")
        counts = np.ascontiguousarray(table[is_sample, 2:]).view("<i2")
        acc, gyr = counts[:, :3], counts[:, 3:6]
        return DecodedPacket(
            acc=np.ascontiguousarray(acc * (ACC_RANGE_M_S2 / 32768.0)),
            gyr=np.ascontiguousarray(gyr * (GYR_RANGE_RAD_S / 32768.0)),
            flags=clipping(acc, gyr),
        )
