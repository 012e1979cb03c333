"""Bytes of one sensor to samples, by its driver; damaged packets and repeated samples are left out."""

from __future__ import annotations

import struct
from math import isfinite
from typing import Final

import numpy as np

from latemiles.errors import ConfigError, PacketError
from latemiles.estimators.stuck import StuckStage
from latemiles.signals.packets import DecodedPacket, Driver
from latemiles.signals.quality import SampleQuality
from latemiles.signals.records import SensorInfo

__all__ = ["DecodeStage"]

NEAR_LIMIT: Final = 0.98
"""Share of full scale from which a reading counts as clipped: calibration may have scaled the limit."""

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
    """

    def __init__(self, info: SensorInfo, driver: Driver) -> None:
        self.info = info
        self.driver = driver
        self.packets = 0
        """Packets that were decoded."""
        self.damaged = 0
        """Packets whose bytes do not follow the protocol."""
        self.clipped_acc = 0
        self.clipped_gyr = 0
        told = isfinite(info.rate_hz) and info.rate_hz > 0.0
        self._stuck = StuckStage(info.rate_hz if told else USUAL_HZ)

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
        packet = self._with_clipping(packet)
        self.clipped_acc += int(np.count_nonzero(packet.flags & int(SampleQuality.ACC_CLIPPED)))
        self.clipped_gyr += int(np.count_nonzero(packet.flags & int(SampleQuality.GYR_CLIPPED)))
        return self._stuck.push(packet)

    def _with_clipping(self, packet: DecodedPacket) -> DecodedPacket:
        flags = packet.flags
        for values, full_scale, bit in (
            (packet.acc, self.info.acc_range_m_s2, SampleQuality.ACC_CLIPPED),
            (packet.gyr, self.info.gyr_range_rad_s, SampleQuality.GYR_CLIPPED),
        ):
            if not isfinite(full_scale):
                continue
            limit = NEAR_LIMIT * full_scale
            # The extremes first: nearly every packet is far from its limits. NaN compares false.
            if np.fmax.reduce(values, axis=None) < limit and np.fmin.reduce(values, axis=None) > -limit:
                continue
            flags = flags | np.where((np.abs(values) >= limit).any(axis=1), int(bit), 0)
        return packet if flags is packet.flags else packet._replace(flags=flags)

    def save(self) -> bytes:
        """The counts."""
        counts = _STATE.pack(self.packets, self.damaged, self.clipped_acc, self.clipped_gyr)
        return counts + self._stuck.save()

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave."""
        if len(state) < _STATE.size:
            raise ConfigError(
                "state", f"expected {_STATE.size} bytes or more, got {len(state)}. Use a state of this stage."
            )
        self.packets, self.damaged, self.clipped_acc, self.clipped_gyr = _STATE.unpack_from(state)
        self._stuck.load(state[_STATE.size :])
