"""A sensor that repeats one value has died without falling silent: what it says then is no measurement."""

from __future__ import annotations

import struct
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError
from latemiles.signals.frames import GRAVITY_M_S2
from latemiles.signals.packets import DecodedPacket, DecodedStretch

__all__ = ["STUCK_S", "StuckStage"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
B1 = NDArray[np.bool_]

STUCK_S: Final = 0.1
"""All six readings the same to the bit for this long while something moves: noise alone forbids it."""
FEWEST: Final = 8
"""The same in samples, for slow sensors."""
RESTING_S: Final = 60.0
"""The same for readings of rest: sensors that smooth, and made-up samples, stand still to the bit."""
_REST_M_S2: Final = 0.5
_REST_RAD_S: Final = 0.1
_TURNING_RAD_S: Final = 0.5
"""Rate at which gravity moves on in the sensor's axes, whatever they are rounded to."""
_WHOLE, _FORCE, _RATE = range(3)
"""What is followed: whole samples, the accelerometer by itself, the gyroscope by itself."""

_STATE = struct.Struct("<12d14q?")


class StuckStage:
    """Watches the samples of one sensor for repetition and makes holes of what is none.

    A run of equal samples is let through until it is ``STUCK_S`` long. An accelerometer or a gyroscope that
    hangs by itself is given away by the other one: samples in which that one moves are counted. Packets that
    are sent again are followed by themselves, for they come out of order.

    Parameters
    ----------
    rate_hz : float
        Nominal rate of the sensor.
    """

    def __init__(self, rate_hz: float) -> None:
        self._limits = (max(FEWEST, ceil(STUCK_S * rate_hz)), ceil(RESTING_S * rate_hz))
        self._last = np.full((2, 6), np.nan)
        self._run = [[0, 0, 0], [0, 0, 0]]
        self._moved = [[0, 0, 0], [0, 0, 0]]
        """Of each run so far, in how many samples the sensor moved all the same."""
        self.is_stuck = False
        """Whether the newest sample of the live stream was one of a run."""
        self.samples = 0
        """Samples that were taken out."""
        self.times = 0
        """Runs of the live stream."""

    def push(self, packet: DecodedPacket) -> DecodedPacket:
        """The packet, with NaN in place of samples that only repeat."""
        stuck = self._repeats(int(packet.is_resent), packet.acc, packet.gyr)
        if not packet.is_resent:
            self.times += int(bool(stuck[-1]) and not self.is_stuck)
            self.is_stuck = bool(stuck[-1])
        if not stuck.any():
            return packet
        acc, gyr = _without(stuck, packet.acc, packet.gyr)
        return packet._replace(acc=acc, gyr=gyr)

    def push_many(self, packets: DecodedStretch, same: int = 1) -> tuple[DecodedStretch, B1]:
        """Many packets, as ``push`` of one after the other, but in place; also ``is_stuck`` after each, (m,).

        ``same`` says how many samples may equal the one before them, in force or in rate: none is the usual
        case.
        """
        after = np.full(len(packets.sizes), self.is_stuck)
        if not (same or self.is_stuck or packets.is_resent.any()) and not self._continues(packets):
            self._last[0, :3], self._last[0, 3:] = packets.acc[-1], packets.gyr[-1]
            self._run[0], self._moved[0] = [0, 0, 0], [0, 0, 0]
            return packets, after
        stuck = np.zeros(len(packets.flags), dtype=np.bool_)
        # One more than within: the first sample may equal the last one before.
        longest = max(self._run[0]) + same + 1
        if len(stuck) and longest < self._limits[0] and not (self.is_stuck or packets.is_resent.any()):
            self._follow_end(packets.acc, packets.gyr)
            return packets, after
        if packets.is_resent.any():
            resent = np.repeat(packets.is_resent, packets.sizes)
            for stream, rows in enumerate((~resent, resent)):
                if rows.any():
                    stuck[rows] = self._repeats(stream, packets.acc[rows], packets.gyr[rows])
        elif len(stuck):
            stuck = self._repeats(0, packets.acc, packets.gyr)
        if not (stuck.any() or self.is_stuck):
            return packets, after
        live = np.flatnonzero(~packets.is_resent & (packets.sizes > 0))
        if live.size:
            ends = stuck[np.cumsum(packets.sizes)[live] - 1]
            self.times += int(np.count_nonzero(ends & ~np.concatenate(([self.is_stuck], ends[:-1]))))
            newest = np.searchsorted(live, np.arange(len(after)), side="right") - 1
            after = np.where(newest >= 0, ends[newest], self.is_stuck)
            self.is_stuck = bool(ends[-1])
        packets.acc[stuck], packets.gyr[stuck] = np.nan, np.nan
        return packets, after

    def _continues(self, packets: DecodedStretch) -> bool:
        """Whether there are no samples, or the first one equals the last one before."""
        last = self._last[0]
        first = packets.acc[:1], packets.gyr[:1]
        return bool((first[0] == last[:3]).all() or (first[1] == last[3:]).all())

    def _follow_end(self, acc: F8, gyr: F8) -> None:
        """Follow live samples of which too few repeat to be taken out: only the last ones matter later on."""
        start = max(0, len(acc) - self._limits[0])
        if start:
            self._last[0, :3], self._last[0, 3:] = acc[start - 1], gyr[start - 1]
        self._repeats(0, acc[start:], gyr[start:])

    def _repeats(self, stream: int, acc: F8, gyr: F8) -> B1:
        """Which samples of one stream only repeat what came before."""
        last = self._last[stream]
        force, rate = _same(acc, last[:3]), _same(gyr, last[3:])
        last[:3], last[3:] = acc[-1], gyr[-1]
        stuck = np.zeros(len(acc), dtype=np.bool_)
        if not (force.any() or rate.any()):
            self._run[stream], self._moved[stream] = [0, 0, 0], [0, 0, 0]
            return stuck
        off = np.abs(np.linalg.norm(acc, axis=1) - GRAVITY_M_S2) >= _REST_M_S2
        turning = np.linalg.norm(gyr, axis=1)
        moves = off | (turning >= _REST_RAD_S), off | (turning >= _TURNING_RAD_S), off
        for what, same in enumerate((force & rate, force, rate)):
            run, moved = _lengths(same, moves[what], self._run[stream][what], self._moved[stream][what])
            self._run[stream][what], self._moved[stream][what] = int(run[-1]), int(moved[-1])
            stuck |= moved >= self._limits[0]
            if what == _WHOLE:
                stuck |= run >= self._limits[1]
        self.samples += int(np.count_nonzero(stuck))
        return stuck

    def save(self) -> bytes:
        """Everything the stage remembers, as bytes; equal histories give equal bytes."""
        runs = *self._run[0], *self._run[1], *self._moved[0], *self._moved[1]
        return _STATE.pack(*self._last.ravel(), *runs, self.samples, self.times, self.is_stuck)

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave."""
        if len(state) != _STATE.size:
            raise ConfigError(
                "state", f"expected {_STATE.size} bytes, got {len(state)}. Use a state of this stage."
            )
        *numbers, self.samples, self.times, self.is_stuck = _STATE.unpack(state)
        self._last[:] = np.array(numbers[:12]).reshape(2, 6)
        runs = [int(x) for x in numbers[12:24]]
        self._run, self._moved = [runs[:3], runs[3:6]], [runs[6:9], runs[9:]]


def _same(values: F8, last: F8) -> B1:
    """Which rows of ``values`` (n, 3) equal the one before; ``last`` (3,) came before the first."""
    same = np.zeros(len(values), dtype=np.bool_)
    same[0] = bool((values[0] == last).all())
    # One column first: of a sensor that moves hardly a row is left.
    alike = np.flatnonzero(values[1:, 0] == values[:-1, 0])
    if alike.size:
        equal = values[1 + alike] == values[alike]
        # Column by column: numpy reduces short rows one at a time.
        same[1 + alike] = equal[:, 0] & equal[:, 1] & equal[:, 2]
    return same


def _lengths(same: B1, moves: B1, carried: int, moved: int) -> tuple[I8, I8]:
    """How many samples before each are equal to it, and in how many of its run the sensor ``moves``.

    The first run began ``carried`` samples earlier, in ``moved`` of which it did.
    """
    at = np.arange(len(same))
    broken = np.maximum.accumulate(np.where(same, -1, at))
    run = np.where(broken < 0, at + 1 + carried, at - broken)
    total = np.cumsum(moves & same)
    begun = np.where(broken < 0, -moved, total[np.maximum(broken, 0)])
    return run, np.where(same, total - begun, 0)


def _without(stuck: B1, acc: F8, gyr: F8) -> tuple[F8, F8]:
    acc, gyr = acc.copy(), gyr.copy()
    acc[stuck], gyr[stuck] = np.nan, np.nan
    return acc, gyr
