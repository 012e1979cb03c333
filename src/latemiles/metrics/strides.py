"""Strides from angles and gait events: the stage that fills the rows of the stride table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import InputError
from latemiles.estimators.gait_events import ACTIVITIES, KINDS, GaitRow
from latemiles.kernels import strides as kernel
from latemiles.kernels.gait_events import ACTIVITY
from latemiles.kernels.record import as_state
from latemiles.kernels.stride_events import (
    SLIP,
    STRIDE_SETTINGS,
    T_END,
    T_IC,
    WAITING,
    follow_events,
    new_stride_state,
)
from latemiles.metrics.features import MOST, FeatureMaker, Samples
from latemiles.metrics.needs import Need
from latemiles.metrics.packing import pack, unpack
from latemiles.metrics.rows import StrideBatch
from latemiles.metrics.speed import BRIDGE_S, HOLD_S, SpeedTrack
from latemiles.metrics.waveforms import WaveformBook
from latemiles.signals.blocks import AngleBlock
from latemiles.signals.events import Activity, Event, GaitEvent, Slip, Stride
from latemiles.signals.frames import SIDES
from latemiles.signals.quality import SampleQuality
from latemiles.signals.records import Speed

__all__ = ["StrideParams", "StrideStage"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


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
        none = np.empty((0, 3))
        self._none: Samples = (
            none,
            np.empty((2, 0, 3)),
            none.T,
            none[:, :2],
            np.empty((3, 0), dtype=np.int64),
        )
        self._begin = 0
        self._head = 0
        self._index = 0
        self._state = new_stride_state(self._params.neighbours)
        self._settings = _settings(self._params)
        self._waiting = np.empty((MOST, WAITING))
        self._count = 0
        """Strides whose events are complete and whose samples may still be on their way: its first rows."""
        self._speed = SpeedTrack()
        self._features = FeatureMaker(rate_hz, self._params.walking_s[1], lacking=lacking)
        self.waveforms = WaveformBook()

    def tell_speed(self, record: Speed) -> None:
        """Take in a word of the speed source, in its place among the events."""
        self._speed.tell(record)

    def tell_words(self, words: F8) -> None:
        """Take in words (m, 3) as ``words_of`` gives them, all before the next events."""
        self._speed.tell_many(words)

    def push(self, angles: AngleBlock | None, events: Sequence[Event | Speed] = ()) -> list[Stride]:
        """As ``take``, with strides as events."""
        return [stride for batch in self.take(angles, events) for stride in batch.events()]

    def take(
        self,
        angles: AngleBlock | None,
        events: Sequence[Event | Speed] = (),
        gait: F8 | None = None,
    ) -> list[StrideBatch]:
        """Take in events in order of time, then samples; give the strides that they complete.

        Parameters
        ----------
        angles : AngleBlock or None
            The next samples of the grid.
        events : sequence
            GaitEvent, Activity, Slip and Speed are used, others passed over. Events of one foot must come in
            order of time, a toe-off before the contact that follows it.
        gait : float64 array, shape (n, 4), optional
            Further gait events and activities as ``GaitStage.rows`` gives them.

        Raises
        ------
        InputError
            If samples were left out or come twice.
        """
        rows: list[GaitRow] = []
        for event in events:
            if isinstance(event, Speed):
                self._hear(np.array(rows))
                rows = []
                self.tell_speed(event)
            elif (row := _row_of(event)) is not None:
                rows.append(row)
        self._hear(np.array(rows))
        if gait is not None:
            self._hear(gait)
        samples = self._none
        if angles is not None:
            self._expect(angles.first)
            samples = (
                angles.pelvis,
                angles.hip,
                angles.force_up,
                angles.force_horizontal,
                angles.quality,
            )
        strides = self._made(samples) if self._count else self._kept_only(samples)
        self._head += len(samples[0])
        return strides

    def finish(self) -> list[Stride]:
        """The last strides: none, for a stride without its last sample is no stride."""
        self._count = 0
        return []

    def save(self) -> bytes:
        """State as bytes; equal streams give equal bytes however they were cut."""
        waves, sums = self.waveforms.save()
        facts: dict[str, Any] = {
            "begin": self._begin,
            "head": self._head,
            "index": self._index,
            "speed": self._speed.save(),
            "waveforms": waves,
        }
        return pack(
            facts,
            {
                "ring": self._ring,
                "quality": self._quality,
                "events": self._numbers,
                "waiting": self._waiting[: self._count],
                "waveforms": sums,
            },
        )

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave, with the same rate and parameters."""
        facts, arrays = unpack(state)
        self._ring, self._quality = arrays["ring"], arrays["quality"]
        self._begin, self._head, self._index = facts["begin"], facts["head"], facts["index"]
        self._numbers[:] = arrays["events"]
        self._count = 0
        self._make_room(len(arrays["waiting"]))
        self._count = len(arrays["waiting"])
        self._waiting[: self._count] = arrays["waiting"]
        self._speed.load(facts["speed"])
        self.waveforms.load(facts["waveforms"], arrays["waveforms"])

    @property
    def _numbers(self) -> I8:
        """What is remembered of events, as one array."""
        numbers: I8 = self._state.view(np.ndarray).view(np.int64)
        return numbers

    def _hear(self, rows: F8) -> None:
        if len(rows):
            self._make_room(len(rows))
            self._count = follow_events(
                self._state, self._settings, rows, self._speed.words, self._waiting, self._count
            )

    def _make_room(self, count: int) -> None:
        """Room for so many more strides that wait."""
        if self._count + count > len(self._waiting):
            more = np.empty((self._count + count, WAITING))
            more[: self._count] = self._waiting[: self._count]
            self._waiting = more

    def _expect(self, first: int) -> None:
        """Make sure that sample ``first`` is the one that comes next."""
        if self._head == 0 and self._begin == 0:
            self._begin = self._head = first
        if first != self._head:
            raise InputError(
                f"the samples from {self._head} on",
                f"samples from {first}",
                "Push every block once, in order.",
            )

    def _kept_only(self, samples: Samples) -> list[StrideBatch]:
        """Keep samples while no stride waits for any."""
        if len(samples[0]):
            kernel.fill_ring(self._ring, self._quality, self._head, *samples)
        return []

    def _made(self, samples: Samples) -> list[StrideBatch]:
        """Keep samples, and make rows of the strides that waited for no more than these."""
        rings, waiting = (self._ring, self._quality), self._waiting[: self._count]
        batch, steady, waves = self._features.take(
            rings, self._begin, self._head, samples, self._index, waiting
        )
        done = len(batch.lanes)
        if not done:
            return []
        if steady.size:
            t_ic, t_to, t_end = waiting[steady, T_IC : T_END + 1].T
            self.waveforms.add(t_ic, batch.lanes[steady], waves, 100.0 * (t_to - t_ic) / (t_end - t_ic))
        self._index += done
        self._count -= done
        self._waiting[: self._count] = waiting[done:].copy()
        return [batch]


def _settings(params: StrideParams) -> NDArray[np.void]:
    """What kernels are told of parameters."""
    settings = np.zeros(1, dtype=STRIDE_SETTINGS)
    settings["running"], settings["walking"] = params.running_s, params.walking_s
    settings["bridge_s"], settings["hold_s"] = BRIDGE_S, HOLD_S
    for name in ("unsteady", "missed", "pause_s", "least_confidence", "fewest_neighbours"):
        settings[name] = getattr(params, name)
    return as_state(settings)


def _row_of(event: Event) -> GaitRow | None:
    """An event as the kernel takes it; None if strides have nothing to do with it."""
    if isinstance(event, GaitEvent):
        return KINDS.index(event.kind), event.t_s, event.side.lane, event.confidence
    if isinstance(event, Activity):
        return ACTIVITY, event.t_s, ACTIVITIES.index(event.activity), 1.0
    if isinstance(event, Slip):
        return SLIP, event.t_s, event.segment.lane, 1.0
    return None
