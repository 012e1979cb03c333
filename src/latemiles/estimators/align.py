"""All sensors on one time grid, with every hole either bridged and marked or stated as a gap.

The stage has no clock. How far the run has come is the newest session time heard of any sensor; one that is
further behind than the wait is a gap, and the grid goes on without it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError
from latemiles.kernels.resample import COLUMNS, TOUCH_S, resample, trim
from latemiles.kernels.waiting import take_packets
from latemiles.signals.blocks import GridBlock, SampleBlock, joined
from latemiles.signals.events import Gap
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.quality import SampleQuality

__all__ = ["GAP_REASONS", "AlignParams", "AlignStage", "TimedRun"]

GAP_REASONS: Final = (
    "not heard",
    "never heard",
    "sensor restarted",
    "link lost",
    "packets refused",
    "stuck at one value",
)
"""Why a gap is there; all but the first two are told by ``AlignStage.note``."""

_GAP: Final = int(SampleQuality.GAP)
_HEAD = struct.Struct("<8q2d")
_LANE = struct.Struct("<5q2d")
_NO_PACKETS = np.empty((0, 3), dtype=np.int64)
_NO_MARKS = np.empty(0, dtype=np.int64)
_NO_SAMPLES = (np.empty(0), np.empty((0, 3)), np.empty((0, 3)), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class AlignParams:
    """How long to wait and what to bridge."""

    max_wait_s: float = 1.0
    """A sensor this far behind the newest one heard is a gap, s; 60 in a pass that may wait for resends."""
    bridge_s: float = 0.05
    """Longest hole that is bridged by a straight line, s."""

    def __post_init__(self) -> None:
        if not (isfinite(self.max_wait_s) and self.max_wait_s > 0.0):
            raise ConfigError("max_wait_s", f"expected a time above 0 s, got {self.max_wait_s}. Use about 1.")
        if not (isfinite(self.bridge_s) and self.bridge_s >= 0.0):
            raise ConfigError(
                "bridge_s", f"expected a time of 0 s or more, got {self.bridge_s}. Use about 0.05."
            )


class TimedRun(NamedTuple):
    """Samples of many packets of all sensors in session time."""

    packets: NDArray[np.int64]
    """(m, 3) lane, first sample and end of each packet, in order of arrival; C-contiguous."""
    keep: NDArray[np.int64]
    """(N,) 1 for a sample that counts, 0 for one that had been heard before."""
    t_s: NDArray[np.float64]
    """(N,) s; increases within a packet."""
    acc: NDArray[np.float64]
    """(N, 3) m/s^2."""
    gyr: NDArray[np.float64]
    """(N, 3) rad/s."""
    flags: NDArray[np.int64]
    """(N,) SampleQuality bits."""


class AlignStage:
    """Samples of all sensors, each at its own times, to one grid: sample k at k / ``rate_hz``.

    Parameters
    ----------
    rate_hz : float
        Of the grid.
    sensor_rates_hz : sequence of float
        Nominal rate of each lane's sensor; one entry a lane. Says which step is a hole.
    params : AlignParams
        Waiting and bridging.
    piece : int
        So many samples of the grid lie in one piece of memory, however they come out; 0: those of each block.
    """

    def __init__(
        self,
        rate_hz: float,
        sensor_rates_hz: Sequence[float] | None = None,
        params: AlignParams | None = None,
        piece: int = 0,
    ) -> None:
        if not (isfinite(rate_hz) and rate_hz > 0.0):
            raise ConfigError("rate_hz", f"expected a grid rate above 0 Hz, got {rate_hz}. Use 100 or 200.")
        rates = [rate_hz] * len(SEGMENTS) if sensor_rates_hz is None else list(sensor_rates_hz)
        self.rate_hz = float(rate_hz)
        self.params = params or AlignParams()
        self._lanes = len(rates)
        self._periods = np.array([1.0 / r if isfinite(r) and r > 0.0 else 1.0 / rate_hz for r in rates])
        # A slow sensor's usual step must not be a hole, even 5 % off its nominal rate.
        self._limits = np.maximum(self.params.bridge_s, 1.6 * self._periods)
        self._rows = np.zeros((self._lanes, 256, COLUMNS))
        self._heads = np.zeros(self._lanes, dtype=np.int64)
        self._tails = np.zeros(self._lanes, dtype=np.int64)
        self._place = np.zeros((2, self._lanes), dtype=np.int64)
        self._length = piece
        self._next = 0
        self._piece = self._new_piece(0)
        """Where the next samples of the grid go."""
        self._started = False
        self._newest_s = np.array([-inf])
        self._gap_from = [-1] * self._lanes
        self._heard = [False] * self._lanes
        self._notes: list[tuple[float, int]] = [(-inf, 0)] * self._lanes
        self._late = np.zeros(self._lanes, dtype=np.int64)
        self.reached = _NO_MARKS
        """Index of the grid sample that came next before each packet that the last ``push_run`` marks."""

    @property
    def late_samples(self) -> tuple[int, ...]:
        """Samples of each lane that came after the grid had passed, and were dropped."""
        return tuple(self._late.tolist())

    @property
    def following(self) -> int:
        """Index of the grid sample that comes next; 0 before the first."""
        return self._next

    def note(self, segment: Segment, t_s: float, reason: str) -> None:
        """Tell why a sensor is not heard around a time; the gap that holds ``t_s`` will carry the reason."""
        if reason not in GAP_REASONS:
            raise ConfigError("reason", f"expected one of {', '.join(GAP_REASONS)}, got {reason}. Use those.")
        if segment.lane < self._lanes:
            self._notes[segment.lane] = (t_s, GAP_REASONS.index(reason))

    def push(self, blocks: Sequence[SampleBlock]) -> tuple[GridBlock, list[Gap]]:
        """Take in samples in order of arrival; put out what became certain.

        Parameters
        ----------
        blocks : sequence of SampleBlock
            Each of one sensor, in order of time within the block. Blocks may come late (resent packets).

        Returns
        -------
        GridBlock
            The next grid samples of all lanes, possibly none.
        list of Gap
            Gaps that ended in it.
        """
        heard = [block for block in blocks if block.t_s.shape[0]]
        stops = np.cumsum([block.t_s.shape[0] for block in heard], dtype=np.int64)
        lanes = [block.segment.lane for block in heard]
        packets = np.array([lanes, [0, *stops[:-1]], stops], dtype=np.int64).T if heard else _NO_PACKETS
        samples = [(block.t_s, block.acc, block.gyr, block.flags) for block in heard]
        columns = map(_whole, zip(*samples, strict=True)) if heard else _NO_SAMPLES
        run = TimedRun(np.ascontiguousarray(packets), np.ones(stops[-1:].sum(), dtype=np.int64), *columns)
        pieces, gaps = self.push_run(run, 0, len(heard))
        return joined(pieces or [self._new_piece(0)]), gaps

    def push_run(
        self, run: TimedRun, start: int, stop: int, marks: NDArray[np.int64] = _NO_MARKS
    ) -> tuple[list[GridBlock], list[Gap]]:
        """Take in packets ``start`` to ``stop`` of many; the same as ``push`` of their blocks.

        Parameters
        ----------
        run : TimedRun
            Packets in order of arrival.
        start, stop : int
            Those to take.
        marks : int64 array, shape (n,)
            Packets, in order: how far the grid reaches before each is put into ``reached``.

        Returns
        -------
        list of GridBlock
            The next grid samples of all lanes, possibly none.
        list of Gap
            Gaps that ended in them.
        """
        pieces: list[GridBlock] = []
        gaps: list[Gap] = []
        taken = run.packets[start:stop]
        self._make_room(int((taken[:, 2] - taken[:, 1]).sum()))
        at, is_due, mark, is_out = start, False, 0, start == stop
        self.reached = np.empty(len(marks), dtype=np.int64)
        while not is_out:
            at, is_due, mark, count = take_packets(
                self._rows,
                self._heads,
                self._tails,
                self._late,
                self._newest_s,
                run.packets,
                run.keep,
                run[2:],
                at,
                stop,
                is_due,
                (self._started, self._next, self.rate_hz, self.params.max_wait_s),
                self._limits,
                marks,
                self.reached,
                mark,
                self._place,
            )
            self._emit(count, pieces, gaps)
            # A grid that begins only now can go on at once.
            begins = not self._started and self._start()
            is_out = at == stop and not begins
        self.reached[mark:] = self._next
        return pieces, gaps

    def finish(self) -> tuple[GridBlock, list[Gap]]:
        """The rest of the grid, up to the newest sample of any lane; gaps that last until the end."""
        pieces: list[GridBlock] = []
        gaps: list[Gap] = []
        if self._started or self._start(is_last=True):
            filled = self._tails > self._heads
            ends = [self._rows[lane, self._tails[lane] - 1, 0] for lane in range(self._lanes) if filled[lane]]
            last = self._next - 1
            if ends:
                # Sensors never end at the same instant: the grid ends where all that made it to the end do.
                end_s = min(e for e in ends if e >= max(ends) - self.params.bridge_s)
                last = floor((end_s + TOUCH_S) * self.rate_hz)
            self._emit(max(0, last + 1 - self._next), pieces, gaps)
            for lane in range(self._lanes):
                if self._gap_from[lane] >= 0:
                    self._close_gap(lane, self._next, gaps, code=int(not self._heard[lane]))
        return joined(pieces or [self._new_piece(0)]), gaps

    def _make_room(self, count: int) -> None:
        capacity = self._rows.shape[1]
        if int(self._tails.max()) + count <= capacity:
            return
        needed = int((self._tails - self._heads).max()) + count
        while capacity < 2 * needed:
            capacity *= 2
        rows = np.zeros((self._lanes, capacity, COLUMNS)) if capacity != self._rows.shape[1] else self._rows
        for lane in range(self._lanes):
            head, tail = int(self._heads[lane]), int(self._tails[lane])
            # Source and target may overlap; numpy copies as if through a buffer.
            rows[lane, : tail - head] = self._rows[lane, head:tail]
            self._heads[lane], self._tails[lane] = 0, tail - head
        self._rows = rows

    def _start(self, *, is_last: bool = False) -> bool:
        """Fix the first grid index, the first multiple of the step inside the data, if that can be told."""
        filled = np.flatnonzero(self._tails > self._heads)
        if filled.size == 0:
            return False
        starts = [float(self._rows[lane, self._heads[lane], 0]) for lane in filled]
        waiting = filled.size < self._lanes and self._newest_s[0] - min(starts) <= self.params.max_wait_s
        if is_last or not waiting:
            # Sensors never start at the same instant: begin where all that are there from the start are.
            start_s = max(s for s in starts if s <= min(starts) + self.params.bridge_s)
            self._next = ceil((start_s - TOUCH_S) * self.rate_hz)
            self._started = True
        return self._started

    def _emit(self, count: int, pieces: list[GridBlock], gaps: list[Gap]) -> None:
        while count > 0:
            if self._next >= self._piece.first + self._piece.quality.shape[1]:
                self._piece = self._new_piece(self._length or count)
            piece, at = self._piece, self._next - self._piece.first
            some = min(count, piece.quality.shape[1] - at)
            missing = resample(
                self._rows,
                self._heads,
                self._tails,
                self._next,
                self.rate_hz,
                self._limits,
                self._periods,
                piece.acc,
                piece.gyr,
                piece.quality,
                at,
                some,
            )
            block = piece.view(at, at + some)
            pieces.append(block)
            if missing or max(self._gap_from) >= 0:
                self._find_gaps(block.quality, gaps)
            else:
                self._heard = [True] * self._lanes
            self._next += some
            count -= some
            trim(self._rows, self._heads, self._tails, (self._next - 1) / self.rate_hz)

    def _new_piece(self, count: int) -> GridBlock:
        """Memory for ``count`` samples from the next one on."""
        rates = np.empty((self._lanes, count, 3))
        quality = np.empty((self._lanes, count), dtype=np.int64)
        return GridBlock(self._next, self.rate_hz, np.empty_like(rates), rates, quality)

    def _find_gaps(self, quality: NDArray[np.int64], gaps: list[Gap]) -> None:
        is_gap = (quality & _GAP) != 0
        found: list[Gap] = []
        for lane in range(self._lanes):
            inside = self._gap_from[lane] >= 0
            if inside and is_gap[lane].all():
                continue
            if not inside and not is_gap[lane].any():
                self._heard[lane] = True
                continue
            edges = np.flatnonzero(np.diff(np.concatenate(([inside], is_gap[lane]))))
            for k in edges.tolist():
                if is_gap[lane, k]:
                    self._gap_from[lane] = self._next + k
                else:
                    self._close_gap(lane, self._next + k, found)
            self._heard[lane] = self._heard[lane] or not bool(is_gap[lane].all())
        # In order of their ends, as they come out of shorter pieces.
        gaps += sorted(found, key=lambda gap: gap.end_s)

    def _close_gap(self, lane: int, end: int, gaps: list[Gap], code: int = 0) -> None:
        start_s = self._gap_from[lane] / self.rate_hz
        end_s = end / self.rate_hz
        self._gap_from[lane] = -1
        note_s, told = self._notes[lane]
        slack = float(self._limits[lane])
        if start_s - slack <= note_s <= end_s + slack:
            code = told
        gaps.append(Gap(start_s, end_s, SEGMENTS[lane], GAP_REASONS[code]))

    def save(self) -> bytes:
        """Everything the stage remembers, as bytes; equal histories give equal bytes."""
        parts = [
            _HEAD.pack(self._lanes, self._next, int(self._started), 0, 0, 0, 0, 0, self._newest_s[0], 0.0)
        ]
        for lane in range(self._lanes):
            head, tail = int(self._heads[lane]), int(self._tails[lane])
            note_s, code = self._notes[lane]
            counts = (tail - head, self._gap_from[lane], int(self._heard[lane]), self._late[lane], code)
            parts.append(_LANE.pack(*counts, note_s, 0.0))
            parts.append(np.ascontiguousarray(self._rows[lane, head:tail]).tobytes())
        return b"".join(parts)

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave; the stage must have been made with the same settings."""
        lanes, self._next, started, *_, self._newest_s[0], _ = _HEAD.unpack_from(state)
        if lanes != self._lanes:
            raise ConfigError(
                "lanes", f"expected a state of {self._lanes} lanes, got {lanes}. Use its settings."
            )
        self._started = bool(started)
        self._piece = self._new_piece(0)
        self._heads[:] = 0
        self._tails[:] = 0
        at = _HEAD.size
        for lane in range(self._lanes):
            count, gap_from, heard, late, code, note_s, _ = _LANE.unpack_from(state, at)
            at += _LANE.size
            self._make_room(count)
            rows = np.frombuffer(state, dtype=np.float64, count=count * COLUMNS, offset=at)
            self._rows[lane, :count] = rows.reshape(count, COLUMNS)
            self._tails[lane] = count
            at += rows.nbytes
            self._gap_from[lane], self._heard[lane], self._late[lane] = gap_from, bool(heard), late
            self._notes[lane] = (note_s, code)


def _whole(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.ascontiguousarray(parts[0]) if len(parts) == 1 else np.concatenate(parts)
