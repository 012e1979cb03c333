"""Which strides there are: from one initial contact of a foot to the next, by the gait events alone.

What the events of a stride say (toe-off, the other foot, activity, speed) is settled when its last contact
comes. It then waits, a row of ``WAITING`` columns, until the samples up to there have come too.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from latemiles.kernels.gait_events import ACTIVITY, IC, RUNNING, STILL, WALKING
from latemiles.kernels.gait_state import UNKNOWN
from latemiles.kernels.jit import njit
from latemiles.kernels.pace import speed_at
from latemiles.kernels.record import as_state
from latemiles.signals.quality import StrideQuality

__all__ = [
    "LANE",
    "QUALITY",
    "SLIP",
    "STRIDE_SETTINGS",
    "T_END",
    "T_IC",
    "T_TO",
    "WAITING",
    "follow_events",
    "new_stride_state",
]

SLIP: Final = ACTIVITY + 1
"""What a row says beside ``gait_events``: a sensor slipped; the lane stands in place of the side."""
LANE, T_IC, T_TO, T_END, T_OTHER, DISTANCE, SPEED, QUALITY = range(8)
"""Columns of a stride that waits: foot (0 left, 1 right); contact, toe-off (NaN: none), next contact and
contact of the other foot between (NaN: none), s; way at its start, m, and speed, m/s (NaN: unknown); bits."""
WAITING: Final = 8
REMEMBERED: Final = 16
"""Activities and slips that are remembered."""

STRIDE_SETTINGS = np.dtype(
    [
        ("running", np.float64, (2,)),  # stride times of running, s
        ("walking", np.float64, (2,)),  # of walking, s
        ("unsteady", np.float64),
        ("missed", np.float64),
        ("pause_s", np.float64),
        ("least_confidence", np.float64),
        ("bridge_s", np.float64),  # of the speed source, see ``pace.speed_at``
        ("hold_s", np.float64),
        ("fewest_neighbours", np.int64),
    ]
)
"""What the parameters of ``metrics.strides`` come down to."""

_UNSTEADY: Final = int(StrideQuality.UNSTEADY)
_NOT_RUNNING: Final = int(StrideQuality.NOT_RUNNING)
_LOW_CONFIDENCE: Final = int(StrideQuality.LOW_CONFIDENCE)
_NO_TOE_OFF: Final = int(StrideQuality.NO_TOE_OFF)
_SLIPPED: Final = int(StrideQuality.SLIPPED)


def new_stride_state(neighbours: int) -> np.ndarray:
    """Fresh state, shape (1,), that remembers ``neighbours`` stride times of each foot."""
    layout = np.dtype(
        [
            # of either foot: last contact, its confidence, toe-off and the other's contact since then
            ("ic", "f8", (2,)),
            ("confidence", "f8", (2,)),
            ("to", "f8", (2,)),
            ("other_ic", "f8", (2,)),
            # when its last stride ended, and its last stride times, oldest first
            ("end", "f8", (2,)),
            ("count", "i8", (2,)),
            ("times", "f8", (2, neighbours)),
            ("ordered", "f8", (neighbours,)),
            ("activities", "i8"),
            ("activity_t", "f8", (REMEMBERED,)),
            ("activity", "i8", (REMEMBERED,)),
            ("slips", "i8"),
            ("slip_t", "f8", (REMEMBERED,)),
            ("slipped", "i8", (REMEMBERED,)),
        ]
    )
    state = as_state(np.zeros(1, dtype=layout))
    for name in ("ic", "to", "other_ic", "end"):
        state[name] = math.nan
    return state


@njit(cache=True)
def follow_events(state, settings, rows, words, waiting, count):
    """Take in events; let the strides that they end wait for their samples.

    Parameters
    ----------
    state : array, shape (1,)
        Of ``new_stride_state``, changed in place.
    settings : array of STRIDE_SETTINGS, shape (1,)
    rows : float64 array, shape (n, 4)
        Events as of ``gait_events``, and slips; those of one foot in order of time.
    words : float64 array, shape (w, 3)
        Of the speed source so far, see ``pace.speed_at``.
    waiting : float64 array, shape (m, WAITING)
        Strides that wait, with room for one more an event.
    count : int
        How many there are.

    Returns
    -------
    int
        How many there are now.
    """
    s, co = state[0], settings[0]
    for k in range(rows.shape[0]):
        what, t, which = int(rows[k, 0]), rows[k, 1], int(rows[k, 2])
        if what == ACTIVITY:
            s.activities = _remember(s.activity_t, s.activity, s.activities, t, which)
        elif what == SLIP:
            s.slips = _remember(s.slip_t, s.slipped, s.slips, t, which)
        elif what == IC:
            count = _contact(s, co, t, which, rows[k, 3], words, waiting, count)
        elif math.isnan(s.to[which]) and t > s.ic[which]:
            s.to[which] = t
    return count


@njit(cache=True)
def _remember(times, values, count, t, value):
    """Append to the last ones; how many there are then."""
    if count == times.shape[0]:
        for k in range(1, count):
            times[k - 1], values[k - 1] = times[k], values[k]
        count -= 1
    times[count], values[count] = t, value
    return count + 1


@njit(cache=True)
def _contact(s, co, t, foot, confidence, words, waiting, count):
    other = 1 - foot
    if math.isnan(s.other_ic[other]) and t > s.ic[other]:
        s.other_ic[other] = t
    if math.isfinite(s.ic[foot]):
        count = _close(s, co, t, foot, min(confidence, s.confidence[foot]), words, waiting, count)
    s.ic[foot], s.confidence[foot] = t, confidence
    s.to[foot] = s.other_ic[foot] = math.nan
    return count


@njit(cache=True)
def _close(s, co, t_end, foot, confidence, words, waiting, count):
    """Let the stride that ends at ``t_end`` wait, if it is one."""
    t_ic = s.ic[foot]
    activity, duration = _activity_at(s, t_ic), t_end - t_ic
    low = co.walking[0] if activity == WALKING else co.running[0]
    high = co.running[1] if activity == RUNNING else co.walking[1]
    if activity == STILL or not low <= duration <= high:
        return count
    if not t_ic - s.end[foot] <= co.pause_s:
        s.count[foot] = 0
    known = s.count[foot]
    usual = _median(s.times[foot], known, s.ordered)
    is_new = known < co.fewest_neighbours
    if not is_new and duration > co.missed * usual:
        return count
    bits = _event_bits(s, co, activity, foot, t_end, confidence)
    if is_new or abs(duration / usual - 1.0) > co.unsteady:
        bits |= _UNSTEADY
    _append(s.times[foot], known, duration)
    s.count[foot] = min(known + 1, s.times.shape[1])
    s.end[foot] = t_end
    speed, distance = speed_at(words, t_ic, co.bridge_s, co.hold_s)
    speed_end, _ = speed_at(words, t_end, co.bridge_s, co.hold_s)
    row = waiting[count]
    row[LANE], row[T_IC], row[T_TO], row[T_END] = foot, t_ic, s.to[foot], t_end
    row[T_OTHER], row[DISTANCE], row[QUALITY] = s.other_ic[foot], distance, bits
    row[SPEED] = 0.5 * (speed + speed_end) if math.isfinite(speed_end) else speed
    return count + 1


@njit(cache=True)
def _append(times, count, value):
    """Append to the last stride times, of which the first one goes where there is no room."""
    if count == times.shape[0]:
        for k in range(1, count):
            times[k - 1] = times[k]
        count -= 1
    times[count] = value


@njit(cache=True)
def _median(values, count, ordered):
    """Upper median of the first ``count`` values; NaN of none."""
    if count == 0:
        return math.nan
    for k in range(count):
        at = k
        while at > 0 and ordered[at - 1] > values[k]:
            ordered[at] = ordered[at - 1]
            at -= 1
        ordered[at] = values[k]
    return ordered[count // 2]


@njit(cache=True)
def _event_bits(s, co, activity, foot, t_end, confidence):
    """Quality as far as the events of the stride tell it."""
    bits = 0
    if _activity_at(s, t_end) != activity:
        bits |= _UNSTEADY
    if activity not in (RUNNING, UNKNOWN):
        bits |= _NOT_RUNNING
    if confidence < co.least_confidence:
        bits |= _LOW_CONFIDENCE
    if math.isnan(s.to[foot]):
        bits |= _NO_TOE_OFF
    for k in range(s.slips):
        if s.ic[foot] <= s.slip_t[k] < t_end and s.slipped[k] in (0, 1 + foot):
            bits |= _SLIPPED
    return bits


@njit(cache=True)
def _activity_at(s, t):
    """Activity that holds at ``t``; UNKNOWN where nothing was said."""
    for k in range(s.activities - 1, -1, -1):
        if s.activity_t[k] <= t:
            return s.activity[k]
    return UNKNOWN
