"""Short holes of the grid, filled with what the same sensor did a stride before.

A running thigh turns by more than 400 degrees a second and back again: a straight line over a tenth of a
second turns its orientation by 5 degrees about the vertical and by 9 against it, a lost second by whole
quarters. Strides repeat: what the sensor did one stride earlier errs by 1 and 2 degrees there, and by 3 and 6
over a second. The error grows with the root of the hole's length, since strides differ at random.

A stride is the time after which the last samples before the hole fit earlier ones best.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit
from latemiles.kernels.orientation_shared import is_usable

__all__ = ["HISTORY_S", "has_hole", "keep_history", "refill", "stride_before"]

SHORTEST_S: Final = 0.45
LONGEST_S: Final = 1.4
"""Strides of a sprint and of a slow walk."""
COMPARED_S: Final = 0.6
"""How much of the time before the hole is held against earlier strides."""
HISTORY_S: Final = LONGEST_S + COMPARED_S + 0.05
"""What has to be known of the time before."""
UNLIKE: Final = 0.35
"""Share of the power that may differ from one stride to the next: 0.02 to 0.2 in steady gait, 1 by chance."""
LEAST_RAD_S: Final = 0.3
"""Least rms rate of a stride; in standing a straight line serves."""
MOST_S: Final = 1.0
"""Longest hole that is filled, or part of one; the runner may do something else after it."""


@njit(cache=True)
def has_hole(acc, gyr):
    """Whether any sample of arrays (lanes, k, 3) cannot be used."""
    for lane in range(acc.shape[0]):
        for i in range(acc.shape[1]):
            if not _is_good(acc, gyr, lane, i):
                return True
    return False


@njit(cache=True)
def _is_good(acc, gyr, lane, i):
    return is_usable(
        gyr[lane, i, 0],
        gyr[lane, i, 1],
        gyr[lane, i, 2],
        acc[lane, i, 0],
        acc[lane, i, 1],
        acc[lane, i, 2],
    )


@njit(cache=True)
def _at(history, acc, gyr, lane, i, column):
    """Column of sample ``i`` of the block, or of the history before it."""
    if i < 0:
        return history[lane, history.shape[1] + i, column]
    return acc[lane, i, column] if column < 3 else gyr[lane, i, column - 3]


@njit(cache=True)
def stride_before(history, acc, gyr, lane, at, rate_hz):
    """Length in samples of the stride that ends before sample ``at``; 0 where nothing repeats.

    Parameters as for ``refill``. Compared are the rates: the force of two landings is never the same.
    """
    compared = int(COMPARED_S * rate_hz)
    now = 0.0
    for i in range(at - compared, at):
        for c in range(3, 6):
            now += _at(history, acc, gyr, lane, i, c) ** 2
    if not now > LEAST_RAD_S * LEAST_RAD_S * compared:
        return 0
    best, found = UNLIKE, 0
    for stride in range(int(SHORTEST_S * rate_hz), int(LONGEST_S * rate_hz) + 1):
        unlike, then = 0.0, 0.0
        for i in range(at - compared, at):
            for c in range(3, 6):
                before = _at(history, acc, gyr, lane, i - stride, c)
                unlike += (_at(history, acc, gyr, lane, i, c) - before) ** 2
                then += before * before
        # NaN, where something is not known, is no fit.
        if unlike < best * (now + then):
            best, found = unlike / (now + then), stride
    return found


@njit(cache=True)
def refill(history, holes, acc, gyr, quality, rate_hz, mark):
    """Fill holes of a block of the grid.

    Parameters
    ----------
    history : float64 array, shape (lanes, n, 6)
        Force and rate of the ``HISTORY_S`` before the block, filled; NaN where not known.
    holes : int64 array, shape (lanes, 2)
        Samples that the present hole has lasted, 0 outside, and the stride it is filled from, 0 for none;
        changed in place.
    acc, gyr : float64 arrays, shape (lanes, k, 3)
        m/s^2 and rad/s; filled in place.
    quality : int64 array, shape (lanes, k)
        Gets the bits ``mark`` where a sample was filled.
    rate_hz : float
        Of the grid.
    mark : int
    """
    most = int(MOST_S * rate_hz)
    for lane in range(acc.shape[0]):
        for i in range(acc.shape[1]):
            if _is_good(acc, gyr, lane, i):
                holes[lane, 0] = 0
                continue
            if holes[lane, 0] == 0:
                holes[lane, 1] = stride_before(history, acc, gyr, lane, i, rate_hz)
            holes[lane, 0] += 1
            stride = holes[lane, 1]
            if stride == 0 or holes[lane, 0] > most:
                continue
            for c in range(3):
                acc[lane, i, c] = _at(history, acc, gyr, lane, i - stride, c)
                gyr[lane, i, c] = _at(history, acc, gyr, lane, i - stride, 3 + c)
            quality[lane, i] |= mark


@njit(cache=True)
def keep_history(history, acc, gyr):
    """Move the history on by a block, in place."""
    n, k = history.shape[1], acc.shape[1]
    kept = max(0, n - k)
    for lane in range(acc.shape[0]):
        for j in range(kept):
            for c in range(6):
                history[lane, j, c] = history[lane, j + n - kept, c]
        for j in range(kept, n):
            i = k - n + j
            for c in range(3):
                good = math.isfinite(acc[lane, i, c]) and math.isfinite(gyr[lane, i, c])
                history[lane, j, c] = acc[lane, i, c] if good else math.nan
                history[lane, j, 3 + c] = gyr[lane, i, c] if good else math.nan
