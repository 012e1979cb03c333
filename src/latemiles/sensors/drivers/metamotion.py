"""MbientLab MetaMotion (R, S and their like): packed acceleration and turning rate.

Own code from the register layout that the maker documents. A notification is u8 module (0x03 accelerometer,
0x13 gyroscope), u8 register, then one sample of three int16, or three samples where it is packed. Both kinds
come apart, so a packet here is a bundle of as many samples of each. Neither time nor counter comes with a
stream: arrival is all there is; a lost notification cannot be told from a late one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import PacketError
from latemiles.sensors.drivers.bundle import unbundled
from latemiles.sensors.drivers.limits import clipping
from latemiles.signals.packets import Capabilities, DecodedPacket

__all__ = ["COMMAND", "DATA", "NAME", "SERVICE", "MetaMotion", "triples"]

NAME: Final = "metamotion"
SERVICE: Final = "326a9000-85cb-9195-d9dd-464cfbbae75a"
COMMAND: Final = "326a9001-85cb-9195-d9dd-464cfbbae75a"
DATA: Final = "326a9006-85cb-9195-d9dd-464cfbbae75a"

ACC: Final = 0x03
GYR: Final = 0x13
RATES_HZ: Final = (25.0, 50.0, 100.0)
_REGISTERS: Final = {ACC: (0x04, 0x05, 0x1C), GYR: (0x04, 0x05, 0x07)}
"""Plain and packed data, of the BMI160 and of the BMI270."""
_SINGLE: Final = 8
_PACKED: Final = 20
ACC_RANGE_M_S2: Final = 16.0 * 9.80665
GYR_RANGE_RAD_S: Final = 2000.0 * pi / 180.0
GYR_FULL: Final = 32800.0
"""Counts at full scale: 16.4 a degree per second at 2000 deg/s."""


def triples(notification: bytes) -> tuple[int, NDArray[np.int16]]:
    """Module and (1 or 3, 3) counts of one notification.

    Raises
    ------
    PacketError
        If it is none of motion.
    """
    if len(notification) not in (_SINGLE, _PACKED):
        raise PacketError(f"{len(notification)} bytes are no MetaMotion sample. They are left out.")
    module, register = notification[0], notification[1]
    if register not in _REGISTERS.get(module, ()):
        raise PacketError(f"MetaMotion register {module:02x} {register:02x} holds no motion. It is left out.")
    return module, np.frombuffer(notification, dtype="<i2", offset=2).reshape(-1, 3)


@dataclass(frozen=True, slots=True)
class MetaMotion:
    """Decoder of bundles, for one full scale."""

    acc_range: float = ACC_RANGE_M_S2
    gyr_range: float = GYR_RANGE_RAD_S

    @property
    def name(self) -> str:
        """Name in the registry and in recordings."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """What the family can tell and do."""
        return Capabilities(has_index=False, has_device_time=False, can_resend=False, rates_hz=RATES_HZ)

    def decode(self, payload: bytes) -> DecodedPacket:
        """Interpret one bundle.

        Raises
        ------
        PacketError
            If a notification is damaged or the kinds differ in number.
        """
        parts: dict[int, list[NDArray[np.int16]]] = {ACC: [], GYR: []}
        for one in unbundled(payload):
            module, counts = triples(one)
            parts[module].append(counts)
        if sum(map(len, parts[ACC])) != sum(map(len, parts[GYR])) or not parts[ACC]:
            raise PacketError("A MetaMotion bundle has not as many samples of each kind. It is left out.")
        acc, gyr = np.concatenate(parts[ACC]), np.concatenate(parts[GYR])
        return DecodedPacket(
            acc=np.ascontiguousarray(acc * (self.acc_range / 32768.0)),
            gyr=np.ascontiguousarray(gyr * (self.gyr_range / GYR_FULL)),
            flags=clipping(acc, gyr),
        )
