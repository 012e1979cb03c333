"""From samples at any times to samples on the common grid, lane by lane.

Samples wait in one array of shape (lanes, capacity, 8), a row a sample: time, specific force, angular rate,
quality bits; those of a lane lie from ``head`` to ``tail`` in order of time. Grid sample k is at k / rate.
How packets get there, and how far the grid can go, is in ``kernels.waiting``.
"""

from __future__ import annotations

import math
from typing import Final

from latemiles.kernels.jit import njit
from latemiles.signals.quality import SampleQuality

__all__ = ["COLUMNS", "TOUCH_S", "resample", "trim"]

COLUMNS: Final = 8
TOUCH_S: Final = 1e-6
"""A sample this near to an instant, s, is taken to be at it: session time is not known better."""
FAST: Final = 0.67
"""Sensors with more than 1.5 samples a grid step are averaged over the step, so nothing aliases."""
USUAL: Final = 1.5
"""A step longer than so many sample periods is a hole that was bridged."""
_GAP: Final = int(SampleQuality.GAP)
_BRIDGED: Final = int(SampleQuality.BRIDGED)


@njit(cache=True, forceinline=True)
def _is_covered(rows, head, tail, i, instant, limit):
    """Whether sample i (the last until the instant) and its neighbour say what happens at the instant."""
    if i < head:
        return False
    if instant - rows[i, 0] <= TOUCH_S:
        return True
    return i + 1 < tail and rows[i + 1, 0] - rows[i, 0] <= limit


@njit(cache=True, forceinline=True)
def _mean_between(rows, head, tail, start, low, high, column, limit, usual, out):
    """Mean of the linear interpolant of three columns over [low, high], as far as it is known.

    Walks back from the segment that begins at sample ``start`` (the last until ``high``) and stops at a
    hole. Writes the mean to ``out`` and returns the quality bits of the samples touched.
    """
    s0, s1, s2, length = 0.0, 0.0, 0.0, 0.0
    bits = int(rows[start, 7])
    j = start
    if j + 1 >= tail or rows[j, 0] >= high or rows[j + 1, 0] - rows[j, 0] > limit:
        j -= 1
    while j >= head and rows[j + 1, 0] > low:
        step = rows[j + 1, 0] - rows[j, 0]
        if step > limit:
            break
        a = max(low, rows[j, 0])
        b = min(high, rows[j + 1, 0])
        if b - a > TOUCH_S:
            # The mean of a straight line is its value in the middle.
            w = (0.5 * (a + b) - rows[j, 0]) / step
            s0 += (b - a) * (rows[j, column] + w * (rows[j + 1, column] - rows[j, column]))
            s1 += (b - a) * (rows[j, column + 1] + w * (rows[j + 1, column + 1] - rows[j, column + 1]))
            s2 += (b - a) * (rows[j, column + 2] + w * (rows[j + 1, column + 2] - rows[j, column + 2]))
            length += b - a
            bits |= int(rows[j, 7]) | int(rows[j + 1, 7])
            if step > usual:
                bits |= _BRIDGED
        j -= 1
    if length > 0.0:
        out[0], out[1], out[2] = s0 / length, s1 / length, s2 / length
    else:
        for c in range(3):
            out[c] = rows[start, column + c]
    return bits


@njit(cache=True, forceinline=True)
def _force_at(rows, head, tail, i, instant, half, limit, usual, out):
    """Specific force at the instant: interpolated, or averaged over a grid step for a fast sensor."""
    has_next = i + 1 < tail and rows[i + 1, 0] - rows[i, 0] <= limit
    if has_next and rows[i + 1, 0] - rows[i, 0] < FAST * 2.0 * half:
        low, high = instant - half, instant + half
        end = i
        while end + 1 < tail and rows[end + 1, 0] < high and rows[end + 1, 0] - rows[end, 0] <= limit:
            end += 1
        return _mean_between(rows, head, tail, end, low, high, 1, limit, usual, out)
    bits = int(rows[i, 7])
    w = 0.0
    if has_next and instant - rows[i, 0] > TOUCH_S:
        w = (instant - rows[i, 0]) / (rows[i + 1, 0] - rows[i, 0])
        bits |= int(rows[i + 1, 7])
        if rows[i + 1, 0] - rows[i, 0] > usual:
            bits |= _BRIDGED
    for c in range(3):
        out[c] = rows[i, 1 + c] if w == 0.0 else rows[i, 1 + c] + w * (rows[i + 1, 1 + c] - rows[i, 1 + c])
    return bits


@njit(cache=True)
def _with_care(rows, head, tail, i, before, instant, half, limit, usual, acc, gyr):
    """One grid sample whatever its neighbours are like; returns its quality bits."""
    if not _is_covered(rows, head, tail, i, instant, limit):
        for c in range(3):
            acc[c] = math.nan
            gyr[c] = math.nan
        return _GAP
    bits = _force_at(rows, head, tail, i, instant, half, limit, usual, acc)
    return bits | _mean_between(rows, head, tail, i, before, instant, 4, limit, usual, gyr)


@njit(cache=True)
def resample(buffers, heads, tails, first, rate_hz, limits, periods, acc, gyr, quality, at, count):
    """Fill grid samples ``first`` to ``first + count`` of all lanes.

    Parameters
    ----------
    buffers : float64 array, shape (lanes, capacity, 8)
        Samples waiting, see the head of this file.
    heads, tails : int64 arrays, shape (lanes,)
        Where each lane's samples begin and end.
    first : int
        Grid index of the first sample to fill.
    rate_hz : float
        Of the grid.
    limits : float64 array, shape (lanes,)
        Longest step between samples that is still bridged, s.
    periods : float64 array, shape (lanes,)
        Usual step between a lane's samples, s; longer ones (by half) give the BRIDGED bit.
    acc, gyr : float64 arrays, shape (lanes, n, 3)
        Get the specific force at the instant, m/s^2, and the mean rate over the step that ends there, rad/s
        (of the linear interpolant, exactly; after a hole, over the part that was heard). NaN in a gap.
    quality : int64 array, shape (lanes, n)
        Gets SampleQuality bits: GAP, BRIDGED, and those of every sample touched.
    at, count : int
        Column of the first sample in these, and how many to fill.

    Returns
    -------
    int
        How many of them lie in a gap.
    """
    gaps = 0
    for lane in range(buffers.shape[0]):
        gaps += _resample_lane(
            buffers[lane],
            heads[lane],
            tails[lane],
            first,
            rate_hz,
            limits[lane],
            USUAL * periods[lane],
            acc[lane, at : at + count],
            gyr[lane, at : at + count],
            quality[lane, at : at + count],
        )
    return gaps


@njit(cache=True)
def _resample_lane(rows, head, tail, first, rate_hz, limit, usual, acc, gyr, quality):
    """One lane of ``resample``.

    Nearly every instant lies between two samples a usual step apart, and the grid step that ends there
    reaches back into the step before, which is one too: then both means are a few products.
    """
    half = 0.5 / rate_hz
    slow = FAST * 2.0 * half
    gaps = 0
    i, known = head - 1, head - 1
    ahead, behind = 0.0, 0.0
    instant = (first - 1) / rate_hz
    for k in range(acc.shape[0]):
        before, instant = instant, (first + k) / rate_hz
        while i + 1 < tail and rows[i + 1, 0] <= instant + TOUCH_S:
            i += 1
        if i > head and i + 1 < tail:
            t = rows[i, 0]
            step, last = rows[i + 1, 0] - t, t - rows[i - 1, 0]
            since, until = instant - t, t - before
            if slow <= step <= usual and last <= usual and since > TOUCH_S and TOUCH_S < until <= last:
                if known != i:
                    behind = ahead if known == i - 1 else 1.0 / last
                    ahead = 1.0 / step
                    known = i
                w = since * ahead
                u = 0.5 * rate_hz * w * since
                v = 0.5 * rate_hz * until * behind * until
                for c in range(3):
                    a, g = rows[i, 1 + c], rows[i, 4 + c]
                    acc[k, c] = a + w * (rows[i + 1, 1 + c] - a)
                    gyr[k, c] = g + u * (rows[i + 1, 4 + c] - g) - v * (g - rows[i - 1, 4 + c])
                quality[k] = int(rows[i - 1, 7]) | int(rows[i, 7]) | int(rows[i + 1, 7])
                continue
        quality[k] = _with_care(rows, head, tail, i, before, instant, half, limit, usual, acc[k], gyr[k])
        gaps += quality[k] & _GAP != 0
    return gaps


@njit(cache=True)
def trim(buffers, heads, tails, instant):
    """Move the heads on to the last sample at or before the instant; what lies before is not needed."""
    for lane in range(buffers.shape[0]):
        i = heads[lane]
        while i + 1 < tails[lane] and buffers[lane, i + 1, 0] <= instant:
            i += 1
        heads[lane] = i
