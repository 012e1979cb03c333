"""Kernel of the step statistic that tells a slipping sensor from a tiring runner."""

from __future__ import annotations

import math

from numba import njit

__all__ = ["STEP_COLUMNS", "step_statistic"]

STEP_COLUMNS = 9


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
