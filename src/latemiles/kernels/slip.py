"""Kernels of the step statistic that tells a slipping sensor from a tiring or a leaning runner."""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit
from latemiles.kernels.quaternion import rotate_inverse

__all__ = ["STEP_COLUMNS", "VIGOUR", "keep_window", "step_statistic", "watch_windows", "without_lean"]

STEP_COLUMNS = 9
VIGOUR = 3
"""Row of the windows that holds the thighs' rms rate, the pelvis's force deviation, and how many windows
without gait came after it."""

ROUNDING: Final = 1e-9
"""More than rounding makes of a mean of unit vectors."""


@njit(cache=True)
def keep_window(windows, features):
    """Let a window in as the newest one and the oldest one go.

    Parameters
    ----------
    windows : float64 array, shape (n, 4, 3)
        Up directions of three sensors, and their vigour with the windows left out since; oldest first.
        Changed in place.
    features : float64 array, shape (3, 7)
        Of the window, see ``heading.window_features``.
    """
    n = windows.shape[0]
    for i in range(1, n):
        for lane in range(4):
            for k in range(3):
                windows[i - 1, lane, k] = windows[i, lane, k]
    rates = 0.0
    for lane in range(3):
        x, y, z = features[lane, 0], features[lane, 1], features[lane, 2]
        size = math.sqrt(x * x + y * y + z * z)
        for k in range(3):
            windows[n - 1, lane, k] = features[lane, k] / size if size > 0.0 else math.nan
        if lane > 0 and math.isfinite(features[lane, 3]):
            rates += features[lane, 3]
    force = features[0, 4]
    windows[n - 1, VIGOUR, 0] = rates
    windows[n - 1, VIGOUR, 1] = force if math.isfinite(force) else 0.0
    windows[n - 1, VIGOUR, 2] = 0.0


@njit(cache=True)
def _midmean(values, first, stop, j, k, scratch):
    """Mean of the middle half of ``values[first:stop, j, k]``; NaN if one of them is."""
    n = stop - first
    total = 0.0
    for i in range(n):
        scratch[0, i] = values[first + i, j, k]
        total += scratch[0, i]
    if math.isnan(total):
        return math.nan
    # Each to its rank: more comparisons than sorting takes, but four at once and nothing to foresee.
    for i in range(n):
        x, rank = scratch[0, i], 0
        for m in range(n):
            rank += (scratch[0, m] < x) | ((scratch[0, m] == x) & (m < i))
        scratch[1, rank] = x
    cut = n // 4
    total = 0.0
    for i in range(cut, n - cut):
        total += scratch[1, i]
    return total / (n - 2 * cut)


@njit(cache=True)
def _squares(values, first, stop, j, k):
    """Sum of squares of ``values[first:stop, j, k]`` about their mean."""
    total = 0.0
    for i in range(first, stop):
        total += values[i, j, k]
    mean = total / (stop - first)
    squares = 0.0
    for i in range(first, stop):
        squares += (values[i, j, k] - mean) ** 2
    return squares


@njit(cache=True)
def _far_step(windows, side, lane, scratch, out):
    """Means before and after of one lane and the length of their difference, see ``step_statistic``."""
    n = windows.shape[0]
    far = 0.0
    for k in range(3):
        before = _midmean(windows, 0, side, lane, k, scratch)
        after = _midmean(windows, n - side, n, lane, k, scratch)
        out[lane, k] = before
        out[lane, 3 + k] = after
        far += (after - before) ** 2
    out[lane, 6] = math.sqrt(far)


@njit(cache=True)
def _may_step(windows, side, lane, least):
    """Whether the midmeans before and after may lie further apart than ``least``, by mean and scatter alone.

    The mean of a part p of some numbers lies within sqrt(1 / p - 1) standard deviations of that of all.
    """
    n = windows.shape[0]
    reach = math.sqrt(side / (side - 2.0 * (side // 4)) - 1.0)
    far = 0.0
    for k in range(3):
        before, spread = _mean_and_sd(windows[:side, lane, k])
        after, spread_after = _mean_and_sd(windows[n - side :, lane, k])
        far += (abs(after - before) + reach * (spread + spread_after) + ROUNDING) ** 2
    return far > least * least


@njit(cache=True)
def _mean_and_sd(values):
    total, squares, first = 0.0, 0.0, values[0]
    for value in values:
        total += value - first
        squares += (value - first) ** 2
    mean = total / values.shape[0]
    return first + mean, math.sqrt(max(0.0, squares / values.shape[0] - mean * mean))


@njit(cache=True)
def _near_step(windows, side, near, lane, scratch, out):
    """The nearest windows' difference of one lane, and the scatter, see ``step_statistic``."""
    n = windows.shape[0]
    close = 0.0
    scatter = 0.0
    for k in range(3):
        before = _midmean(windows, side - near, side, lane, k, scratch)
        after = _midmean(windows, n - side, n - side + near, lane, k, scratch)
        close += (after - before) ** 2
        scatter += _squares(windows, 0, side, lane, k) + _squares(windows, n - side, n, lane, k)
    out[lane, 7] = math.sqrt(close)
    out[lane, 8] = math.sqrt(scatter / (2 * side - 2))


@njit(cache=True)
def step_statistic(windows, side, near, scratch, out):
    """Means of the windows before and after the middle ones, each of the middle half of its values.

    Parameters
    ----------
    windows : float64 array, shape (n, lanes, 3)
        What is watched, oldest first; ``n - 2 side`` windows in the middle are left out.
    side : int
        Windows on either side.
    near : int
        Windows nearest to the middle whose own step is worked out too.
    scratch : float64 array, shape (2, side)
        Room for sorting.
    out : float64 array, shape (lanes, 9)
        Mean before (3), mean after (3), length of their difference, length of the nearest windows'
        difference, scatter of the windows of one side about their mean (root mean square of the length);
        NaN where a window is missing.
    """
    for lane in range(windows.shape[1]):
        _far_step(windows, side, lane, scratch, out)
        _near_step(windows, side, near, lane, scratch, out)


@njit(cache=True)
def without_lean(windows, mounts, side, lane, lean, out):
    """Take the lean that the sensors share off the up directions.

    In a bend whose speed is not known, and after it, the vertical leans, for all sensors alike.

    Parameters
    ----------
    windows : float64 array, shape (n, 4, 3)
        Up directions of three sensors in their own axes, oldest first; the fourth row is left as it is.
    mounts : float64 array, shape (3, 4)
        ``quat_segment_sensor``; where one is NaN nothing is taken off.
    side : int
        The oldest windows, whose mean is no lean.
    lane : int
        -1: what they share is the median of the three, so that one of them may slip, as far as the pelvis
        takes part: what the thighs do alone is the runner's. Else the sensor that slips: the mean of the
        other two, which has nothing of the slip in it.
    lean : float64 array, shape (n, 3, 2)
        Room for the lean of each sensor, forward and to the left.
    out : float64 array, shape (n, 4, 3)
        Gets the windows without it.
    """
    n = windows.shape[0]
    for i in range(n):
        for k in range(windows.shape[1]):
            for c in range(3):
                out[i, k, c] = windows[i, k, c]
    for axis in range(2):
        forward, left = 1.0 - axis, 1.0 * axis
        for k in range(3):
            w, x, y, z = mounts[k]
            ax, ay, az = rotate_inverse(w, x, y, z, forward, left, 0.0)
            mean = 0.0
            for i in range(n):
                lean[i, k, axis] = ax * windows[i, k, 0] + ay * windows[i, k, 1] + az * windows[i, k, 2]
                if i < side:
                    mean += lean[i, k, axis] / side
            for i in range(n):
                lean[i, k, axis] -= mean
    for axis in range(2):
        for i in range(n):
            lean[i, 0, axis] = _shared(lean[i, 0, axis], lean[i, 1, axis], lean[i, 2, axis], lane)
        for k in range(3):
            w, x, y, z = mounts[k]
            ax, ay, az = rotate_inverse(w, x, y, z, 1.0 - axis, 1.0 * axis, 0.0)
            for i in range(n):
                shared = lean[i, 0, axis]
                if math.isfinite(shared):
                    out[i, k, 0] -= shared * ax
                    out[i, k, 1] -= shared * ay
                    out[i, k, 2] -= shared * az


@njit(cache=True)
def _shared(pelvis, left, right, lane):
    """The lean that three sensors share, see ``without_lean``; NaN if one of the three is."""
    total = pelvis + left + right
    if not math.isfinite(total):
        return math.nan
    if lane == 0:
        return 0.5 * (left + right)
    if lane > 0:
        return 0.5 * (pelvis + (right if lane == 1 else left))
    median = total - min(pelvis, left, right) - max(pelvis, left, right)
    if pelvis > 0.0:
        return max(0.0, min(median, pelvis))
    return min(0.0, max(median, pelvis))


@njit(cache=True)
def _is_slip(upright, side, near, lane, limits, scratch, out):
    """Whether the longest far step, of this lane, is a slip; ``out`` has those of all three lanes."""
    least_pelvis, least_thigh, sigmas, of_others, of_near, pace = limits
    size = out[lane, 6]
    if not size > (least_pelvis if lane == 0 else least_thigh):
        return False
    for k in range(3):
        if k != lane and not out[k, 6] < of_others * size:
            return False
    _near_step(upright, side, near, lane, scratch, out)
    if not (size > sigmas * out[lane, 8] / math.sqrt(side) and out[lane, 7] > of_near * size):
        return False
    _far_step(upright, side, VIGOUR, scratch, out)
    for k in range(2):
        before = out[VIGOUR, k]
        if not abs(out[VIGOUR, 3 + k] - before) <= pace * before:
            return False
    return True


@njit(cache=True)
def watch_windows(
    windows, last, features, gaits, mounts, limits, forgets, side, near, lean, upright, scratch, out
):
    """Take in windows, one after the other, until a slip is certain.

    Parameters
    ----------
    windows : float64 array, shape (n, 4, 3)
        See ``keep_window``; NaN where nothing came yet.
    last : float64 array, shape (3,)
        Length of the step one window ago, of the lane in which it was a slip; changed in place.
    features : float64 array, shape (m, 3, 7)
        Of each window, see ``keep_window``.
    gaits : int64 array, shape (m,)
        0 none; such windows are left out.
    mounts : float64 array, shape (3, 4)
        See ``without_lean``, which takes off what the sensors share.
    limits : tuple of float
        Least step of the pelvis and of a thigh, rad; standard errors that it exceeds, in terms of the
        scatter over the root of ``side``; the part of it that the others' stay below; the part that is there
        between the nearest windows; and how far the vigour may change, as a part of it.
    forgets : bool
        Whether a window without gait forgets those before it.
    side, near : int
        See ``step_statistic``.
    lean : float64 array, shape (n, 3, 2)
        Scratch.
    upright : float64 array, shape (n, 4, 3)
        Gets the windows without the lean.
    scratch : float64 array, shape (2, side)
        Scratch.
    out : float64 array, shape (4, 9)
        Scratch.

    Returns
    -------
    taken : int
        Windows taken in; the last of them is the one with which the slip became certain.
    lane : int
        That slipped; -1: none did.
    """
    for w in range(gaits.shape[0]):
        if gaits[w] == 0:
            if forgets:
                windows[:], last[:] = math.nan, 0.0
            for i in range(windows.shape[0]):
                windows[i, VIGOUR, 2] += 1.0
            continue
        keep_window(windows, features[w])
        if math.isnan(windows[0, VIGOUR, 0]):
            continue
        without_lean(windows, mounts, side, -1, lean, upright)
        lane, peak = 0, 0
        # Most windows lie so close together that there is no step to look for.
        may_slip = _may_step(upright, side, 0, limits[0])
        for k in range(1, 3):
            may_slip = may_slip or _may_step(upright, side, k, limits[1])
        for k in range(3):
            peak = k if last[k] > last[peak] else peak
            if may_slip:
                _far_step(upright, side, k, scratch, out)
                if not math.isfinite(out[k, 6]):
                    out[k, 6] = 0.0
                lane = k if out[k, 6] > out[lane, 6] else lane
        is_slip = may_slip and _is_slip(upright, side, near, lane, limits, scratch, out)
        grows = is_slip and lane == peak and out[lane, 6] > last[peak]
        if last[peak] > 0.0 and not grows:
            return w + 1, peak
        last[:] = 0.0
        if is_slip:
            last[lane] = out[lane, 6]
    return gaits.shape[0], -1
