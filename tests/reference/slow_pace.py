"""Slow, obvious twins of ``kernels.pace``: one time or word after the other, from all words before it."""

from __future__ import annotations

import numpy as np


def pace_at(words, t, known, bridge_s, hold_s):
    """Speed (k,) at times (k,) from words (n, 2)."""
    out = np.full(len(t), np.nan)
    for i, (time, most) in enumerate(zip(t, known, strict=True)):
        heard = words[: max(most, 0)]
        before, after = heard[heard[:, 0] <= time], heard[heard[:, 0] > time]
        if not len(before):
            continue
        if not len(after):
            if time - before[-1, 0] <= hold_s:
                out[i] = before[-1, 1]
        elif after[0, 0] - before[-1, 0] <= bridge_s:
            out[i] = np.interp(time, *np.stack([before[-1], after[0]]).T)
    return out


def take_words(words, slope_s):
    """Time, speed and distance (n, 3) of the words (m, 3) that are taken, none forgotten."""
    rows = []
    for t, speed, distance in words.tolist():
        if not np.isfinite(t) or (rows and t <= rows[-1][0]) or (np.isnan(speed) and np.isnan(distance)):
            continue
        long_ago = [row for row in rows if t - row[0] >= slope_s]
        if np.isnan(speed) and long_ago:
            speed = (distance - long_ago[-1][2]) / (t - long_ago[-1][0])
        if np.isnan(distance):
            last_t, last_speed, last_distance = rows[-1] if rows else (t, speed, 0.0)
            mean = 0.5 * (speed + (last_speed if np.isfinite(last_speed) else speed))
            distance = last_distance + mean * (t - last_t)
        rows.append((t, speed, distance))
    return np.array(rows).reshape(-1, 3)


def lag_words(words, tau_s, bridge_s):
    """Words (n, 2) with each speed a mean of its own and the low-passed one before it, forward in time."""
    out = words.copy()
    for i in range(1, len(words)):
        step = words[i, 0] - words[i - 1, 0]
        share = 1.0 - np.exp(-step / tau_s) if step <= bridge_s else 1.0
        out[i, 1] = share * words[i, 1] + (1.0 - share) * out[i - 1, 1]
    return out
