"""One sensor's own time to session time, live and over a whole run (kernels.clock does the work)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError
from latemiles.kernels.clock import (
    BIN_S,
    CLOCK_STATE,
    FIT_KNOT,
    RESTARTED,
    clock_push,
    new_clock_state,
)
from latemiles.kernels.clock_many import clock_push_many
from latemiles.kernels.record import as_state
from latemiles.signals.blocks import SampleBlock
from latemiles.signals.events import Gap
from latemiles.signals.frames import Segment
from latemiles.signals.packets import Capabilities, DecodedPacket, DecodedStretch

__all__ = ["ClockFit", "ClockStage", "Timed", "TimedStretch"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_TAIL: Final = struct.Struct("<4q4d")
_NO_TICK: Final = -1


@dataclass(frozen=True, slots=True)
class ClockFit:
    """The relation of one sensor's clock to the session over a whole run, for a second pass."""

    knots: F8 = field(default_factory=lambda: np.empty((2, 0)))
    """(2, k) device time and offset (session minus device), s; straight lines between them."""
    first: I8 = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    """(r + 1,) where the knots of each start of the sensor begin, and the end."""


class Timed(NamedTuple):
    """What a packet became."""

    block: SampleBlock | None
    """Its samples in session time; None when all of them had been heard before."""
    restart: Gap | None
    """The sensor started over before this packet: from its last sample to the first of this one."""


class TimedStretch(NamedTuple):
    """What many packets became."""

    t_s: F8
    """(N,) session time of every sample, s; means nothing where it is not kept."""
    keep: I8
    """(N,) 1 for a new sample, 0 for one that had been heard before."""
    restarts: list[tuple[int, Gap]]
    """Packets with which the sensor started over, and from when to when it was silent."""


class ClockStage:
    """Session time of every sample of one sensor.

    In one pass it is causal: a sample's time uses only what was heard until its packet came, increases
    strictly along the stream, and slews instead of jumping once the first seconds are over. A packet that is
    resent gets the times it would have had. Packets that carry ``t_s`` (imported files) pass unchanged.

    Parameters
    ----------
    segment : Segment
        Which sensor.
    rate_hz : float
        Nominal sample rate; the true one is estimated.
    capabilities : Capabilities, optional
        Of the driver; tells where the tick wraps.
    known : ClockFit, optional
        The fit of an earlier pass over the same records (``fit`` of that pass): used in place of the live
        one, so that times are two-sided from the first sample on.
    """

    def __init__(
        self,
        segment: Segment,
        rate_hz: float,
        capabilities: Capabilities | None = None,
        known: ClockFit | None = None,
    ) -> None:
        if not (isfinite(rate_hz) and rate_hz > 0.0):
            raise ConfigError(
                "rate_hz", f"expected a sample rate above 0 Hz, got {rate_hz}. Give the nominal one."
            )
        self.segment = segment
        self._state = new_clock_state(rate_hz)
        bits = 0 if capabilities is None else capabilities.tick_bits
        # Ticks of 63 bits and more never wrap, and their wrap would not fit the integer.
        self._state["wrap"] = 1 << bits if 0 < bits < 63 else 0
        self._known = known or ClockFit()
        self._rate_hz = rate_hz
        self._knots: list[tuple[float, float]] = []
        self._first: list[int] = [0]
        self._times = np.empty(64)
        self._keep = np.empty(64, dtype=np.int64)
        # For samples that bring their own time: how many, steps that are no holes, and their sum.
        self._told = 0
        self._steps = 0
        self._steps_s = 0.0
        self._told_first = nan
        self._told_last = nan
        self._expected = 0

    def push(self, packet: DecodedPacket, arrival_ns: int) -> Timed:
        """Session time for one packet's samples.

        Parameters
        ----------
        packet : DecodedPacket
            What the driver made of one notification, one sample or more.
        arrival_ns : int
            When it was heard, ns of the session.
        """
        if packet.t_s is not None:
            self._count_told(packet.t_s)
            return Timed(SampleBlock(self.segment, packet.t_s, packet.acc, packet.gyr, packet.flags), None)
        n = packet.flags.shape[0]
        state = self._state
        if packet.tick is not None and state["packets"][0] == 0:
            state["tick_s"] = 1.0 / packet.tick_hz
            if packet.sample_ticks is not None:
                state["period"] = packet.sample_ticks / packet.tick_hz
        if n > self._times.shape[0]:
            self._times, self._keep = np.empty(2 * n), np.empty(2 * n, dtype=np.int64)
        before = float(state["last_t"][0])
        kept, status = clock_push(
            state,
            packet.epoch,
            -1 if packet.first_index is None else packet.first_index,
            _NO_TICK if packet.tick is None else packet.tick,
            n,
            packet.is_resent,
            arrival_ns * 1e-9,
            self._known.knots,
            self._known.first,
            self._times,
            self._keep,
        )
        restart = None
        if status & RESTARTED:
            self._close_fit(state["closed"][0])
            restart = Gap(before, float(self._times[0]), self.segment, "sensor restarted")
        if status & FIT_KNOT:
            self._add_fit_knot()
        if kept == 0:
            return Timed(None, restart)
        times = self._times[:n].copy()
        if kept == n:
            return Timed(SampleBlock(self.segment, times, packet.acc, packet.gyr, packet.flags), restart)
        new = self._keep[:n] != 0
        return Timed(
            SampleBlock(self.segment, times[new], packet.acc[new], packet.gyr[new], packet.flags[new]),
            restart,
        )

    def push_many(
        self, packets: DecodedStretch, arrival_ns: I8, room: tuple[F8, I8] | None = None
    ) -> TimedStretch:
        """Session time for the samples of many packets, as ``push`` of one after the other.

        Parameters
        ----------
        packets : DecodedStretch
            Of m packets in order of arrival.
        arrival_ns : int64 array, shape (m,)
            When each was heard, ns of the session.
        room : tuple of arrays, shape (N,), optional
            Where ``t_s`` and ``keep`` of all samples are put.
        """
        rows = int(packets.sizes.sum())
        times, keep = (np.empty(rows), np.empty(rows, dtype=np.int64)) if room is None else room
        if packets.t_s is not None:
            if rows:
                self._count_told(packets.t_s)
            times[:], keep[:] = packets.t_s, 1
            return TimedStretch(times, keep, [])
        restarts: list[tuple[int, Gap]] = []
        state = self._state
        heard = np.flatnonzero(packets.sizes)
        if heard.size and packets.tick[heard[0]] >= 0 and state["packets"][0] == 0:
            state["tick_s"] = 1.0 / packets.tick_hz
            if packets.sample_ticks is not None:
                state["period"] = packets.sample_ticks / packets.tick_hz
        arrival_s = arrival_ns * 1e-9
        told = packets.sizes, packets.epoch, packets.first_index, packets.tick, packets.is_resent, arrival_s
        at, row = 0, 0
        while at < len(packets.sizes):
            at, row, status, before = clock_push_many(
                state, at, row, *told, self._known.knots, self._known.first, times, keep
            )
            if status & RESTARTED:
                self._close_fit(state["closed"][0])
                first = float(times[row - packets.sizes[at - 1]])
                restarts.append((at - 1, Gap(before, first, self.segment, "sensor restarted")))
            if status & FIT_KNOT:
                self._add_fit_knot()
        return TimedStretch(times, keep, restarts)

    def fit(self) -> ClockFit:
        """The two-sided fit of all that was heard so far, for ``known`` of a second pass.

        A knot a minute, each from the ten minutes around it, so it grows by 16 bytes a minute of the run.
        """
        state = self._state
        knots, first = list(self._knots), list(self._first)
        if state["packets"][0] > 0:
            knots += self._open_ends(_line_ends(state), len(knots) == first[-1])
            first.append(len(knots))
        if not knots:
            return ClockFit()
        return ClockFit(np.ascontiguousarray(np.array(knots).T), np.array(first, dtype=np.int64))

    @property
    def rate_hz(self) -> float:
        """True sample rate against session time, Hz; the nominal one until something was heard."""
        if self._steps > 0:
            return self._steps / self._steps_s
        return float(1.0 / (self._state["period"][0] * (1.0 + self._state["slope"][0])))

    @property
    def samples(self) -> int:
        """Samples that were heard, each counted once."""
        return self._told or int(self._state["samples"][0])

    @property
    def expected(self) -> int:
        """Samples that the sensor took from its first to its last one heard."""
        if self._told:
            return max(self._told, 1 + round((self._told_last - self._told_first) * self.rate_hz))
        state = self._state
        running = int(state["next_index"][0] - state["first_index"][0]) if state["packets"][0] else 0
        return self._expected + running

    @property
    def duplicates(self) -> int:
        """Samples that were heard twice and dropped."""
        return int(self._state["duplicates"][0])

    @property
    def restarts(self) -> int:
        """How often the sensor's clock started over."""
        return int(self._state["restarts"][0])

    @property
    def residual_ms(self) -> float:
        """95th percentile of the arrival's delay above the fit, ms; NaN where time came with the samples."""
        bins = self._state["delay_bins"][0]
        total = int(bins.sum())
        if total == 0:
            return nan
        return float((np.searchsorted(np.cumsum(bins), 0.95 * total) + 0.5) * BIN_S * 1e3)

    def save(self) -> bytes:
        """Everything the stage remembers, as bytes; equal histories give equal bytes."""
        counts = (self._told, self._steps, self._expected, len(self._knots))
        told = (self._steps_s, self._told_first, self._told_last, float(len(self._first)))
        knots = np.array(self._knots, dtype=np.float64).tobytes()
        first = np.array(self._first, dtype=np.int64).tobytes()
        return self._state.tobytes() + _TAIL.pack(*counts, *told) + knots + first

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave; the stage must have been made with the same settings."""
        size = CLOCK_STATE.itemsize
        if len(state) < size + _TAIL.size:
            raise ConfigError(
                "state", f"expected {size} bytes or more, got {len(state)}. Use a clock's state."
            )
        self._state = as_state(np.frombuffer(state, dtype=CLOCK_STATE, count=1).copy())
        self._told, self._steps, self._expected, knots, *told = _TAIL.unpack_from(state, size)
        self._steps_s, self._told_first, self._told_last, starts = told
        at = size + _TAIL.size
        pairs = np.frombuffer(state, dtype=np.float64, count=2 * knots, offset=at)
        self._knots = [(float(x), float(y)) for x, y in pairs.reshape(-1, 2)]
        self._first = np.frombuffer(
            state, dtype=np.int64, count=int(starts), offset=at + pairs.nbytes
        ).tolist()

    def _count_told(self, t_s: F8) -> None:
        steps = np.diff(t_s, prepend=self._told_last)
        usual = steps[(steps > 0.0) & (steps < 1.6 / self._rate_hz)]
        self._steps += usual.shape[0]
        # cumsum adds in order, so that the sum does not depend on how packets are cut; sum would not.
        self._steps_s = float(np.cumsum(np.concatenate(([self._steps_s], usual)))[-1])
        if self._told == 0:
            self._told_first = float(t_s[0])
        self._told += t_s.shape[0]
        self._told_last = float(t_s[-1])

    def _add_fit_knot(self) -> None:
        state = self._state
        x, y = float(state["fit_x"][0]), float(state["fit_y"][0])
        if len(self._knots) == self._first[-1]:
            start = float(state["start"][0])
            self._knots.append((start, y + float(state["slope"][0]) * (start - x)))
        self._knots.append((x, y))

    def _close_fit(self, ends: F8) -> None:
        self._knots += self._open_ends(ends, len(self._knots) == self._first[-1])
        self._first.append(len(self._knots))
        self._expected += int(self._state["closed_samples"][0])

    def _open_ends(self, ends: F8, is_first: bool) -> list[tuple[float, float]]:
        """Knots that close a fit: its end, and its beginning where no full window gave one."""
        start, end = (float(ends[0]), float(ends[1])), (float(ends[2]), float(ends[3]))
        return [start, end] if is_first else [end]


def _line_ends(state: NDArray[np.void]) -> F8:
    """Device time and height of the line in use at the first and at the newest sample."""
    x, y, slope = (float(state[name][0]) for name in ("line_x", "line_y", "slope"))
    start, newest = float(state["start"][0]), float(state["newest"][0])
    return np.array([start, y + slope * (start - x), newest, y + slope * (newest - x)])
