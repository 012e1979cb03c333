"""Kernels that take the relative headings of pelvis and thighs on by a step; the filter is in ``heading``."""

from __future__ import annotations

import math

import numpy as np

from latemiles.kernels.heading import kalman_predict, kalman_update, smooth_back
from latemiles.kernels.jit import njit

__all__ = [
    "HEADING_SETTINGS",
    "HISTORY",
    "change_gait",
    "doubt_of",
    "heading_step",
    "loosen",
    "take_parallel",
    "take_swing",
]

HISTORY = 43
"""Columns of a step's history: those of ``heading.smooth_back``, then whether the heading was known after the
step, and whether it was lost before it."""

HEADING_SETTINGS = np.dtype(
    [
        ("step_s", np.float64),
        ("bin_hz", np.float64),
        ("noise", np.float64, (3,)),  # rad^2/s, (rad/s)^2/s, rad^2/s
        ("same_gait", np.float64),  # rad^2
        ("rate", np.float64),  # (rad/s)^2
        ("parallel", np.float64),  # rad^2
        ("swing", np.float64),  # rad^2
        ("roundness", np.float64),  # rad^2
        ("steady_swing", np.float64),
        ("turning", np.float64),  # s
        ("unknown", np.float64),  # rad^2
        ("gate", np.float64),  # standard deviations
        ("refused", np.int64),  # windows
        ("lag", np.int64),  # steps the smoother goes back; 0: there is none
    ]
)
"""What the parameters of ``estimators.heading`` come down to."""


@njit(cache=True)
def loosen(P, variance, co):
    """After a gap of a sensor: the earth frames may have turned against each other (``variance``, rad^2)."""
    P[0, 0] = min(P[0, 0] + variance, co.unknown)


@njit(cache=True)
def change_gait(settings, P, gait):
    """Go over to another gait, 1 walking or 2 running, of one side; ``P`` (4, 4) is changed in place.

    Each has a swing offset of its own: after a walk the runner swings the legs as before it, but for pace.
    """
    co = settings[0]
    P[1, 1] += co.rate
    P[1 + gait, 1 + gait] += co.same_gait


@njit(cache=True)
def take_parallel(x, P, known, side, angle, variance):
    """Take in a relative heading at which pelvis and thigh face the same way; NaN is none."""
    if math.isfinite(angle):
        kalman_update(x[side], P[side], angle, 0, variance, math.inf)
        known[side] = 1


@njit(cache=True)
def take_swing(settings, x, P, counts, known, side, gait, window):
    """Take in the swing plane (4,) of one window of walking (1) or running (2)."""
    co = settings[0]
    angle, wide, narrow, turning = window[0], window[1], window[2], window[3]
    if not (wide > 0.01 and narrow < 0.2 * wide):
        return
    variance = co.swing * max(1.0, co.steady_swing / wide)
    across = co.turning * turning * co.bin_hz
    variance += co.roundness * narrow / wide + across * across
    if kalman_update(x[side], P[side], angle, gait, variance, co.gate):
        counts[1 + side] = 0
        known[side] = 1
        return
    counts[1 + side] += 1
    if counts[1 + side] >= co.refused:
        P[side, 0, 0] = min(P[side, 0, 0] + co.unknown, co.unknown)


@njit(cache=True)
def heading_step(settings, moves, gait, swing, parallel, relative):
    """Go on by one step.

    Parameters
    ----------
    settings : array of HEADING_SETTINGS, shape (1,)
    moves : bool
        Whether the runner moved; at rest the earth frames keep still.
    gait : int
        0 none, 1 walking, 2 running.
    swing : float64 array, shape (2, 4)
        ``heading.swing_plane`` of each thigh.
    parallel : float64 array, shape (2,)
        Relative heading at which pelvis and thigh face the same way in standing; NaN if not now.
    relative : tuple of arrays
        x, P, history, smoothed, counts and known: state of ``estimators.heading.RelativeHeading``,
        changed in place. ``known`` is 1 where a side has a heading, 0 where not, and -1 where it was lost
        since the last step.
    """
    co = settings[0]
    x, P, history, smoothed, counts, known = relative
    rows = history.shape[1]
    row = counts[0] % rows
    h = co.step_s if moves else 0.0
    changed = gait > 0 and counts[3] > 0 and gait != counts[3]
    for side in range(2):
        kalman_predict(x[side], P[side], co.step_s, 1.0 if moves else 0.0, co.noise)
        step = history[side, row]
        if changed:
            change_gait(settings, P[side], gait)
        step[42] = 1.0 if known[side] < 0 else 0.0
        known[side] = max(0, known[side])
        step[0] = h
        for i in range(4):
            step[1 + i] = x[side, i]
            for j in range(4):
                step[5 + 4 * i + j] = P[side, i, j]
        take_parallel(x, P, known, side, parallel[side], co.parallel)
        if gait > 0:
            take_swing(settings, x, P, counts, known, side, gait, swing[side])
        if counts[1 + side] >= co.refused:
            _turn_where_refused(co, history[side], counts[0], side, counts)
        for i in range(4):
            step[21 + i] = x[side, i]
            for j in range(4):
                step[25 + 4 * i + j] = P[side, i, j]
        step[41] = known[side]
    if gait > 0:
        counts[3] = gait
    counts[0] += 1
    if co.lag > 0:
        newest = counts[0] - 1
        oldest = max(0, newest - min(co.lag, rows - 1))
        for side in range(2):
            smooth_back(history[side], newest, oldest, smoothed[side])
            _leave_out_lost(history[side], newest, oldest, smoothed[side])


@njit(cache=True)
def _turn_where_refused(co, history, newest, side, counts):
    """Let the heading be unknown from the first window that was refused on.

    The filter opens with the last of them only. A smoother would carry what comes after back through all
    steps before it, as a turning at that; so it stops at the first one.
    """
    rows = history.shape[0]
    for k in range(max(0, newest + 1 - counts[1 + side]), newest + 1):
        step = history[k % rows]
        step[5] = min(step[5] + co.unknown, 2.0 * co.unknown)
        if k < newest:
            step[25] = min(step[25] + co.unknown, 2.0 * co.unknown)
    counts[1 + side] = 0


@njit(cache=True)
def _leave_out_lost(history, newest, oldest, smoothed):
    """NaN for the steps at which nothing was known, nor later before the heading was lost."""
    rows = history.shape[0]
    is_known = False
    row = newest % rows
    for _ in range(newest + 1 - oldest):
        is_known = is_known or history[row, 41] > 0.0
        if not is_known:
            smoothed[row, :] = math.nan
        if history[row, 42] > 0.0:
            is_known = False
        row = row - 1 if row > 0 else rows - 1


@njit(cache=True)
def doubt_of(history, P, steps, step, delta, uncertain):
    """0 where the smoothed relative heading of one side is sound, 1 where unknown, 2 where uncertain.

    Parameters
    ----------
    history : float64 array, shape (n, HISTORY)
        Of that side.
    P : float64 array, shape (4, 4)
        Covariance now: what came later makes earlier headings certain.
    steps, step : int
        Steps made so far, and the one that is asked for.
    delta : float64 array, shape (k,)
        The heading at its samples, NaN while unknown.
    uncertain : float
        Standard deviation from which it is, rad.
    """
    if math.isnan(delta[delta.shape[0] // 2]):
        return 1
    then = history[min(max(step, 0), steps - 1) % history.shape[0], 25]
    return 2 if math.sqrt(min(then, P[0, 0])) > uncertain else 0
