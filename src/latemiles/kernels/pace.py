"""Speed at the samples of the grid, or at one moment, from what a source said of it now and then."""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit

__all__ = ["pace_at", "speed_at"]


@njit(cache=True)
def pace_at(words, t, known, bridge_s, hold_s, out):
    """Speed at rising times, on straight lines between words.

    Parameters
    ----------
    words : float64 array, shape (n, 2)
        Time, s, and speed, m/s, of each word; times rise.
    t : float64 array, shape (k,)
        Rising times, s.
    known : int64 array, shape (k,)
        How many of the words each time may go by; after the last of them it is held.
    bridge_s : float
        Longest silence between two words that is bridged, s.
    hold_s : float
        How long the last word holds, s.
    out : float64 array, shape (k,)
        Out: speed, m/s; NaN before the first word and where the source is silent.
    """
    heard = 0
    for i in range(t.shape[0]):
        while heard < words.shape[0] and words[heard, 0] <= t[i]:
            heard += 1
        n = min(heard, max(known[i], 0))
        if n == 0:
            out[i] = math.nan
        elif heard == words.shape[0] or heard >= known[i]:
            out[i] = words[n - 1, 1] if t[i] - words[n - 1, 0] <= hold_s else math.nan
        else:
            start, value = words[n - 1, 0], words[n - 1, 1]
            step = words[n, 0] - start
            slope = (words[n, 1] - value) / step
            out[i] = slope * (t[i] - start) + value if step <= bridge_s else math.nan


@njit(cache=True)
def speed_at(words, t, bridge_s, hold_s):
    """Speed and distance at one moment, on the straight line between two words.

    Parameters
    ----------
    words : float64 array, shape (n, 3)
        Time, s, speed, m/s, and distance, m, of each word; times rise.
    t : float
        s.
    bridge_s, hold_s : float
        As for ``pace_at``.

    Returns
    -------
    tuple of float
        m/s and m; NaN before the first word and where the source is silent.
    """
    low, high = 0, words.shape[0]
    while low < high:
        middle = (low + high) // 2
        if words[middle, 0] <= t:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return math.nan, math.nan
    since, speed, distance = t - words[low - 1, 0], words[low - 1, 1], words[low - 1, 2]
    silence = words[low, 0] - words[low - 1, 0] if low < words.shape[0] else math.inf
    if silence <= bridge_s:
        part = since / silence
        return speed + part * (words[low, 1] - speed), distance + part * (words[low, 2] - distance)
    # As if the next word had not come yet: what is known later changes nothing.
    if since <= hold_s:
        return speed, distance + speed * since
    return math.nan, math.nan
