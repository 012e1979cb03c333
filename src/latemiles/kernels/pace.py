"""Speed at the samples of the grid from what a source said of it now and then."""

from __future__ import annotations

import math

from latemiles.kernels.jit import njit

__all__ = ["pace_at"]


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
