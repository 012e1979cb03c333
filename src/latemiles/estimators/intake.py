"""From packets to the grid: every sensor's decoder and clock, and what aligns them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.estimators.align import AlignParams, AlignStage, TimedRun
from latemiles.estimators.clock import ClockFit, ClockStage
from latemiles.estimators.decode import DecodeStage, room_for
from latemiles.signals.blocks import GridBlock
from latemiles.signals.events import Event, Gap, LinkChanged, Marked
from latemiles.signals.frames import SEGMENTS, Segment
from latemiles.signals.packets import DecodedStretch, Driver
from latemiles.signals.records import Packet, Record, SensorInfo
from latemiles.signals.stretches import Stretch

__all__ = ["Intake"]

I8 = NDArray[np.int64]

STUCK_WORDS: Final = "repeats one value: switch it off and on"

_HANGS: Final = "stuck at one value"


class _Note(NamedTuple):
    """Why a sensor is not heard around a time."""

    segment: Segment
    t_s: float
    reason: str


_Stop = tuple[int, _Note | Marked | LinkChanged]
"""A packet, and what happens before it."""


class Intake:
    """Brings the sensors of a run onto one grid.

    Parameters
    ----------
    rate_hz : float
        Of the grid.
    sensors : sequence of (SensorInfo, Driver)
        At most one a segment.
    params : AlignParams
        Waiting and bridging.
    clocks : dict of Segment to ClockFit
        What an earlier pass found of the clocks.
    piece : int
        As of ``AlignStage``.
    """

    def __init__(
        self,
        rate_hz: float,
        sensors: Sequence[tuple[SensorInfo, Driver]],
        params: AlignParams,
        clocks: dict[Segment, ClockFit],
        piece: int = 0,
    ) -> None:
        self.decoders: dict[Segment, DecodeStage] = {}
        self.clocks: dict[Segment, ClockStage] = {}
        rates = [float("nan")] * len(SEGMENTS)
        for info, driver in sensors:
            # A file of one sample has no rate of its own; the grid's serves until the clock knows better.
            rate = info.rate_hz if np.isfinite(info.rate_hz) and info.rate_hz > 0.0 else rate_hz
            self.decoders[info.segment] = DecodeStage(info, driver)
            self.clocks[info.segment] = ClockStage(
                info.segment, rate, driver.capabilities, clocks.get(info.segment)
            )
            rates[info.segment.lane] = rate
        self.align = AlignStage(rate_hz, rates, params, piece)
        self.reached: list[int] = []

    def push(self, packet: Packet) -> tuple[GridBlock | None, list[Event]]:
        """Take one packet; grid samples that became certain, marks and gaps."""
        clock = self.clocks.get(packet.segment)
        if clock is None:
            return None, []
        decoder = self.decoders[packet.segment]
        was_stuck = decoder.is_stuck
        decoded = decoder.push(packet.payload)
        if decoded is None:
            return None, []
        events: list[Event] = []
        if decoder.is_stuck != was_stuck:
            events.append(_stuck(packet.arrival_ns, packet.segment, decoder.is_stuck))
        if decoded.is_marked:
            events.append(_marked(packet.arrival_ns, packet.segment))
        timed = clock.push(decoded, packet.arrival_ns)
        if timed.restart is not None:
            self.align.note(*_restarted(timed.restart))
        if timed.block is None:
            return None, events
        if decoder.is_stuck:
            self.align.note(*_Note(packet.segment, float(timed.block.t_s[-1]), _HANGS))
        grid, gaps = self.align.push([timed.block])
        return grid, [*events, *gaps]

    def push_stretch(
        self, stretch: Stretch, others: Sequence[tuple[int, Record]], marks: Sequence[int] = ()
    ) -> Iterator[tuple[list[GridBlock], list[Event], Record | None]]:
        """Take the packets of a stretch; what ``push`` makes of them one by one, cut where ``others`` lie.

        In the end ``reached`` says how far the grid was before each packet of ``marks``, which are in order.

        Yields
        ------
        list of GridBlock
            Grid samples that became certain.
        list of Event
            Marks and gaps.
        Record or None
            A record that is no packet, to be heard after these before going on.
        """
        run, stops = self._timed(stretch)
        at = 0
        asked = np.array(marks, dtype=np.int64)
        self.reached = []
        for before, what in sorted([*others, *stops], key=lambda stop: stop[0]):
            grids, gaps = self._aligned(run, at, before, asked) if before > at else ([], [])
            at = before
            events: list[Event] = list(gaps)
            if isinstance(what, _Note):
                self.align.note(*what)
                yield grids, events, None
            elif isinstance(what, Marked | LinkChanged):
                yield grids, [*events, what], None
            else:
                yield grids, events, what
        if at < len(run.packets):
            grids, gaps = self._aligned(run, at, len(run.packets), asked)
            yield grids, list(gaps), None
        self.reached += [self.align.following] * (len(marks) - len(self.reached))

    def _aligned(
        self, run: TimedRun, at: int, stop: int, marks: NDArray[np.int64]
    ) -> tuple[list[GridBlock], list[Gap]]:
        """Packets ``at`` to ``stop`` on the grid."""
        here = marks[len(self.reached) :]
        here = here[here <= stop]
        out = self.align.push_run(run, at, stop, here)
        self.reached += self.align.reached.tolist()
        return out

    def hear(self, stretch: Stretch) -> None:
        """Take the packets of a stretch for the clocks alone."""
        for segment, clock in self.clocks.items():
            which = np.flatnonzero(stretch.lane == segment.lane)
            start, stop = stretch.start[which], stretch.stop[which]
            clock.push_many(
                self.decoders[segment].hear_many(stretch.data, start, stop), stretch.arrival_ns[which]
            )

    def _timed(self, stretch: Stretch) -> tuple[TimedRun, list[_Stop]]:
        """Samples of the stretch in session time, and what happens before some of its packets."""
        packets = np.zeros((len(stretch.lane), 3), dtype=np.int64)
        packets[:, 0] = stretch.lane
        opened: list[tuple[Segment, I8, I8, DecodedStretch]] = []
        rows = 0
        for segment, decoder in self.decoders.items():
            which = np.flatnonzero(stretch.lane == segment.lane)
            start = stretch.start[which]
            opened.append(
                (segment, which, start, decoder.open_many(stretch.data, start, stretch.stop[which]))
            )
            ends = rows + np.cumsum(opened[-1][3].sizes)
            packets[which, 1], packets[which, 2] = ends - opened[-1][3].sizes, ends
            rows = int(ends[-1]) if len(ends) else rows
        run = TimedRun(packets, np.empty(rows, dtype=np.int64), np.empty(rows), *room_for(rows))
        stops: list[_Stop] = []
        for segment, which, start, heads in opened:
            decoder = self.decoders[segment]
            here = slice(packets[which[:1], 1].sum(), packets[which[-1:], 2].sum())
            room = run.acc[here], run.gyr[here], run.flags[here]
            was_stuck = decoder.is_stuck
            decoded, is_stuck = decoder.take_many(heads, stretch.data, start, room)
            timed = self.clocks[segment].push_many(
                decoded, stretch.arrival_ns[which], (run.t_s[here], run.keep[here])
            )
            for k in which[decoded.is_marked].tolist():
                stops.append((k, _marked(stretch.arrival_ns[k], segment)))
            stops += [(which[k], _restarted(gap)) for k, gap in timed.restarts]
            if was_stuck or is_stuck.any():
                stops += _hangs(stretch, segment, which, run, np.concatenate(([was_stuck], is_stuck)))
        return run, stops


def _hangs(
    stretch: Stretch, segment: Segment, which: I8, run: TimedRun, is_stuck: NDArray[np.bool_]
) -> list[_Stop]:
    """What to say of a sensor that repeats itself before or after some of its packets ``which``.

    ``is_stuck`` tells it before the first one and after each.
    """
    stops: list[_Stop] = []
    for k in np.flatnonzero(np.diff(is_stuck)).tolist():
        stops.append((which[k], _stuck(stretch.arrival_ns[which[k]], segment, is_stuck[1 + k])))
    for k in np.flatnonzero(is_stuck[1:]).tolist():
        _, start, end = run.packets[which[k]]
        kept = run.t_s[start:end][run.keep[start:end] == 1]
        if kept.size:
            stops.append((which[k], _Note(segment, float(kept[-1]), _HANGS)))
    return stops


def _restarted(gap: Gap) -> _Note:
    return _Note(gap.segment, gap.t_s, gap.reason)


def _stuck(arrival_ns: int, segment: Segment, is_stuck: bool) -> LinkChanged:
    state, detail = ("stuck", STUCK_WORDS) if is_stuck else ("up", "measures again")
    return LinkChanged(float(arrival_ns * 1e-9), segment, state, detail, float("nan"))


def _marked(arrival_ns: int, segment: Segment) -> Marked:
    return Marked(float(arrival_ns * 1e-9), f"button on the {segment.label} sensor")
