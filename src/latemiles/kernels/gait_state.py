"""The record that gait events are found with, and how one grid sample gets into it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from latemiles.kernels.foot import doubt_feet
from latemiles.kernels.jit import njit
from latemiles.kernels.landing import KNOTS, SPAN
from latemiles.kernels.record import as_state

__all__ = ["UNKNOWN", "append_samples", "forget_steps", "gait_dtype", "new_gait_state", "time_of"]

KEEP_S: Final = 2.0
"""History that the picks may look back on, s; the buffers hold twice that."""
LOW_PASS_S: Final = 0.2
"""Length of the Hann window that leaves the steps (-3 dB near 7 Hz) and takes the impacts out, s."""
BRIEF_S: Final = 0.025
"""Length of the window that takes the ringing off a flank, s."""
UNKNOWN: Final = -1
TURNED: Final = 0.05
"""How probable it is, before the first step, that the hips are calibrated the wrong way round."""


def gait_dtype(capacity: int) -> np.dtype:
    """Layout of the state for buffers of ``capacity`` samples."""
    return np.dtype(
        [
            ("rate", "f8"),
            ("step", "f8"),  # of a sensor, in grid samples; 1 at least
            ("half", "i8"),
            ("brief_half", "i8"),
            # buffers: sample k of them is grid sample zero + k
            ("zero", "i8"),
            ("n", "i8"),
            ("force", "f8", (3, capacity)),
            ("bent", "f8", (3, capacity)),  # squared second differences of the force
            ("flexion", "f8", (2, capacity)),
            ("pelvis", "f8", (2, capacity)),
            ("trunk", "f8", (capacity,)),
            ("scissors", "f8", (capacity,)),
            ("low", "f8", (capacity,)),
            ("brief", "f8", (capacity,)),
            ("window", "f8", (capacity,)),
            ("brief_window", "f8", (capacity,)),
            ("use", "i8", (3,)),
            ("sums", "f8", (2, 3)),
            # the low-passed force: going up or down since its last turn; a flight that waits for its end
            ("is_rising", "i8"),
            ("turn", "f8"),
            ("turn_at", "i8"),
            ("peak", "f8"),
            ("peak_at", "i8"),
            ("valley_at", "i8"),
            ("is_armed", "i8"),
            # how long before its rise a contact lies, and how many picks said so
            ("rise_lag", "f8"),
            ("rise_votes", "f8"),
            # the same with a finer step, for walking
            ("walk_is_rising", "i8"),
            ("walk_turn", "f8"),
            ("walk_turn_at", "i8"),
            ("walk_low", "f8"),
            ("walk_high_at", "i8"),
            # the last step, and what says which foot it was
            ("gait", "i8"),
            ("ic", "f8"),
            ("side", "i8"),
            ("interval", "f8"),
            ("strange", "i8"),
            ("which", "f8", (2, 2)),
            ("loose", "f8"),
            ("turn_of", "f8"),
            ("beat", "f8"),
            ("beats", "f8"),
            ("before", "f8", (2,)),
            ("now", "f8", (2,)),
            # a first step, held until a second one shows that it was one
            ("held", "i8"),
            ("held_ic", "f8"),
            ("held_side", "i8"),
            ("held_confidence", "f8"),
            # walking: the foot that leaves the ground next
            ("to_side", "i8"),
            # how either foot's landing looks, see ``landing``
            ("landing", "f8", (2, 2, KNOTS)),
            ("landing_noise", "f8", (2, 2)),
            ("landing_memory", "f8", (2, 2)),
            ("landing_scratch", "f8", (2, SPAN)),
            # slow sensors: how long before its rise a foot's contact lies on average, samples; of how many
            ("settled", "f8", (2, 2)),
            # standing still or not
            ("activity", "i8"),
            ("activity_t", "f8"),
            ("usual", "f8"),
            ("usual_gain", "f8"),
            ("spread", "f8"),
            ("spread_gain", "f8"),
            ("quiet", "i8"),
        ]
    )


def _hann(half: int) -> np.ndarray:
    window = np.hanning(2 * half + 3)[1:-1]
    unit: np.ndarray = window / window.sum()
    return unit


def new_gait_state(rate_hz: float, first: int, step: float = 1.0) -> np.ndarray:
    """Fresh state, shape (1,).

    Parameters
    ----------
    rate_hz : float
        Of the grid.
    first : int
        Index of the first grid sample.
    step : float
        Grid samples from one sample of a sensor to the next, 1 at least.
    """
    state = as_state(np.zeros(1, dtype=gait_dtype(2 * int(KEEP_S * rate_hz))))
    half = max(1, round(0.5 * LOW_PASS_S * rate_hz))
    brief_half = max(1, round(0.5 * BRIEF_S * rate_hz))
    state["rate"], state["step"] = rate_hz, step
    state["zero"] = first
    state["half"], state["brief_half"] = half, brief_half
    state["window"][0, : 2 * half + 1] = _hann(half)
    state["brief_window"][0, : 2 * brief_half + 1] = _hann(brief_half)
    for name in ("turn", "walk_turn", "usual", "before", "now"):
        state[name] = math.nan
    state["usual_gain"], state["spread_gain"] = 2.0 / rate_hz, 1.0 / (0.3 * rate_hz)
    state["turn_of"] = 1.0
    state["to_side"] = -1
    state["which"] = 0.5 * np.array([1.0 - TURNED, TURNED])
    state["activity"] = UNKNOWN
    state["activity_t"] = -math.inf
    return state


@njit(cache=True)
def time_of(s, k):
    """Session time, s, of buffer sample k, which may lie between samples."""
    return (s.zero + k) / s.rate


@njit(cache=True)
def forget_steps(s):
    """After a gap or a pause the next step is a first step again."""
    s.gait = 0
    doubt_feet(s.which)
    s.interval = 0.0
    s.strange = 0
    s.held = 0
    s.to_side = -1
    s.before[:] = math.nan


@njit(cache=True)
def _smooth(values, start, stop, half, window, out):
    """Low-pass of ``values`` at samples [start, stop) into ``out``; the window is symmetric."""
    count = stop - start
    here, smooth, weight = values[start:stop], out[start:stop], window[half]
    for i in range(count):
        smooth[i] = weight * here[i]
    for k in range(1, half + 1):
        before, after, weight = values[start - k :], values[start + k :], window[half + k]
        for i in range(count):
            smooth[i] += weight * (before[i] + after[i])


@njit(cache=True)
def _shift(s):
    """Drop the older half of the buffers."""
    drop = s.trunk.shape[0] // 2
    for k in range(s.n - drop):
        for lane in range(3):
            s.force[lane, k] = s.force[lane, k + drop]
            s.bent[lane, k] = s.bent[lane, k + drop]
        for side in range(2):
            s.flexion[side, k] = s.flexion[side, k + drop]
            s.pelvis[side, k] = s.pelvis[side, k + drop]
        s.trunk[k] = s.trunk[k + drop]
        s.scissors[k] = s.scissors[k + drop]
        s.low[k] = s.low[k + drop]
        s.brief[k] = s.brief[k + drop]
    s.n -= drop
    s.zero += drop
    # A turn that has left the buffers is too old to be used; only its place must stay valid.
    s.turn_at = max(0, s.turn_at - drop)
    s.peak_at = max(0, s.peak_at - drop)
    s.valley_at = max(0, s.valley_at - drop)
    s.walk_turn_at = max(0, s.walk_turn_at - drop)
    s.walk_high_at = max(0, s.walk_high_at - drop)


@njit(cache=True)
def _put_columns(rows, first, last, source, start):
    """Fill columns ``first`` to ``last`` with those of a source from ``start`` on.

    numba takes a second to compile an assignment of slices, most of it for the words of its errors.
    """
    for r in range(rows.shape[0]):
        for k in range(first, last):
            rows[r, k] = source[r, start + k - first]


@njit(cache=True)
def append_samples(s, force, flexion, pelvis, start):
    """Take in grid samples from column ``start`` on, as many as there is room for.

    A missing pelvis is stood in for by the mean of the thighs, a missing hip angle by the other's mirror
    image. ``s.n`` is left as it is: whoever follows the samples counts them one by one, and knows nothing of
    those behind. Returns the column up to which they were taken.
    """
    if s.n == s.trunk.shape[0]:
        _shift(s)
    first, count = s.n, min(force.shape[1] - start, s.trunk.shape[0] - s.n)
    last, stop = first + count, start + count
    _put_columns(s.force, first, last, force, start)
    _put_columns(s.flexion, first, last, flexion, start)
    _put_columns(s.pelvis, first, last, pelvis, start)
    for lane in range(3):
        _bend_all(s.force[lane], s.bent[lane], first, last)
    _stand_in(s, first, last)
    s.low[first:last] = math.nan
    s.brief[first:last] = math.nan
    begin, end = max(s.brief_half, first - s.brief_half), last - s.brief_half
    _smooth(s.trunk, begin, max(begin, end), s.brief_half, s.brief_window, s.brief)
    begin, end = max(s.half, first - s.half), last - s.half
    _smooth(s.trunk, begin, max(begin, end), s.half, s.window, s.low)
    return stop


@njit(cache=True)
def _bend_all(force, bent, first, last):
    """Squares of the second differences that end at samples [first, last); 0 at the beginning."""
    for k in range(first, min(2, last)):
        bent[k] = 0.0
    first = max(2, first)
    values, out = force[first - 2 :], bent[first:]
    for k in range(last - first):
        b = values[k + 2] - 2.0 * values[k + 1] + values[k]
        b = b if math.isfinite(b) else 0.0
        out[k] = b * b


@njit(cache=True)
def _stand_in(s, first, last):
    """Force of the trunk and swing of the legs at samples [first, last), from what is there."""
    pelvis, left, right = s.force[0, first:last], s.force[1, first:last], s.force[2, first:last]
    trunk = s.trunk[first:last]
    for k in range(last - first):
        thighs = 0.5 * (left[k] + right[k])
        one = right[k] if math.isnan(left[k]) else left[k]
        thighs = one if math.isnan(thighs) else thighs
        trunk[k] = thighs if math.isnan(pelvis[k]) else pelvis[k]
    left, right, scissors = s.flexion[0, first:last], s.flexion[1, first:last], s.scissors[first:last]
    for k in range(last - first):
        both = left[k] - right[k]
        one = -2.0 * right[k] if math.isnan(left[k]) else 2.0 * left[k]
        scissors[k] = one if math.isnan(both) else both
