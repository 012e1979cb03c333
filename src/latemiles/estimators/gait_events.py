"""Initial contacts, toe-offs and what the person does, from posture and vertical force, as it happens."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import inf, isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from latemiles.errors import ConfigError, ShapeError
from latemiles.kernels.gait_events import ACTIVITY, ROWS_PER_SAMPLE, gait_push
from latemiles.kernels.gait_state import gait_dtype, new_gait_state
from latemiles.kernels.record import as_state
from latemiles.signals.blocks import AngleBlock
from latemiles.signals.events import Activity, GaitEvent
from latemiles.signals.frames import SEGMENTS, SIDES

__all__ = ["ACTIVITIES", "KINDS", "GaitRow", "GaitStage", "events_of"]

GaitRow = Sequence[float]
"""What, time, side or activity and confidence of an event, see ``kernels.gait_events``."""

ACTIVITIES: Final = ("still", "walking", "running", "other")
"""What ``Activity.activity`` can be."""

KINDS: Final = ("initial_contact", "toe_off")
"""What ``GaitEvent.kind`` can be, by the kernel's numbers."""
_HEAD: Final = struct.Struct("<2q")


class GaitStage:
    """Gait events of both feet, running and walking.

    A step is put out at most 0.6 s after its contact in running; the first step after a pause waits for the
    second, because a single flight or swing is no gait. A contact is put half way between the two grid
    samples that it lies between (2.5 ms at most from the kink at 200 Hz); in running, from a foot's seventh
    stride on, where it fits best what the strides before it show between the samples.

    Confidence, 0 to 1: how sharply the contact stands out, how sure the side is, how well the step fits its
    neighbours. Below 0.4 something is wrong: the same foot twice, a step far from the others' length.

    Parameters
    ----------
    rate_hz : float
        Of the grid, 50 Hz or more.
    sensor_hz : float, optional
        Of the slowest sensor, if that is slower than the grid.
    """

    def __init__(self, rate_hz: float, sensor_hz: float = inf) -> None:
        if not (isfinite(rate_hz) and rate_hz >= 50.0):
            raise ConfigError("rate_hz", f"expected a grid of 50 Hz or more, got {rate_hz}. Use 100 or 200.")
        self.rate_hz = float(rate_hz)
        self._state = new_gait_state(rate_hz, 0, max(1.0, rate_hz / sensor_hz))
        self._next: int | None = None
        self._rows = np.empty((0, 4))

    def push(self, angles: AngleBlock) -> list[GaitEvent | Activity]:
        """As ``rows``, with each as an event."""
        return events_of(self.rows(angles))

    def rows(self, angles: AngleBlock) -> NDArray[np.float64]:
        """Events (n, 4) that became certain with these samples, in order of time for each foot.

        Parameters
        ----------
        angles : AngleBlock
            The next samples of the grid. Used are ``force_up`` and the hips' flexion; NaN is missing: with
            one thigh missing the sides come by alternation from the other, with both from the pelvis's own
            obliquity and rotation; without the pelvis the thighs' forces stand in, with neither nothing is
            put out.
        """
        count = angles.force_up.shape[1]
        if angles.force_up.shape[0] < len(SEGMENTS) or angles.hip.shape[:2] != (2, count):
            raise ShapeError(
                "force_up (3, k) and hip (2, k, 3)",
                f"{angles.force_up.shape} and {angles.hip.shape}",
                "Hand in the posture stage's block as it is.",
            )
        if self._next is None:
            self._state["zero"] = angles.first
        elif angles.first != self._next:
            raise ShapeError(
                f"the block that begins at grid sample {self._next}",
                f"one that begins at {angles.first}",
                "Push every block once and in order.",
            )
        self._next = angles.first + count
        needed = ROWS_PER_SAMPLE * (count + 1)
        if self._rows.shape[0] < needed:
            self._rows = np.empty((needed, 4))
        force = np.ascontiguousarray(angles.force_up[:3])
        flexion = np.ascontiguousarray(angles.hip[:, :, 0])
        pelvis = np.ascontiguousarray(angles.pelvis[:, 1:].T)
        found = gait_push(self._state, force, flexion, pelvis, self._rows)
        return self._rows[:found].copy()

    def finish(self) -> list[GaitEvent | Activity]:
        """Nothing more: a step whose contact is not over when the signal ends is not put out."""
        return []

    def save(self) -> bytes:
        """Everything the stage remembers, as bytes; equal histories give equal bytes."""
        following = -1 if self._next is None else self._next
        return _HEAD.pack(int(self._next is not None), following) + self._state.tobytes()

    def load(self, state: bytes) -> None:
        """Go on from what ``save`` gave; the stage must have been made with the same grid rate."""
        if len(state) != _HEAD.size + self._state.nbytes:
            size = _HEAD.size + self._state.nbytes
            raise ConfigError("state", f"expected {size} bytes, got {len(state)}. Use a state of this rate.")
        started, following = _HEAD.unpack_from(state)
        self._next = following if started else None
        layout = gait_dtype(self._state["trunk"].shape[1])
        self._state = as_state(np.frombuffer(state, dtype=layout, count=1, offset=_HEAD.size).copy())


def events_of(rows: NDArray[np.float64]) -> list[GaitEvent | Activity]:
    """Rows as events."""
    return [
        Activity(t, ACTIVITIES[int(which)])
        if what == ACTIVITY
        else GaitEvent(t, KINDS[int(what)], SIDES[int(which)], confidence)
        for what, t, which, confidence in rows.tolist()
    ]
