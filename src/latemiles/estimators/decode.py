"""Bytes of one sensor to samples, by its driver; damaged packets and repeated samples are left out."""

from __future__ import annotations

import struct
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError, PacketError
from latemiles.estimators.spikes import SpikeStage
from latemiles.estimators.stuck import StuckStage
from latemiles.kernels.unpack import survey
from latemiles.signals.packets import DecodedPacket, DecodedStretch, Driver, HeadDriver, StretchDriver
from latemiles.signals.quality import SampleQuality
from latemiles.signals.records import SensorInfo

__all__ = ["DecodeStage", "Room", "room_for"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
B1 = NDArray[np.bool_]

NEAR_LIMIT: Final = 0.98
"""Share of full scale from which a reading counts as clipped: calibration may have scaled the limit."""

Room = tuple[F8, F8, I8]
"""Where samples are put: force (N, 3), rate (N, 3), quality bits (N,)."""

USUAL_HZ: Final = 100.0
"""Where the rate of a sensor is not told."""

_STATE = struct.Struct("<4q")


class DecodeStage:
    """One sensor's driver, its counts, and the clipping that its stated ranges reveal.

    Parameters
    ----------
    info : SensorInfo
        What is known of the sensor; its ranges may be NaN, then only the driver's own clipping bits count.
    driver : Driver
        The codec of its family.
    judges : bool
        Whether samples that cannot be measurements are taken out: repetition and spikes. Without, they come
        as they were written.
    """

    def __init__(self, info: SensorInfo, driver: Driver, *, judges: bool = True) -> None:
        self.info = info
        self.driver = driver
        # Once: asking an object for its protocol takes longer than decoding a packet.
        self._for_many = driver if isinstance(driver, StretchDriver) else None
        self._for_heads = driver if isinstance(driver, HeadDriver) else None
        self.packets = 0
        """Packets that were decoded."""
        self.damaged = 0
        """Packets whose bytes do not follow the protocol."""
        self.clipped_acc = 0
        self.clipped_gyr = 0
        told = isfinite(info.rate_hz) and info.rate_hz > 0.0
        self._stuck = StuckStage(info.rate_hz if told else USUAL_HZ)
        self._spikes = SpikeStage()
        self._judges = judges

    @property
    def is_stuck(self) -> bool:
        """Whether the sensor hangs at one value."""
        return self._stuck.is_stuck

    @property
    def stuck_samples(self) -> int:
        """Samples that were taken out because they only repeated another."""
        return self._stuck.samples

    def push(self, payload: bytes) -> DecodedPacket | None:
        """Samples of one notification, or None for a damaged or an empty one."""
        try:
            packet = self.driver.decode(payload)
        except PacketError:
            self.damaged += 1
            return None
        self.packets += 1
        if packet.flags.shape[0] == 0:
            return None
        flags = self._with_clipping(packet)
        packet = packet if flags is packet.flags else packet._replace(flags=flags)
        return self._stuck.push(self._spikes.push(packet)) if self._judges else packet

    def push_many(self, data: bytes, start: I8, stop: I8) -> tuple[DecodedStretch, B1]:
        """Samples of many notifications, ``data[start:stop]`` each, as ``push`` of one after the other.

        Parameters
        ----------
        data : bytes
            Holds the payloads.
        start, stop : int64 arrays, shape (m,)
            Where each begins and ends.

        Returns
        -------
        DecodedStretch
            With damaged packets and repeated samples taken out.
        bool array, shape (m,)
            ``is_stuck`` after each.
        """
        heads = self.open_many(data, start, stop)
        count = int(heads.sizes.sum())
        return self.take_many(heads, data, start, room_for(count))

    def open_many(self, data: bytes, start: I8, stop: I8) -> DecodedStretch:
        """How many samples there are in many notifications, to be had by ``take_many``; as ``push_many``."""
        if self._for_heads is not None:
            return self._for_heads.heads_many(data, start, stop)
        if self._for_many is not None:
            return self._for_many.decode_many(data, start, stop)
        return decode_each(self.driver, data, start, stop)

    def take_many(
        self, stretch: DecodedStretch, data: bytes, start: I8, room: Room
    ) -> tuple[DecodedStretch, B1]:
        """The rest of ``push_many`` of what ``open_many`` gave; the samples lie in ``room``."""
        acc, gyr, flags = room
        if self._for_heads is not None:
            self._for_heads.samples_many(data, start, stretch.sizes, acc, gyr, flags)
        else:
            acc[:], gyr[:], flags[:] = stretch.acc, stretch.gyr, stretch.flags
        stretch = stretch._replace(acc=acc, gyr=gyr, flags=flags)
        damaged = int(np.count_nonzero(stretch.is_damaged))
        self.damaged += damaged
        self.packets += len(start) - damaged
        if not len(flags):
            return self._stuck.push_many(stretch)
        most_acc, most_gyr, same = survey(acc, gyr)
        clipped = self._with_clipping(stretch, (most_acc, most_gyr))
        if clipped is not flags:
            flags[:] = clipped
        if not self._judges:
            return stretch, np.zeros(len(start), dtype=np.bool_)
        self._spikes.push_many(stretch, (most_acc, most_gyr))
        return self._stuck.push_many(stretch, same)

    def hear_many(self, data: bytes, start: I8, stop: I8) -> DecodedStretch:
        """What the clock needs of many notifications; arguments as for ``push_many``."""
        if self._for_heads is not None:
            return self._for_heads.heads_many(data, start, stop)
        return self.push_many(data, start, stop)[0]

    def _with_clipping(
        self, samples: DecodedPacket | DecodedStretch, most: tuple[float, float] | None = None
    ) -> I8:
        """Quality bits with clipping near the stated ranges; also counts what is clipped.

        ``most`` are the greatest sizes of force and rate, where they are known.
        """
        flags = samples.flags
        force, rate = most or (None, None)
        for values, size, full_scale, bit in (
            (samples.acc, force, self.info.acc_range_m_s2, SampleQuality.ACC_CLIPPED),
            (samples.gyr, rate, self.info.gyr_range_rad_s, SampleQuality.GYR_CLIPPED),
        ):
            if not isfinite(full_scale):
                continue
            limit = NEAR_LIMIT * full_scale
            # The extremes first: nearly every packet is far from its limits. NaN compares false.
            if size is None and values.max() < limit and values.min() > -limit:
                continue
            if size is not None and size < limit:
                continue
            flags = flags | np.where((np.abs(values) >= limit).any(axis=1), int(bit), 0)
        if np.count_nonzero(flags):
            self.clipped_acc += int(np.count_nonzero(flags & int(SampleQuality.ACC_CLIPPED)))
            self.clipped_gyr += int(np.count_nonzero(flags & int(SampleQuality.GYR_CLIPPED)))
        return flags

    def save(self) -> bytes:
        """The counts."""
        counts = _STATE.pack(self.packets, self.damaged, self.clipped_acc, self.clipped_gyr)
        return counts + self._spikes.save() + self._stuck.save()

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave."""
        if len(state) < _STATE.size:
            raise ConfigError(
                "state", f"expected {_STATE.size} bytes or more, got {len(state)}. Use a state of this stage."
            )
        self.packets, self.damaged, self.clipped_acc, self.clipped_gyr = _STATE.unpack_from(state)
        spikes = _STATE.size + self._spikes.size
        self._spikes.load(state[_STATE.size : spikes])
        self._stuck.load(state[spikes:])


def room_for(count: int) -> Room:
    """Room for some samples."""
    return np.empty((count, 3)), np.empty((count, 3)), np.empty(count, dtype=np.int64)


def decode_each(driver: Driver, data: bytes, start: I8, stop: I8) -> DecodedStretch:
    """Many notifications through a driver that takes them one by one; arguments as for `StretchDriver`."""
    packets: list[DecodedPacket | None] = []
    for begin, end in zip(start.tolist(), stop.tolist(), strict=True):
        try:
            packets.append(driver.decode(data[begin:end]))
        except PacketError:
            packets.append(None)
    heard = [packet for packet in packets if packet is not None and packet.flags.shape[0]]
    first = heard[0] if heard else DecodedPacket(*room_for(0))
    times = [packet.t_s for packet in heard if packet.t_s is not None]
    parts = [(packet.acc, packet.gyr, packet.flags) for packet in heard] or [room_for(0)]
    acc, gyr, flags = (np.concatenate(column) for column in zip(*parts, strict=True))
    return DecodedStretch(
        acc,
        gyr,
        flags,
        sizes=np.array([0 if p is None else p.flags.shape[0] for p in packets], dtype=np.int64),
        is_damaged=np.array([p is None for p in packets], dtype=np.bool_),
        first_index=_column([None if p is None else p.first_index for p in packets]),
        tick=_column([None if p is None else p.tick for p in packets]),
        epoch=np.array([0 if p is None else p.epoch for p in packets], dtype=np.int64),
        is_resent=np.array([p is not None and p.is_resent for p in packets], dtype=np.bool_),
        is_marked=np.array(
            [p is not None and p.is_marked and p.flags.shape[0] > 0 for p in packets], dtype=np.bool_
        ),
        tick_hz=first.tick_hz,
        sample_ticks=first.sample_ticks,
        t_s=np.concatenate(times) if times else None,
    )


def _column(values: list[int | None]) -> I8:
    return np.array([-1 if value is None else value for value in values], dtype=np.int64)
