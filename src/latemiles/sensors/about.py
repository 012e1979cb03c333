"""What a sensor of ours tells of itself: info, status, and what it tells everybody.

Part of the protocol of docs/sensor-protocol.md; pure, bytes to values and back.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from math import isnan, nan
from typing import Final, NamedTuple

from latemiles.errors import PacketError
from latemiles.sensors.protocol import VERSION, State

__all__ = ["UNKNOWN_PERCENT", "Advert", "Info", "Status", "StatusFlag", "serial_text"]

UNKNOWN_PERCENT: Final = 255
"""What a sensor says that does not know its battery."""
_STATUS: Final = struct.Struct("<BBBBHhIIII")
_INFO: Final = struct.Struct("<6B4H4B4HHIIQ32s")
_ADVERT: Final = struct.Struct("<BBBBH")


class StatusFlag(IntFlag):
    """Flags of the status."""

    CHARGING = 1
    BATTERY_LOW = 2
    IMU_FAULT = 4
    LOG_FAULT = 8
    LOG_HAS_PAGES = 16
    LOG_ERASING = 32
    UTC_KNOWN = 64


def serial_text(serial: int) -> str:
    """A serial number as it is shown, stored and printed on the label: 16 hex digits."""
    return f"{serial:016X}"


@dataclass(frozen=True, slots=True)
class Status:
    """The status characteristic, 24 bytes."""

    state: int = State.IDLE
    role: int = 0
    battery_percent: int = UNKNOWN_PERCENT
    flags: int = 0
    battery_mv: int = 0
    temperature_c: float = nan
    session: int = 0
    """Random per start: another one means other indexes."""
    next_index: int = 0
    """Index of the next sample: all below were taken."""
    oldest_index: int = 0
    """Lowest index that is still in the ring."""
    dropped: int = 0
    """Samples that the sensor itself lost in this session."""

    @property
    def battery(self) -> float:
        """Battery, percent; NaN where the sensor does not know."""
        return nan if self.battery_percent == UNKNOWN_PERCENT else float(self.battery_percent)

    def encode(self) -> bytes:
        """The bytes."""
        celsius = -32768 if isnan(self.temperature_c) else round(self.temperature_c * 100.0)
        return _STATUS.pack(
            self.state,
            self.role,
            self.battery_percent,
            self.flags,
            self.battery_mv,
            celsius,
            self.session,
            self.next_index & 0xFFFFFFFF,
            self.oldest_index & 0xFFFFFFFF,
            self.dropped & 0xFFFFFFFF,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Status:
        """Read the bytes; more than 24 are borne, for later versions.

        Raises
        ------
        PacketError
            If there are fewer.
        """
        if len(payload) < _STATUS.size:
            raise PacketError(f"A status of {len(payload)} bytes is too short. Update the sensor's firmware.")
        state, role, percent, flags, mv, celsius, *counts = _STATUS.unpack_from(payload)
        temperature_c = nan if celsius == -32768 else celsius / 100.0
        return cls(state, role, percent, flags, mv, temperature_c, *counts)


@dataclass(frozen=True, slots=True)
class Info:
    """The info characteristic: what the sensor is and what it offers."""

    protocol: int = VERSION
    board: int = 0
    firmware: tuple[int, int, int] = (0, 0, 0)
    max_samples: int = 19
    rates_hz: tuple[int, ...] = (52, 104, 208, 416)
    acc_ranges_g: tuple[int, ...] = (2, 4, 8, 16)
    gyr_ranges_dps: tuple[int, ...] = (250, 500, 1000, 2000)
    boots: int = 0
    ring_bytes: int = 0
    log_pages: int = 0
    serial: int = 0
    calibration: bytes = bytes(32)

    def encode(self) -> bytes:
        """The bytes."""
        return _INFO.pack(
            self.protocol,
            self.board,
            *self.firmware,
            self.max_samples,
            *_four(self.rates_hz),
            *_four(self.acc_ranges_g),
            *_four(self.gyr_ranges_dps),
            self.boots,
            self.ring_bytes,
            self.log_pages,
            self.serial,
            self.calibration,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Info:
        """Read the bytes; more than these are borne, for later versions.

        Raises
        ------
        PacketError
            If they are of another protocol version, or too few.
        """
        version = payload[0] if payload else 0
        if version != VERSION or len(payload) < _INFO.size:
            which = "program" if version > VERSION else "sensor's firmware"
            raise PacketError(
                f"The sensor speaks version {version} of the protocol, this program version {VERSION}. "
                f"Update the {which}."
            )
        v = _INFO.unpack_from(payload)
        return cls(
            protocol=v[0],
            board=v[1],
            firmware=(v[2], v[3], v[4]),
            max_samples=v[5],
            rates_hz=_offered(v[6:10]),
            acc_ranges_g=_offered(v[10:14]),
            gyr_ranges_dps=_offered(v[14:18]),
            boots=v[18],
            ring_bytes=v[19],
            log_pages=v[20],
            serial=v[21],
            calibration=v[22],
        )

    @property
    def firmware_text(self) -> str:
        """Firmware version as people write it."""
        return ".".join(str(part) for part in self.firmware)


def _four(offered: Sequence[int]) -> tuple[int, ...]:
    return tuple(offered[:4]) + (0,) * (4 - len(offered))


def _offered(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(value for value in values if value)


class Advert(NamedTuple):
    """What a sensor tells everybody, in the service data of its scan response."""

    version: int
    role: int
    battery_percent: int
    state: int
    serial_low: int

    def encode(self) -> bytes:
        """The bytes."""
        return _ADVERT.pack(*self)

    @classmethod
    def decode(cls, payload: bytes) -> Advert | None:
        """Read the bytes; None if they are of something else."""
        return cls(*_ADVERT.unpack_from(payload)) if len(payload) >= _ADVERT.size else None
