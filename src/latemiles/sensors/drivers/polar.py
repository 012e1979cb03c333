"""Polar Verity Sense: Polar Measurement Data (PMD), accelerometer and gyroscope, SDK mode.

From Polar's published protocol (github.com/polarofficial/polar-ble-sdk, technical_documentation/
online_measurement.pdf and products/PolarVeritySense.md); own code. A data frame is u8 type (2 acc, 5 gyr),
u64 nanoseconds since 2000 of its *last* sample, u8 frame type (0x80: compressed), then samples. Accelerometer
and gyroscope speak in frames of their own, so a packet here is a bundle of frames of both; acceleration is
interpolated at the gyroscope's times. No counter: a lost frame shows as a jump of time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import pi
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import PacketError
from latemiles.sensors.drivers.bundle import unbundled
from latemiles.sensors.drivers.limits import clipping
from latemiles.signals.packets import Capabilities, DecodedPacket

__all__ = [
    "ACC",
    "CONTROL",
    "DATA",
    "GYR",
    "NAME",
    "SDK_MODE",
    "SERVICE",
    "Frame",
    "Polar",
    "frame",
    "start",
    "stop",
]

NAME: Final = "polar"
SERVICE: Final = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL: Final = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

ACC: Final = 2
GYR: Final = 5
SDK_MODE: Final = 9

RATES_HZ: Final = (26.0, 52.0, 104.0, 208.0, 416.0)
ACC_RANGE_M_S2: Final = 8.0 * 9.80665
GYR_RANGE_RAD_S: Final = 2000.0 * pi / 180.0

_HEAD: Final = struct.Struct("<BQB")
_COMPRESSED: Final = 0x80
_MILLI_G: Final = 9.80665e-3
_CHANNELS: Final = 3
_MOST_SAMPLES: Final = 1024
_TICK_LIMIT: Final = 1 << 63


def start(kind: int, *, rate_hz: int = 0, resolution: int = 16, full_scale: int = 0) -> bytes:
    """Request on the control point that starts a measurement; SDK mode takes no settings."""
    if kind == SDK_MODE:
        return bytes((2, SDK_MODE))
    settings = [(0, rate_hz), (1, resolution), (2, full_scale)]
    body = b"".join(struct.pack("<BBH", number, 1, value) for number, value in settings)
    # Number of channels is one byte wide.
    return bytes((2, kind)) + body + bytes((4, 1, _CHANNELS))


def stop(kind: int) -> bytes:
    """Request on the control point that ends a measurement."""
    return bytes((3, kind))


class Frame(NamedTuple):
    """One data frame as counts."""

    kind: int
    last_ns: int
    counts: NDArray[np.int64]
    """(k, 3)"""
    is_milli_g: bool
    """Uncompressed accelerometer frames are in thousandths of g, compressed ones in counts."""


def frame(payload: bytes) -> Frame:
    """Interpret one notification of the data characteristic.

    Raises
    ------
    PacketError
        If it is none of accelerometer or gyroscope, or its bits do not add up.
    """
    if len(payload) < _HEAD.size + 2 * _CHANNELS:
        raise PacketError(f"{len(payload)} bytes are too few for a Polar frame. They are left out.")
    first, last_ns, form = _HEAD.unpack_from(payload)
    kind, body = first & 0x3F, payload[_HEAD.size :]
    if kind not in (ACC, GYR):
        raise PacketError(f"A Polar frame of type {kind} holds no motion. It is left out.")
    if form == _COMPRESSED:
        return Frame(kind, last_ns, _decompressed(body), is_milli_g=False)
    if form == 1 and kind == ACC and len(body) % (2 * _CHANNELS) == 0:
        counts = np.frombuffer(body, dtype="<i2").reshape(-1, _CHANNELS).astype(np.int64)
        return Frame(kind, last_ns, counts, is_milli_g=True)
    raise PacketError(f"Polar frame type 0x{form:02x} is not known. Update this program.")


def _decompressed(body: bytes) -> NDArray[np.int64]:
    """A reference sample of three int16, then blocks of u8 bits, u8 count, packed differences."""
    reference = np.frombuffer(body, dtype="<i2", count=_CHANNELS).astype(np.int64)
    at, parts = 2 * _CHANNELS, [np.zeros((1, _CHANNELS), dtype=np.int64)]
    total = 1
    while at < len(body):
        if at + 2 > len(body):
            raise PacketError("A Polar frame ends inside a block. It is left out; nothing to do.")
        bits, count = body[at], body[at + 1]
        size = (bits * count * _CHANNELS + 7) // 8
        total += count
        if at + 2 + size > len(body) or not 1 <= bits <= 32 or count == 0 or total > _MOST_SAMPLES:
            raise PacketError("A block of a Polar frame does not add up. It is left out; nothing to do.")
        parts.append(_differences(body[at + 2 : at + 2 + size], bits, count))
        at += 2 + size
    return reference + np.cumsum(np.concatenate(parts), axis=0)


def _differences(packed: bytes, bits: int, count: int) -> NDArray[np.int64]:
    """Signed numbers of so many bits, least significant bit first."""
    flat = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), bitorder="little")
    table = flat[: bits * count * _CHANNELS].reshape(-1, bits).astype(np.int64)
    values = table @ (np.int64(1) << np.arange(bits, dtype=np.int64))
    signed: NDArray[np.int64] = np.where(table[:, -1] == 1, values - (np.int64(1) << bits), values)
    return signed.reshape(count, _CHANNELS)


@dataclass(frozen=True, slots=True)
class Polar:
    """Decoder of bundles of frames, for one rate and full scale (8 g and 2000 deg/s are the only ones)."""

    rate_hz: float = 52.0
    acc_range: float = ACC_RANGE_M_S2
    gyr_range: float = GYR_RANGE_RAD_S

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
            tick_hz=1e9,
            tick_bits=64,
        )

    def decode(self, payload: bytes) -> DecodedPacket:
        """Interpret one bundle: at least a frame of each.

        Raises
        ------
        PacketError
            If a frame is damaged, one kind is missing, or the times of both do not meet.
        """
        frames = [frame(one) for one in unbundled(payload)]
        acc_t, acc = self._laid_out([f for f in frames if f.kind == ACC])
        gyr_t, gyr = self._laid_out([f for f in frames if f.kind == GYR])
        step = round(1e9 / self.rate_hz)
        if acc_t[0] > gyr_t[-1] + step or acc_t[-1] < gyr_t[0] - step:
            raise PacketError("Acceleration and turning rate of a Polar bundle do not meet. It is left out.")
        # Whole nanoseconds before floats: 64 bits of them do not fit a double.
        at, known = (gyr_t - gyr_t[0]).astype(np.float64), (acc_t - gyr_t[0]).astype(np.float64)
        level = np.column_stack([np.interp(at, known, acc[:, axis]) for axis in range(_CHANNELS)])
        scale = self.gyr_range / 32768.0
        return DecodedPacket(
            acc=np.ascontiguousarray(level),
            gyr=np.ascontiguousarray(gyr * scale),
            flags=clipping(level * (32768.0 / self.acc_range), gyr),
            tick=int(gyr_t[0]),
            tick_hz=1e9,
            sample_ticks=1e9 / self.rate_hz,
        )

    def _laid_out(self, frames: list[Frame]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Times in ns, ascending, and values: SI for acceleration, counts for turning rate."""
        if not frames:
            raise PacketError("A Polar bundle lacks acceleration or turning rate. It is left out.")
        step = 1e9 / self.rate_hz
        times, values = [], []
        for f in sorted(frames, key=lambda f: f.last_ns):
            back = np.rint(np.arange(len(f.counts) - 1, -1, -1) * step).astype(np.int64)
            if f.last_ns >= _TICK_LIMIT or f.last_ns < int(back[0]):
                raise PacketError("The time of a Polar frame is out of range. It is left out.")
            times.append(f.last_ns - back)
            unit = 1.0
            if f.kind == ACC:
                unit = _MILLI_G if f.is_milli_g else self.acc_range / 32768.0
            values.append(f.counts * unit)
        t = np.concatenate(times)
        if (np.diff(t) <= 0).any():
            raise PacketError("The frames of a Polar bundle overlap. It is left out; nothing to do.")
        return t, np.concatenate(values)
