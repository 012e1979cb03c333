"""Kernels of the step statistic that tells a slipping sensor from a tiring or a leaning runner."""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit
from latemiles.kernels.quaternion import rotate_inverse

__all__ = ["STEP_COLUMNS", "VIGOUR", "keep_window", "step_statistic", "watch_step", "without_lean"]

STEP_COLUMNS = 9
VIGOUR = 3
"""Row of the windows that holds the thighs' rms rate, the pelvis's force deviation and a zero."""


@njit(cache=True)
def keep_window(windows, features):
    """Let a window in as the newest one and the oldest one go.

    Parameters
    ----------
    windows : float64 array, shape (n, 4, 3)
        Up directions of three sensors, and their vigour; oldest first. Changed in place.
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
    for i in range(n):
        x = values[first + i, j, k]
        if math.isnan(x):
            return math.nan
        at = i
        while at > 0 and scratch[at - 1] > x:
            scratch[at] = scratch[at - 1]
            at -= 1
        scratch[at] = x
    cut = n // 4
    total = 0.0
    for i in range(cut, n - cut):
        total += scratch[i]
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
    scratch : float64 array, shape (side,)
        Room for sorting.
    out : float64 array, shape (lanes, 9)
        Mean before (3), mean after (3), length of their difference, length of the nearest windows'
        difference, scatter of the windows of one side about their mean (root mean square of the length);
        NaN where a window is missing.
    """
    n = windows.shape[0]
    for lane in range(windows.shape[1]):
        far = 0.0
        close = 0.0
        scatter = 0.0
        for k in range(3):
            before = _midmean(windows, 0, side, lane, k, scratch)
            after = _midmean(windows, n - side, n, lane, k, scratch)
            out[lane, k] = before
            out[lane, 3 + k] = after
            far += (after - before) ** 2
            before = _midmean(windows, side - near, side, lane, k, scratch)
            after = _midmean(windows, n - side, n - side + near, lane, k, scratch)
            close += (after - before) ** 2
            scatter += _squares(windows, 0, side, lane, k) + _squares(windows, n - side, n, lane, k)
        out[lane, 6] = math.sqrt(far)
        out[lane, 7] = math.sqrt(close)
        out[lane, 8] = math.sqrt(scatter / (2 * side - 2))


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
    out[:] = windows
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
    for i in range(n):
        for axis in range(2):
            shared = _shared(lean[i, 0, axis], lean[i, 1, axis], lean[i, 2, axis], lane)
            if not math.isfinite(shared):
                continue
            for k in range(3):
                w, x, y, z = mounts[k]
                ax, ay, az = rotate_inverse(w, x, y, z, 1.0 - axis, 1.0 * axis, 0.0)
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
def watch_step(windows, features, mounts, side, near, lean, upright, scratch, out):
    """Take in a window and work out the step statistic, as soon as there are windows enough.

    Parameters
    ----------
    windows, features : arrays
        See ``keep_window``.
    mounts : float64 array, shape (3, 4)
        See ``without_lean``, which takes off what the sensors share.
    side, near : int
        See ``step_statistic``.
    lean : float64 array, shape (n, 3, 2)
        Scratch.
    upright : float64 array, shape (n, 4, 3)
        Gets the windows without the lean.
    scratch : float64 array, shape (side,)
        Scratch.
    out : float64 array, shape (4, 9)
        See ``step_statistic``.

    Returns
    -------
    bool
        Whether there are enough; ``out`` is left alone while there are not.
    """
    keep_window(windows, features)
    if math.isnan(windows[0, VIGOUR, 0]):
        return False
    without_lean(windows, mounts, side, -1, lean, upright)
    step_statistic(upright, side, near, scratch, out)
    return True
