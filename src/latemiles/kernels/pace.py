"""Speed at the samples of the grid, or at one moment, from what a source said of it now and then.

A word is a time, s, a speed, m/s, and a distance, m; what its source did not tell is NaN.
"""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit

__all__ = ["lag_words", "pace_at", "speed_at", "take_words"]


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


@njit(cache=True)
def take_words(words, rows, first, stop, slope_s, kept_s, taken):
    """Put words behind those that are kept; one out of order, or without a number, is left out.

    Speed is the slope of the distance and distance the integral of the speed where the source gives only
    the other.

    Parameters
    ----------
    words : float64 array, shape (m, 3)
        In order of arrival.
    rows : float64 array, shape (n, 3)
        Room for ``stop + m``; rows ``first`` to ``stop`` are kept, changed in place.
    first, stop : int
    slope_s : float
        Speed is the slope over at least this long, s.
    kept_s : float
        Words this much older than the newest are forgotten, s.
    taken : float64 array, shape (m, 2)
        Out: time, s, and speed, m/s, of each; NaN where it was left out, or a distance has no speed yet.

    Returns
    -------
    tuple of int
        ``first`` and ``stop``, now.
    """
    for i in range(words.shape[0]):
        t, speed, distance = words[i, 0], words[i, 1], words[i, 2]
        taken[i, 0] = taken[i, 1] = math.nan
        is_late = stop > first and t <= rows[stop - 1, 0]
        if not math.isfinite(t) or is_late or (math.isnan(speed) and math.isnan(distance)):
            continue
        if math.isnan(speed):
            k = stop - 1
            while k >= first and t - rows[k, 0] < slope_s:
                k -= 1
            speed = (distance - rows[k, 2]) / (t - rows[k, 0]) if k >= first else math.nan
        if math.isnan(distance):
            distance = 0.0
            if stop > first:
                before = rows[stop - 1, 1] if math.isfinite(rows[stop - 1, 1]) else speed
                distance = rows[stop - 1, 2] + 0.5 * (speed + before) * (t - rows[stop - 1, 0])
        rows[stop, 0], rows[stop, 1], rows[stop, 2] = t, speed, distance
        taken[i, 0], taken[i, 1] = t, speed
        stop += 1
        while t - rows[first, 0] > kept_s:
            first += 1
    return first, stop


@njit(cache=True)
def lag_words(words, tau_s, bridge_s, is_backward):
    """Low-pass the speed of words of which the first is the start; after a long silence it starts anew.

    Parameters
    ----------
    words : float64 array, shape (n, 2)
        Time, s, and speed, m/s; changed in place.
    tau_s : float
        Time constant, s.
    bridge_s : float
        A longer silence starts anew, s.
    is_backward : bool
        From the last to the first.
    """
    n = words.shape[0]
    for i in range(1, n):
        here, before = (n - 1 - i, n - i) if is_backward else (i, i - 1)
        step = abs(words[here, 0] - words[before, 0])
        if step <= bridge_s:
            start = words[before, 1]
            words[here, 1] = start - math.expm1(-step / tau_s) * (words[here, 1] - start)
