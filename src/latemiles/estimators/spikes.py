"""A rate that leaps up and back from one sample to the next is a misread bit, no turning of a body part."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError
from latemiles.signals.packets import DecodedPacket, DecodedStretch

__all__ = ["HIGH_RAD_S", "SpikeStage"]

F8 = NDArray[np.float64]
B1 = NDArray[np.bool_]

HIGH_RAD_S: Final = float(np.radians(1900.0))
"""A reading beyond this, at the end of the usual range, is a spike, for a clip that rings with the shock of a
landing reached 1500 deg/s (100 Hz, jogging on the spot),"""
LEAP_RAD_S: Final = float(np.radians(1000.0))
"""if it is so far from the sample before."""
POSSIBLE_RAD_S: Final = float(np.radians(5000.0))
POSSIBLE_M_S2: Final = 500.0
"""Beyond these nothing on a pelvis or thigh was measured, however long it lasts: ranges end at 4000 deg/s and
32 g, or at 100 g and more in parts that are made for shocks."""
LONGEST: Final = 2
"""Samples that a spike may last; what stays up there longer is a motion."""

_STATE = struct.Struct("<6d2q")


class SpikeStage:
    """Watches the rates of one sensor for spikes and makes holes of them.

    One sample of 2000 deg/s turns an orientation by 10 or 20 degrees for good. Packets that are sent again
    are followed by themselves, for they come out of order.
    """

    size: Final = _STATE.size
    """Bytes of a state."""

    def __init__(self) -> None:
        self._last = np.full((2, 3), np.nan)
        """Last good rate, live and sent again."""
        self._run = [0, 0]
        """Samples of the spike that is not over."""

    def push(self, packet: DecodedPacket) -> DecodedPacket:
        """The packet, with NaN in place of spikes."""
        absurd = _impossible(packet.acc, packet.gyr)
        if absurd.any():
            packet = _without(absurd, packet)
        bad = self._spikes(int(packet.is_resent), packet.gyr)
        return _without(bad, packet) if bad.any() else packet

    def push_many(self, packets: DecodedStretch, most: tuple[float, float]) -> None:
        """Many packets, as ``push`` of one after the other, but in place.

        ``most`` are their greatest sizes of a component of force and of rate.
        """
        if not packets.is_resent.any():
            self._clean(0, packets.acc, packets.gyr, most)
            return
        resent = np.repeat(packets.is_resent, packets.sizes)
        for stream, rows in enumerate((~resent, resent)):
            if rows.any():
                acc, gyr = packets.acc[rows], packets.gyr[rows]
                self._clean(stream, acc, gyr, most)
                packets.acc[rows], packets.gyr[rows] = acc, gyr

    def _clean(self, stream: int, acc: F8, gyr: F8, most: tuple[float, float]) -> None:
        force, rate = most
        if force > POSSIBLE_M_S2 or rate > POSSIBLE_RAD_S:
            absurd = _impossible(acc, gyr)
            acc[absurd], gyr[absurd] = np.nan, np.nan
        if rate <= HIGH_RAD_S and not self._run[stream]:
            self._last[stream] = gyr[-1]
            return
        bad = self._spikes(stream, gyr)
        acc[bad], gyr[bad] = np.nan, np.nan

    def _spikes(self, stream: int, gyr: F8) -> B1:
        """Which samples of one stream are part of a spike."""
        bad = np.zeros(len(gyr), dtype=np.bool_)
        last, run, after = self._last[stream], self._run[stream], 0
        # What is no number is a hole already.
        size = np.abs(gyr)
        for k in np.flatnonzero(((size > HIGH_RAD_S) & (size < np.inf)).any(axis=1)).tolist():
            if k > after:
                last, run = gyr[k - 1], 0
            known = np.isfinite(gyr[k]) & np.isfinite(last)
            is_far = bool((np.abs(gyr[k][known] - last[known]) > LEAP_RAD_S).any())
            if is_far and run < LONGEST:
                bad[k], run = True, run + 1
            else:
                last, run = gyr[k], 0
            after = k + 1
        if after < len(gyr):
            last, run = gyr[-1], 0
        self._last[stream], self._run[stream] = last, run
        return bad

    def save(self) -> bytes:
        """Everything the stage remembers, as bytes; equal histories give equal bytes."""
        return _STATE.pack(*self._last.ravel(), *self._run)

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave."""
        if len(state) != _STATE.size:
            raise ConfigError(
                "state", f"expected {_STATE.size} bytes, got {len(state)}. Use a state of this stage."
            )
        *last, live, resent = _STATE.unpack(state)
        self._last[:] = np.array(last).reshape(2, 3)
        self._run = [live, resent]


def _impossible(acc: F8, gyr: F8) -> B1:
    """Which samples cannot have been measured."""
    # What is no number compares false.
    beyond = np.concatenate([np.abs(acc) > POSSIBLE_M_S2, np.abs(gyr) > POSSIBLE_RAD_S], axis=1)
    return np.asarray(beyond.any(axis=1), dtype=np.bool_)


def _without(bad: B1, packet: DecodedPacket) -> DecodedPacket:
    acc, gyr = packet.acc.copy(), packet.gyr.copy()
    acc[bad], gyr[bad] = np.nan, np.nan
    return packet._replace(acc=acc, gyr=gyr)
