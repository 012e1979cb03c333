"""The project's own data frame, version 1 (docs/sensor-protocol.md): 12 bytes of header, 12 a sample."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import PacketError
from latemiles.kernels.unpack import unpack_counts, unpack_heads
from latemiles.signals.packets import Capabilities, DecodedPacket, DecodedStretch
from latemiles.signals.quality import SampleQuality

__all__ = [
    "ACC_RANGE_M_S2",
    "CLIPPED",
    "CLOCK_STEP",
    "GAP_BEFORE",
    "GYR_RANGE_RAD_S",
    "LIVE",
    "MARK",
    "MAX_SAMPLES",
    "NAME",
    "RESEND",
    "TICK_HZ",
    "WITH_TEMPERATURE",
    "LatemilesV1",
    "counts_from_si",
    "encode",
]

NAME: Final = "latemiles-v1"
VERSION: Final = 1
TICK_HZ: Final = 32768.0
"""The watch crystal that every Bluetooth SoC has; 32 bits of it wrap in 36 h."""
MAX_SAMPLES: Final = 19
"""12 + 12 * 19 = 240 bytes: what fits into one notification at an MTU of 247."""

LIVE: Final = 0
RESEND: Final = 1
WITH_TEMPERATURE: Final = 2
"""Kind 2 ends with one i16, hundredths of a degree Celsius."""

GAP_BEFORE: Final = 1
CLIPPED: Final = 2
CLOCK_STEP: Final = 4
MARK: Final = 8

ACC_RANGE_M_S2: Final = 16.0 * 9.80665
GYR_RANGE_RAD_S: Final = 2000.0 * pi / 180.0

_HEADER: Final = struct.Struct("<BBBBII")
_SAMPLE_BYTES: Final = 12
_FULL: Final = 32768.0


def counts_from_si(
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    *,
    acc_range: float = ACC_RANGE_M_S2,
    gyr_range: float = GYR_RANGE_RAD_S,
) -> NDArray[np.int16]:
    """Samples in SI, (n, 3) each, as the frame's counts (n, 6): gyr x y z, acc x y z; clipped at range."""
    scaled = np.concatenate([gyr * (_FULL / gyr_range), acc * (_FULL / acc_range)], axis=1)
    counts: NDArray[np.int16] = np.clip(np.rint(scaled), -32768.0, 32767.0).astype("<i2")
    return counts


def encode(
    counts: NDArray[np.int16],
    *,
    first_index: int,
    tick: int,
    epoch: int = 0,
    flags: int = 0,
    kind: int = LIVE,
    temperature_c: float = 0.0,
) -> bytes:
    """One data frame, as the firmware builds it.

    Parameters
    ----------
    counts : int16 array, shape (n, 6)
        gyr x y z, acc x y z; 1 to 19 rows.
    first_index, tick : int
        Of the first sample; taken modulo 2**32.
    epoch, flags, kind : int
        Header fields.
    temperature_c : float
        Sent with kind 2 only.

    Raises
    ------
    PacketError
        If there are no samples or too many for a frame.
    """
    n = len(counts)
    if not 1 <= n <= MAX_SAMPLES:
        raise PacketError(f"A frame holds 1 to {MAX_SAMPLES} samples, not {n}. Split them over more frames.")
    head = _HEADER.pack(
        VERSION << 4 | kind, n, flags, epoch & 0xFF, first_index & 0xFFFFFFFF, tick & 0xFFFFFFFF
    )
    tail = struct.pack("<h", round(temperature_c * 100.0)) if kind == WITH_TEMPERATURE else b""
    return head + np.ascontiguousarray(counts, dtype="<i2").tobytes() + tail


@dataclass(frozen=True, slots=True)
class LatemilesV1:
    """Decoder of the frame for one full scale, told by the sensor's info; the usual one is the default."""

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
            has_index=True,
            has_device_time=True,
            can_resend=True,
            rates_hz=(52.0, 104.0, 208.0, 416.0),
            tick_hz=TICK_HZ,
            tick_bits=32,
        )

    def decode(self, payload: bytes) -> DecodedPacket:
        """Interpret one notification; index and tick are as sent, modulo 2**32.

        Raises
        ------
        PacketError
            If length, version, kind or number of samples do not follow the protocol.
        """
        if len(payload) < _HEADER.size:
            raise PacketError(f"{len(payload)} bytes are too few for a frame. Check the sensor's firmware.")
        first, n, flags, epoch, index, tick = _HEADER.unpack_from(payload)
        kind = first & 0x0F
        if first >> 4 != VERSION or kind > WITH_TEMPERATURE:
            raise PacketError(
                f"Frame type 0x{first:02x} is not of version {VERSION}. Update the sensor or this."
            )
        body = _SAMPLE_BYTES * n
        want = _HEADER.size + body + (2 if kind == WITH_TEMPERATURE else 0)
        if not 1 <= n <= MAX_SAMPLES or len(payload) != want:
            raise PacketError(
                f"A frame of {n} samples in {len(payload)} bytes is damaged. It is left out; nothing to do."
            )
        counts = np.frombuffer(payload, dtype="<i2", count=6 * n, offset=_HEADER.size).reshape(n, 6)
        temperature = float("nan")
        if kind == WITH_TEMPERATURE:
            temperature = struct.unpack_from("<h", payload, want - 2)[0] / 100.0
        return DecodedPacket(
            acc=counts[:, 3:] * (self.acc_range / _FULL),
            gyr=counts[:, :3] * (self.gyr_range / _FULL),
            flags=_clipping(counts),
            first_index=index,
            tick=tick,
            tick_hz=TICK_HZ,
            epoch=epoch,
            is_resent=kind == RESEND,
            has_gap_before=bool(flags & GAP_BEFORE),
            is_marked=bool(flags & MARK),
            temperature_c=temperature,
        )

    def decode_many(self, data: bytes, start: NDArray[np.int64], stop: NDArray[np.int64]) -> DecodedStretch:
        """Interpret many notifications, each as ``decode`` does; see `StretchDriver`."""
        heads = self.heads_many(data, start, stop)
        total = int(heads.sizes.sum())
        acc, gyr = np.empty((total, 3)), np.empty((total, 3))
        flags = np.empty(total, dtype=np.int64)
        self.samples_many(data, start, heads.sizes, acc, gyr, flags)
        return heads._replace(acc=acc, gyr=gyr, flags=flags)

    def samples_many(
        self,
        data: bytes,
        start: NDArray[np.int64],
        sizes: NDArray[np.int64],
        acc: NDArray[np.float64],
        gyr: NDArray[np.float64],
        flags: NDArray[np.int64],
    ) -> None:
        """Put the samples of many notifications into arrays; see `HeadDriver`."""
        scales = self.acc_range / _FULL, self.gyr_range / _FULL
        raw = np.frombuffer(data, dtype=np.uint8)
        unpack_counts(raw, start + _HEADER.size, sizes, *scales, acc, gyr, flags)

    def heads_many(self, data: bytes, start: NDArray[np.int64], stop: NDArray[np.int64]) -> DecodedStretch:
        """The same without the samples, for whoever follows the clock alone; see `HeadDriver`."""
        heads = np.empty((6, len(start)), dtype=np.int64)
        raw = np.frombuffer(data, dtype=np.uint8)
        unpack_heads(raw, start, stop, VERSION, MAX_SAMPLES, WITH_TEMPERATURE, heads)
        count, kind, flags, epoch, index, tick = heads
        none = np.empty((0, 3))
        return DecodedStretch(
            none,
            none,
            np.empty(0, dtype=np.int64),
            count,
            count == 0,
            first_index=index,
            tick=tick,
            epoch=epoch,
            is_resent=kind == RESEND,
            is_marked=(count > 0) & (flags & MARK != 0),
            tick_hz=TICK_HZ,
        )


def _clipping(counts: NDArray[np.int16]) -> NDArray[np.int64]:
    flags = np.zeros(len(counts), dtype=np.int64)
    if counts.max() < 32767 and counts.min() > -32768:
        return flags
    at_limit = (counts == 32767) | (counts == -32768)
    flags[at_limit[:, :3].any(axis=1)] |= int(SampleQuality.GYR_CLIPPED)
    flags[at_limit[:, 3:].any(axis=1)] |= int(SampleQuality.ACC_CLIPPED)
    return flags
