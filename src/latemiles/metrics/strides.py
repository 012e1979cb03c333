"""Strides from angles and gait events: the stage that fills the rows of the stride table."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError
from latemiles.estimators.gait_events import ACTIVITIES, KINDS, GaitRow
from latemiles.kernels import strides as kernel
from latemiles.kernels.gait_events import ACTIVITY, IC
from latemiles.metrics.catalogue import COLUMN_INDEX, blanked
from latemiles.metrics.features import MOST, FeatureMaker, temporal_columns
from latemiles.metrics.needs import Need
from latemiles.metrics.packing import pack, unpack
from latemiles.metrics.rows import StrideBatch
from latemiles.metrics.speed import SpeedTrack
from latemiles.metrics.table import EXCLUDING
from latemiles.metrics.waveforms import WaveformBook
from latemiles.signals.blocks import AngleBlock
from latemiles.signals.events import Activity, Event, GaitEvent, Slip, Stride
from latemiles.signals.frames import SIDES
from latemiles.signals.quality import SampleQuality, StrideQuality
from latemiles.signals.records import Speed

__all__ = ["StrideParams", "StrideStage"]

I8 = NDArray[np.int64]
NAN = math.nan

PIECE_S: Final = 5.0
"""So much goes into the ring before strides are taken from it, s: with the longest, well below its length."""


@dataclass(frozen=True, slots=True)
class StrideParams:
    """What is taken for a stride."""

    running_s: tuple[float, float] = (0.45, 1.3)
    """Stride times of running, s; jogging on the spot reaches 1.1."""
    walking_s: tuple[float, float] = (0.7, 2.2)
    """Stride times of walking, s."""
    unsteady: float = 0.10
    """A stride time this far from the running median is unsteady, as a share: five times its usual SD."""
    missed: float = 1.7
    """From this many times the running median on, a contact was missed and there is no stride."""
    neighbours: int = 11
    """Strides of one side in the running median."""
    fewest_neighbours: int = 3
    """Below this the runner has just started."""
    pause_s: float = 3.0
    """A silence this long ends a bout: neighbours before it do not count, s."""
    least_confidence: float = 0.5
    """Below this initial contact is uncertain."""
    ring_s: float = 12.0
    """Samples that are kept, s: the longest stride plus the latency of the events."""


@dataclass(slots=True)
class _Foot:
    """What was seen of one foot since its last initial contact, and its last stride times."""

    t_ic: float = NAN
    confidence: float = 0.0
    t_to: float = NAN
    t_other_ic: float = NAN
    t_last_end: float = NAN
    times: deque[float] = field(default_factory=deque)


class _Pending(NamedTuple):
    """A stride whose events are complete and whose samples may still be on their way."""

    lane: int
    t_ic: float
    t_to: float
    t_end: float
    t_other_ic: float
    distance: float
    speed: float
    quality: int


_BITS: Final = tuple(
    (int(sample_bit), int(stride_bit))
    for sample_bit, stride_bit in (
        (SampleQuality.GAP, StrideQuality.GAP),
        (SampleQuality.BRIDGED, StrideQuality.BRIDGED),
        (SampleQuality.ACC_CLIPPED, StrideQuality.CLIPPED),
        (SampleQuality.GYR_CLIPPED, StrideQuality.CLIPPED),
        (SampleQuality.SETTLING, StrideQuality.SETTLING),
        (SampleQuality.UNCALIBRATED, StrideQuality.UNCALIBRATED),
        (SampleQuality.HEADING_UNCERTAIN, StrideQuality.HEADING_UNCERTAIN),
        (SampleQuality.BEND, StrideQuality.TURN),
        (SampleQuality.SLIPPED, StrideQuality.SLIPPED),
    )
)
"""Bit of a sample to bit of its stride, as plain numbers: enum arithmetic costs more than the features."""

_BEND: Final = int(SampleQuality.BEND)
_EXCLUDING: Final = int(EXCLUDING)
_UNSTEADY: Final = int(StrideQuality.UNSTEADY)
_NOT_RUNNING: Final = int(StrideQuality.NOT_RUNNING)
_LOW_CONFIDENCE: Final = int(StrideQuality.LOW_CONFIDENCE)
_NO_TOE_OFF: Final = int(StrideQuality.NO_TOE_OFF)
_SLIPPED: Final = int(StrideQuality.SLIPPED)
_GAP: Final = int(StrideQuality.GAP)
_NOT_OFFERED: Final = int(StrideQuality.NOT_OFFERED)


class StrideStage:
    """Gait events and angles in, strides out, each when its last sample is there.

    A stride runs from an initial contact to the next of the same foot. What its events say (toe-off, the
    other foot, activity, speed) is settled when its last initial contact arrives, what its samples say when
    the last of them arrives; so cutting either stream elsewhere changes nothing.

    Parameters
    ----------
    rate_hz : float
        Rate of the grid, Hz.
    params : StrideParams, optional
        What is taken for a stride.
    lacking : Need
        What the sensors cannot give: columns that need it are left blank.
    """

    def __init__(
        self, rate_hz: float, params: StrideParams | None = None, *, lacking: Need = Need.NOTHING
    ) -> None:
        self._rate = rate_hz
        self._params = params or StrideParams()
        self._capacity = int(self._params.ring_s * rate_hz)
        self._ring = np.full((kernel.RING_ROWS, self._capacity), np.nan)
        self._quality = np.full((len(SIDES) + 1, self._capacity), int(SampleQuality.GAP), dtype=np.int64)
        self._begin = 0
        self._head = 0
        self._index = 0
        self._feet = tuple(_Foot(times=deque(maxlen=self._params.neighbours)) for _ in SIDES)
        self._activities: deque[tuple[float, str]] = deque(maxlen=16)
        self._slips: deque[tuple[float, int]] = deque(maxlen=16)
        self._pending: deque[_Pending] = deque()
        self._speed = SpeedTrack()
        self._features = FeatureMaker(rate_hz, self._params.walking_s[1])
        self.waveforms = WaveformBook()
        self._blank = np.array([COLUMN_INDEX[m.name] for m in blanked(lacking)], dtype=np.int64)

    def tell_speed(self, record: Speed) -> None:
        """Take in a word of the speed source, in its place among the events."""
        self._speed.tell(record)

    def push(self, angles: AngleBlock | None, events: Sequence[Event | Speed] = ()) -> list[Stride]:
        """As ``take``, with strides as events."""
        return [stride for batch in self.take(angles, events) for stride in batch.events()]

    def take(
        self,
        angles: AngleBlock | None,
        events: Sequence[Event | Speed] = (),
        gait: Sequence[GaitRow] = (),
    ) -> list[StrideBatch]:
        """Take in events in order of time, then samples; give the strides that they complete.

        Parameters
        ----------
        angles : AngleBlock or None
            The next samples of the grid.
        events : sequence
            GaitEvent, Activity, Slip and Speed are used, others passed over. Events of one foot must come in
            order of time, a toe-off before the contact that follows it.
        gait : sequence
            Further gait events and activities as ``GaitStage.rows`` gives them.

        Raises
        ------
        InputError
            If samples were left out or come twice.
        """
        for event in events:
            self._take(event)
        for row in gait:
            self._take_row(*row)
        strides = self._drain()
        if angles is not None:
            piece = max(1, int(PIECE_S * self._rate))
            for start in range(0, angles.pelvis.shape[0], piece):
                self._store(angles, start, start + piece)
                strides += self._drain()
        return strides

    def finish(self) -> list[Stride]:
        """The last strides: none, for a stride without its last sample is no stride."""
        self._pending.clear()
        return []

    def save(self) -> bytes:
        """State as bytes; equal streams give equal bytes however they were cut."""
        waves, sums = self.waveforms.save()
        facts: dict[str, Any] = {
            "begin": self._begin,
            "head": self._head,
            "index": self._index,
            "feet": [
                [f.t_ic, f.confidence, f.t_to, f.t_other_ic, f.t_last_end, list(f.times)] for f in self._feet
            ],
            "activities": list(self._activities),
            "slips": list(self._slips),
            "pending": [
                [p.lane, p.t_ic, p.t_to, p.t_end, p.t_other_ic, p.distance, p.speed, p.quality]
                for p in self._pending
            ],
            "speed": self._speed.save(),
            "waveforms": waves,
        }
        return pack(facts, {"ring": self._ring, "quality": self._quality, "waveforms": sums})

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave, with the same rate and parameters."""
        facts, arrays = unpack(state)
        self._ring, self._quality = arrays["ring"], arrays["quality"]
        self._begin, self._head, self._index = facts["begin"], facts["head"], facts["index"]
        n = self._params.neighbours
        self._feet = tuple(
            _Foot(ic, confidence, to, other, end, deque(times, maxlen=n))
            for ic, confidence, to, other, end, times in facts["feet"]
        )
        self._activities = deque(((a[0], a[1]) for a in facts["activities"]), maxlen=16)
        self._slips = deque(((s[0], s[1]) for s in facts["slips"]), maxlen=16)
        self._pending = deque(_Pending(*p) for p in facts["pending"])
        self._speed.load(facts["speed"])
        self.waveforms.load(facts["waveforms"], arrays["waveforms"])

    def _take(self, event: Event | Speed) -> None:
        if isinstance(event, GaitEvent):
            self._take_row(KINDS.index(event.kind), event.t_s, event.side.lane, event.confidence)
        elif isinstance(event, Speed):
            self.tell_speed(event)
        elif isinstance(event, Activity):
            self._activities.append((event.t_s, event.activity))
        elif isinstance(event, Slip):
            self._slips.append((event.t_s, event.segment.lane))

    def _take_row(self, what: float, t: float, which: float, confidence: float) -> None:
        if what == ACTIVITY:
            self._activities.append((t, ACTIVITIES[int(which)]))
        elif what == IC:
            self._contact(t, int(which), confidence)
        else:
            foot = self._feet[int(which)]
            if math.isnan(foot.t_to) and t > foot.t_ic:
                foot.t_to = t

    def _contact(self, t: float, lane: int, confidence: float) -> None:
        foot, other = self._feet[lane], self._feet[1 - lane]
        if math.isnan(other.t_other_ic) and t > other.t_ic:
            other.t_other_ic = t
        if math.isfinite(foot.t_ic):
            self._close(foot, lane, t, min(confidence, foot.confidence))
        foot.t_ic, foot.confidence = t, confidence
        foot.t_to = foot.t_other_ic = NAN

    def _close(self, foot: _Foot, lane: int, t_end: float, confidence: float) -> None:
        """Queue the stride that ends at ``t_end``, if it is one."""
        activity = self._activity_at(foot.t_ic)
        duration = t_end - foot.t_ic
        if not self._is_plausible(activity, duration):
            return
        times = foot.times
        if not foot.t_ic - foot.t_last_end <= self._params.pause_s:
            times.clear()
        usual = sorted(times)[len(times) // 2] if times else NAN
        if len(times) >= self._params.fewest_neighbours and duration > self._params.missed * usual:
            return
        bits = self._event_bits(activity, foot, lane, t_end, confidence)
        is_new = len(times) < self._params.fewest_neighbours
        if is_new or abs(duration / usual - 1.0) > self._params.unsteady:
            bits |= _UNSTEADY
        times.append(duration)
        foot.t_last_end = t_end
        speed, distance = self._speed.at(foot.t_ic)
        speed_end, _ = self._speed.at(t_end)
        mean_speed = 0.5 * (speed + speed_end) if math.isfinite(speed_end) else speed
        self._pending.append(
            _Pending(lane, foot.t_ic, foot.t_to, t_end, foot.t_other_ic, distance, mean_speed, bits)
        )

    def _event_bits(self, activity: str, foot: _Foot, lane: int, t_end: float, confidence: float) -> int:
        """Quality as far as the events of the stride tell it."""
        bits = 0
        if self._activity_at(t_end) != activity:
            bits |= _UNSTEADY
        if activity not in ("running", ""):
            bits |= _NOT_RUNNING
        if confidence < self._params.least_confidence:
            bits |= _LOW_CONFIDENCE
        if math.isnan(foot.t_to):
            bits |= _NO_TOE_OFF
        if self._slips and any(
            foot.t_ic <= t < t_end and slipped in (0, 1 + lane) for t, slipped in self._slips
        ):
            bits |= _SLIPPED
        return bits

    def _is_plausible(self, activity: str, duration: float) -> bool:
        if activity == "still":
            return False
        low, high = self._params.running_s if activity == "running" else self._params.walking_s
        if activity not in ("running", "walking"):
            low = self._params.running_s[0]
        return low <= duration <= high

    def _activity_at(self, t: float) -> str:
        """Activity that holds at ``t``; empty where nothing was said."""
        for since, activity in reversed(self._activities):
            if since <= t:
                return activity
        return ""

    def _store(self, angles: AngleBlock, start: int, stop: int) -> None:
        first = angles.first + start
        if self._head == 0 and self._begin == 0:
            self._begin = self._head = first
        if first != self._head:
            raise InputError(
                f"the samples from {self._head} on",
                f"samples from {first}",
                "Push every block once, in order.",
            )
        pelvis = angles.pelvis[start:stop]
        kernel.fill_ring(
            self._ring,
            self._quality,
            first,
            pelvis,
            angles.hip[:, start:stop],
            angles.force_up[:, start:stop],
            angles.force_horizontal[start:stop],
            angles.quality[:, start:stop],
        )
        self._head = first + pelvis.shape[0]

    def _drain(self) -> list[StrideBatch]:
        strides: list[StrideBatch] = []
        while True:
            ready: list[_Pending] = []
            while self._pending and len(ready) < MOST and self._is_over(self._pending[0]):
                ready.append(self._pending.popleft())
            if not ready:
                return strides
            strides.append(self._made(ready))

    def _is_over(self, pending: _Pending) -> bool:
        return math.ceil(pending.t_end * self._rate) < self._head

    def _made(self, ready: list[_Pending]) -> StrideBatch:
        """Rows of strides whose samples are all there."""
        oldest = max(self._begin, self._head - self._capacity)
        lanes = np.array([p.lane for p in ready], dtype=np.int64)
        events = np.array([(p.t_ic, p.t_to, p.t_end) for p in ready])
        rows, seen, waves = self._features.measure(self._ring, self._quality, oldest, lanes, events)
        bits, times, steady, toe_offs = [], [], [], []
        for k, (p, (pelvis, thigh, is_whole)) in enumerate(zip(ready, seen.tolist(), strict=True)):
            quality = p.quality | _stride_bits(pelvis, thigh)
            if not is_whole:
                # Began before the first sample that is still there: nothing to measure.
                quality |= _GAP
            elif not quality & _EXCLUDING:
                steady.append(k)
                toe_offs.append(100.0 * (p.t_to - p.t_ic) / (p.t_end - p.t_ic))
            times.append(temporal_columns(self._index + k, p))
            bits.append(quality | _NOT_OFFERED if self._blank.size else quality)
        self.waveforms.add([ready[k].t_ic for k in steady], lanes[steady], waves[steady], toe_offs)
        rows[:, : len(times[0])] = times
        rows[:, self._blank] = NAN
        first, self._index = self._index, self._index + len(ready)
        return StrideBatch(first, events[:, 0], lanes, rows, np.array(bits, dtype=np.int64))


def _stride_bits(pelvis: int, thigh: int) -> int:
    """Bits of a stride from those of its samples."""
    # A bend is a matter of the pelvis; a thigh turns in every stride.
    seen = pelvis | (thigh & ~_BEND)
    if not seen:
        return 0
    bits = 0
    for sample_bit, stride_bit in _BITS:
        if seen & sample_bit:
            bits |= stride_bit
    return bits
